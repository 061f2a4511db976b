"""``StageProcess``: one process of a stage, as its supervisor sees it. All calls to it are here.

A call whose reply was lost is made again: the process knows by run and attempt what it has done,
and answers from its record. Deaths are told as soon as Ray tells them, busy or idle, and so is an
event loop that does not turn any more.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

import ray

from stageflow_actors.actors.asking import ASK_AGAIN_S, ask
from stageflow_actors.actors.codec import Payload
from stageflow_actors.actors.failures import Failure, failure_of, failure_to_wire, late_error
from stageflow_actors.actors.kept_replies import ExecutionId
from stageflow_actors.actors.lost_calls import GONE, is_alive, lost_error
from stageflow_actors.actors.messages import Envelope, Receipt, pack, unpack
from stageflow_actors.actors.placing import no_room_error
from stageflow_actors.actors.ray_errors import CallFault, FaultKind, fault_of
from stageflow_actors.errors import DeploymentError
from stageflow_actors.model.plan import StagePlan
from stageflow_actors.model.policies.placement import Placement
from stageflow_actors.model.settings import Settings

_LOOK_S = 0.001
_MAX_DYING_S = 1.0
"""How often to look whether a process that was ended is gone, and for how long at most."""
_SHORT_S = 1.0
_MOST_UNFOLLOWED = 20


class Answered(Protocol):
    """Who takes the end of an execution: its receipt, or why there is none."""

    def __call__(self, process: StageProcess, outcome: Receipt | CallFault) -> None: ...


@dataclass(slots=True)
class Watch:
    """What a process tells of itself without being asked for anything."""

    started: Callable[[StageProcess], None]
    """``setup`` has run, or the process could not be started."""
    died: Callable[[StageProcess, CallFault], None]
    stuck: Callable[[StageProcess], None]
    """Its event loop has not turned for ``Settings.heartbeat_timeout_s``."""


class StageProcess:
    """``epoch`` counts the processes of the stage from 1.

    ``outcome`` is its process id once it is ready, or why it never got so. ``live`` are the
    executions that were sent to it and have not come back; ``has_worked`` says that one has.
    ``ended_for`` is the execution that it was ended for. ``calls`` counts those to execute or stop.
    """

    __slots__ = (
        "_beat_timer",
        "_followed_at",
        "_goodbyes",
        "_interrupting",
        "_interrupts",
        "_loop",
        "_settings",
        "_unfollowed",
        "_watch",
        "actor",
        "asked_again",
        "calls",
        "ended_at",
        "ended_for",
        "epoch",
        "has_worked",
        "index",
        "is_retired",
        "is_told",
        "live",
        "name",
        "outcome",
        "ready",
        "ready_at",
    )

    def __init__(
        self,
        actor: Any,
        index: int,
        stage: StagePlan,
        epoch: int,
        code: Payload,
        settings: Settings,
        watch: Watch,
    ) -> None:
        self.index = index
        self.name = stage.name
        self.epoch = epoch
        self.live: dict[ExecutionId, Answered] = {}
        self.outcome: int | Failure | None = None
        self.ended_at: float | None = None
        self.ended_for: ExecutionId | None = None
        self.is_told = False
        self.has_worked = False
        self.is_retired = False
        self.ready_at: float | None = None
        self.calls = 0
        self.asked_again = 0
        self._settings = settings
        self._watch = watch
        self._loop = asyncio.get_running_loop()
        self._beat_timer: asyncio.TimerHandle | None = None
        self._interrupts: dict[ExecutionId, str] | None = None
        self._interrupting: asyncio.Task[Collection[ExecutionId]]
        self._goodbyes: list[Callable[[], None]] = []
        self._followed_at = 0.0
        self._unfollowed = 0
        self.actor = actor
        self.ready = self._loop.create_task(self._prepare(stage, code))
        self.ready.add_done_callback(self._started)

    @property
    def is_ready(self) -> bool:
        """Whether it takes work."""
        return self.ended_at is None and isinstance(self.outcome, int)

    @property
    def has_come_to_nothing(self) -> bool:
        """Whether it has not worked on anything: starting it anew promises no better."""
        return not (self.live or self.has_worked)

    @property
    def pid(self) -> int | None:
        """Its process id, once it is ready."""
        return self.outcome if isinstance(self.outcome, int) else None

    def execute(self, envelope: Envelope, answered: Answered) -> None:
        """Have it execute once; ``answered`` is called once, never from within this call."""
        execution = (envelope.run, envelope.assignment.attempt)
        self.live[execution] = answered
        if self._beat_timer is None:
            interval_s = self._settings.heartbeat_interval_s
            self._beat_timer = self._loop.call_later(interval_s, self._beat)
        # Callbacks instead of a task: one turn of the loop less for every stage of every run.
        self._ask(execution, pack(envelope), 1)

    async def interrupt(self, execution: ExecutionId, reason: str) -> bool:
        """Pass an interrupt on, a dead process needs none; whether the body is heeding it."""
        if self._interrupts is None:
            self._interrupts = {}
            self._interrupting = self._loop.create_task(self._interrupt_all())
        self._interrupts[execution] = reason
        return execution in await asyncio.shield(self._interrupting)

    async def teardown(self) -> None:
        """Run the stage's ``teardown``; a failure changes nothing: the process is ended next."""
        with contextlib.suppress(Exception):
            async with asyncio.timeout(self._settings.stop_timeout_s):
                await self._call("teardown")

    def end(self, why: str, culprit: ExecutionId | None = None) -> None:
        """Kill the process, and have what was executing there answered as lost.

        Ray needs seconds to end one that is stopped; nobody has to wait for that.
        """
        if self.ended_at is not None:
            return
        self.ended_for = culprit
        self._note_end()
        ray.kill(self.actor)
        fault = CallFault(FaultKind.DIED, "", why)
        for execution in tuple(self.live):
            self._loop.call_soon(self._answer, execution, fault)

    def when_gone(self, act: Callable[[], None]) -> None:
        """Call ``act`` once the process is gone: Ray tells of its end a little before it is true.

        Only on this machine can that be seen; it is waited for a second at most.
        """
        self._goodbyes.append(act)
        if len(self._goodbyes) == 1:
            self._look()

    def _look(self) -> None:
        is_late = self.ended_at is None or self._loop.time() > self.ended_at + _MAX_DYING_S
        if is_late or not is_alive(self.pid):
            goodbyes, self._goodbyes = self._goodbyes, []
            for act in goodbyes:
                act()
        else:
            self._loop.call_later(_LOOK_S, self._look)

    # --- from start to end ------------------------------------------------------------------------

    async def _prepare(self, stage: StagePlan, code: Payload) -> int | Failure:
        try:
            if stage.placement is not None:
                await self._find_room(stage.name, stage.placement)
            async with asyncio.timeout(self._settings.deploy_timeout_s):
                outcome: int | Failure = await self._call("prepare", code, self.index, self.epoch)
        except TimeoutError:
            return _described(late_error(stage.name, self._settings.deploy_timeout_s))
        except DeploymentError as error:
            return _described(error)
        except Exception as error:
            return _described(lost_error(stage.name, fault_of(error)))
        return outcome

    async def _find_room(self, name: str, placement: Placement) -> None:
        limit_s = self._settings.placement_timeout_s
        try:
            async with asyncio.timeout(limit_s):
                await self._call("hello")
        except TimeoutError:
            raise await no_room_error(name, placement, limit_s) from None

    async def _interrupt_all(self) -> Collection[ExecutionId]:
        """All of this turn of the event loop in one call; which of them are heeding it."""
        await asyncio.sleep(0)
        interrupts, self._interrupts = self._interrupts, None
        self.calls += 1
        try:
            heeding: Collection[ExecutionId] = await self._call("interrupt", interrupts)
        except Exception:
            return ()
        return heeding

    async def _call(self, method: str, *args: Any) -> Any:
        call = partial(getattr(self.actor, method).remote, *args)
        return await ask(call, self._settings.max_unanswered_calls)

    def _started(self, preparing: asyncio.Task[int | Failure]) -> None:
        if preparing.cancelled() or self.ended_at is not None:
            return
        self.outcome = preparing.result()
        if isinstance(self.outcome, Failure):
            self._note_end()
            ray.kill(self.actor)
        else:
            self.ready_at = time.time()
            self._follow()
        self._watch.started(self)

    def _follow(self) -> None:
        """Keep a call open that ends only with the process."""
        self._followed_at = self._loop.time()
        life = asyncio.wrap_future(self.actor.live.remote().future())
        life.add_done_callback(self._ended)

    def _ended(self, life: asyncio.Future[None]) -> None:
        if life.cancelled() or (error := life.exception()) is None or self.ended_at is not None:
            return
        fault = fault_of(error)
        was_short = self._loop.time() < self._followed_at + _SHORT_S
        self._unfollowed = self._unfollowed + 1 if was_short else 1
        if fault.kind is FaultKind.UNANSWERED and self._unfollowed <= _MOST_UNFOLLOWED:
            self._loop.call_later(ASK_AGAIN_S, self._follow)
        else:
            self._die(fault)

    def _die(self, fault: CallFault) -> None:
        """Take note that it is dead, or out of reach and therefore ended."""
        if self.ended_at is None:
            self._note_end()
            ray.kill(self.actor)
            self._watch.died(self, fault)

    def _note_end(self) -> None:
        self.ended_at = self._loop.time()
        if self._beat_timer is not None:
            self._beat_timer.cancel()

    # --- executions -------------------------------------------------------------------------------

    def _ask(self, execution: ExecutionId, packed: bytes, tries: int) -> None:
        if execution not in self.live:
            return
        self.calls += 1
        try:
            answer = asyncio.wrap_future(self.actor.execute.remote(packed).future())
        except Exception as error:
            self._loop.call_soon(self._answer, execution, fault_of(error))
            return
        answer.add_done_callback(lambda done: self._take(execution, packed, tries, done))

    def _take(
        self, execution: ExecutionId, packed: bytes, tries: int, answer: asyncio.Future[bytes]
    ) -> None:
        try:
            receipt: Receipt = unpack(answer.result())
        except Exception as error:  # whatever it is, the run waits for a receipt
            fault = fault_of(error)
            if fault.kind is FaultKind.UNANSWERED and self.ended_at is None:
                if tries <= self._settings.max_unanswered_calls:
                    self.asked_again += 1
                    wait_s = tries * ASK_AGAIN_S
                    self._loop.call_later(wait_s, self._ask, execution, packed, tries + 1)
                    return
                self._die(fault)
            elif fault.kind in GONE:
                self._die(fault)
            self._answer(execution, fault)
        else:
            self._answer(execution, receipt)

    def _answer(self, execution: ExecutionId, outcome: Receipt | CallFault) -> None:
        """Once: what comes later is of no interest any more."""
        answered = self.live.pop(execution, None)
        if answered is not None:
            self.has_worked = self.has_worked or isinstance(outcome, Receipt)
            answered(self, outcome)

    # --- heartbeat --------------------------------------------------------------------------------

    def _beat(self) -> None:
        """While it works: its own event loop has to answer."""
        self._beat_timer = None
        if not self.live or self.ended_at is not None:
            return
        limit_s = self._settings.heartbeat_timeout_s
        self._beat_timer = self._loop.call_later(limit_s, self._miss_beat)
        asyncio.wrap_future(self.actor.beat.remote().future()).add_done_callback(self._take_beat)

    def _take_beat(self, beat: asyncio.Future[None]) -> None:
        if beat.cancelled() or self.ended_at is not None:
            return
        beat.exception()  # a lost one counts as one: a dead process is told of otherwise
        if self._beat_timer is not None:
            self._beat_timer.cancel()
        interval_s = self._settings.heartbeat_interval_s
        self._beat_timer = self._loop.call_later(interval_s, self._beat)

    def _miss_beat(self) -> None:
        self._watch.stuck(self)


def _described(error: BaseException) -> Failure:
    return failure_to_wire(failure_of(error))
