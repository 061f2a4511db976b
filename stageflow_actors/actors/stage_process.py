"""``StageProcess``: one process of a host, as its supervisor sees it. All calls to it are here.

Executions go through a ``Channel``. Deaths are told as soon as Ray tells them, busy or idle, and so
is an event loop that does not turn any more.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, cast

import ray

from stageflow_actors.actors.ahead import Ahead
from stageflow_actors.actors.asking import ask
from stageflow_actors.actors.channel import Channel
from stageflow_actors.actors.codec import FarOutput, Payload
from stageflow_actors.actors.failures import Failure, failure_of, failure_to_wire, late_error
from stageflow_actors.actors.far_outputs import take_far
from stageflow_actors.actors.farewell import Farewell
from stageflow_actors.actors.heartbeat import Heart
from stageflow_actors.actors.interrupt_calls import InterruptCalls
from stageflow_actors.actors.life import Life
from stageflow_actors.actors.lost_calls import lost_error, not_stored
from stageflow_actors.actors.mail import Mail
from stageflow_actors.actors.messages import Credit, Execution, Receipt
from stageflow_actors.actors.meters import Meter
from stageflow_actors.actors.orders import Order
from stageflow_actors.actors.placing import find_room
from stageflow_actors.actors.process_watch import Answered, Watch
from stageflow_actors.actors.ray_errors import CallFault, FaultKind, fault_of
from stageflow_actors.actors.wire import Wire, execution_in, receipt_of, size_of
from stageflow_actors.engine.leases import Follower
from stageflow_actors.errors import DeploymentError
from stageflow_actors.model.plan import StagePlan
from stageflow_actors.model.policies.placement import Placement
from stageflow_actors.model.settings import Settings
from stageflow_actors.model.stats import BatchStats

_TELL_S = 1.0
_PIECE = 3
"""Fields of a reply that is a piece of a stream: execution, audience, data. A receipt has two."""
_CREDIT_SIZE = 60


class StageProcess:
    """``epoch`` counts the processes of the host from 1; ``stages`` are those that it hosts.

    ``outcome`` is its process id once it is ready, or why it never got so. ``live`` are the orders
    that it was given and that have not come back, and when, ``meters`` count those of each stage;
    ``has_worked`` says that one came back. ``ahead`` are those that their runs do not know of yet.
    ``ended_for`` is the execution that it was ended for.
    """

    __slots__ = (
        "_answered",
        "_channel",
        "_farewell",
        "_heart",
        "_interrupts",
        "_life",
        "_loop",
        "_mail",
        "_settings",
        "_stage_names",
        "_watch",
        "actor",
        "ahead",
        "ended_at",
        "ended_for",
        "epoch",
        "has_worked",
        "is_retired",
        "is_told",
        "live",
        "meters",
        "name",
        "outcome",
        "ready",
        "stages",
    )

    def __init__(
        self,
        actor: Any,
        stages: Mapping[int, StagePlan],
        placement: Placement | None,
        epoch: int,
        code: Mapping[int, Payload],
        followers: Mapping[int, tuple[Follower, ...]],
        settings: Settings,
        watch: Watch,
        answered: Answered,
    ) -> None:
        self._stage_names = {index: stage.name for index, stage in stages.items()}
        self.stages = tuple(stages)
        self.name = ", ".join(stage.name for stage in stages.values())
        self.epoch = epoch
        self.live: dict[Execution, tuple[Order, float]] = {}
        self.meters = {stage: Meter() for stage in stages}
        self.outcome: int | Failure | None = None
        self.ended_at: float | None = None
        self.ended_for: Execution | None = None
        self.is_told = False
        self.has_worked = False
        self.is_retired = False
        self._answered = answered
        self.ahead = Ahead()
        self._settings = settings
        self._watch = watch
        self._loop = asyncio.get_running_loop()
        self._interrupts = InterruptCalls(partial(self._call, "interrupt"))
        self._farewell = Farewell()
        self.actor = actor
        self._mail = Mail(actor.exchange.remote, epoch, settings, self._suspect)
        self._channel = Channel(self._mail, self._is_working, self._take, self._die, settings)
        self._life = Life(actor.live.remote, self._die)
        self._heart = Heart(
            actor.beat.remote, self._is_working, lambda: watch.stuck(self), settings
        )
        self.ready = self._loop.create_task(self._prepare(placement, code, followers))
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

    @property
    def counts(self) -> tuple[int, int]:
        """Calls to execute or stop, and how many were made again, as nobody answered."""
        return self._channel.calls + self._interrupts.made, self._channel.repeated

    def take_counts(self) -> tuple[int, int]:
        """``counts``, which begin at 0 again."""
        counts = self.counts
        self._channel.calls = self._channel.repeated = self._interrupts.made = 0
        return counts

    def execute(self, order: Order) -> None:
        """Have it execute once; the end is told once, never from within this call."""
        execution = order.execution
        self.live[execution] = order, time.time()
        self.meters[order.stage].begin(self._loop.time(), order.size)
        self._heart.start()
        self._channel.put(order.message, order.size, has_refs=order.has_far)

    def give_back(self, execution: Execution, size: int) -> None:
        """Let it stream out so many bytes more."""
        if self.ended_at is None:
            self._channel.put(Credit(execution, size), _CREDIT_SIZE)

    def adopt(self, order: Order) -> bool:
        """Take an order that it is executing already, ahead of the run; whether it is."""
        execution = order.execution
        if execution not in self.ahead:
            return False
        early, pieces = self.ahead.take(execution)
        self.live[execution] = order, time.time()
        for piece in pieces:
            order.stream_out(*piece)
        took_s = 0.0 if early is None else early.ended_at - early.started_at
        self.meters[order.stage].begin(self._loop.time() - took_s)
        self._heart.start()
        if early is None:
            self._channel.wake()  # nothing else may be due from there, and nobody would listen
        else:
            # Never from within the call that starts the stage: its run is in the middle of a tick.
            self._loop.call_soon(self._accept, execution, early)
        return True

    def take_unsent(self) -> list[Order]:
        """Orders that it was given and will never see, as it has ended before they were sent."""
        orders = [each for each in self._channel.unsent() if not isinstance(each, Credit)]
        unsent = [self.live.pop(execution_in(each))[0] for each in orders]
        for order in unsent:
            self.meters[order.stage].take_back(self._loop.time())
        return unsent

    async def interrupt(self, execution: Execution, reason: str) -> bool:
        """Pass an interrupt on, a dead process needs none; whether the body is heeding it."""
        return await self._interrupts.interrupt(execution, reason)

    async def teardown(self, stages: Sequence[int]) -> None:
        """Run the ``teardown`` of ``stages``; a failure changes nothing: it is ended next."""
        with contextlib.suppress(Exception):
            async with asyncio.timeout(self._settings.stop_timeout_s):
                self._note_batches(await self._call("teardown", stages))

    async def count_batches(self) -> None:
        """Have it tell of its batches; if it does not, what it told last remains."""
        with contextlib.suppress(Exception):
            async with asyncio.timeout(_TELL_S):
                self._note_batches(await self._call("batches"))

    def _note_batches(self, told: Mapping[int, BatchStats]) -> None:
        for stage, batches in told.items():
            self.meters[stage].note_batches(batches)

    def end(self, why: str, culprit: Execution | None = None) -> None:
        """Kill the process, and have what was executing there answered as lost.

        Ray needs seconds to end one that is stopped; nobody has to wait for that.
        """
        if self.ended_at is not None:
            return
        self.ended_for = culprit
        self._note_end()
        ray.kill(self.actor)
        self._loop.call_soon(self._answer_all, CallFault(FaultKind.DIED, "", why))

    def when_gone(self, act: Callable[[], None]) -> None:
        """Call ``act`` once it is gone: Ray tells of its end a little before it is true."""
        self._farewell.when_gone(self.pid, act)

    # --- from start to end ------------------------------------------------------------------------

    async def _prepare(
        self,
        placement: Placement | None,
        code: Mapping[int, Payload],
        followers: Mapping[int, tuple[Follower, ...]],
    ) -> int | Failure:
        limit_s = self._settings.deploy_timeout_s
        try:
            if placement is not None:
                await find_room(self._call("hello"), self.name, placement, self._settings)
            async with asyncio.timeout(limit_s):
                outcome = await self._call("prepare", code, followers, self.epoch)
        except TimeoutError:
            return _described(late_error(self.name, limit_s))
        except DeploymentError as error:
            return _described(error)
        except Exception as error:
            return _described(lost_error(self.name, fault_of(error)))
        if isinstance(outcome, int):
            return outcome
        stage, failure = outcome
        self.name = self._stage_names[stage]
        return cast("Failure", failure)

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
            for meter in self.meters.values():
                meter.open(self._loop.time())
            self._life.follow()
            self._mail.look_for(partial(self._call, "door"))
        self._watch.started(self)

    def _die(self, fault: CallFault) -> None:
        """Take note that it is dead, or out of reach and therefore ended."""
        if self.ended_at is None:
            self._note_end()
            ray.kill(self.actor)
            self._watch.died(self, fault)
            self._loop.call_soon(self._answer_all, fault)

    def _suspect(self) -> None:
        self._life.suspect(self.pid)

    def _note_end(self) -> None:
        self.ended_at = self._loop.time()
        for meter in self.meters.values():
            meter.close(self.ended_at)
        self._heart.stop()
        self._life.leave()
        self._mail.close()

    # --- executions -------------------------------------------------------------------------------

    def _is_working(self) -> bool:
        return bool(self.live)

    def _take(self, reply: tuple[Any, ...]) -> None:
        if len(reply) == _PIECE:
            self._take_piece(*reply)
            return
        execution, wire = reply
        if execution not in self.live and execution not in self.ahead:
            return
        receipt = receipt_of(wire)
        if receipt.ahead:
            run = execution[0]
            self.ahead.begin((run, stage, 1) for stage in receipt.ahead)
        if execution in self.live:
            self._accept(execution, receipt)
        else:
            self.ahead.keep(execution, receipt)  # its run hears of what came before in a moment

    def _take_piece(self, execution: Execution, audience: str, data: Wire) -> None:
        live = self.live.get(execution)
        if live is not None:
            live[0].stream_out(audience, data)
        elif execution in self.ahead:
            self.ahead.keep_piece(execution, (audience, data))

    def _accept(self, execution: Execution, receipt: Receipt) -> None:
        if execution not in self.live:
            return
        self.has_worked = True
        if type(receipt.output) is FarOutput:
            taken = partial(self._taken, execution, receipt)
            take_far(self.actor, execution, receipt.output, taken)
        else:
            self._answered(*self._forget(execution, size_of(receipt)), self, receipt)

    def _taken(
        self, execution: Execution, receipt: Receipt, far: FarOutput | None, error: Any
    ) -> None:
        """Its big output is the supervisor's own, and outlives this process; or it is lost."""
        if execution in self.live:
            told = not_stored(self.name, receipt, fault_of(error)) if far is None else None
            outcome = told or receipt._replace(output=far)
            self._answered(*self._forget(execution, size_of(receipt)), self, outcome)

    def _answer_all(self, fault: CallFault) -> None:
        for execution in tuple(self.live):
            self._answered(*self._forget(execution), self, fault)

    def _forget(self, execution: Execution, received: int = 0) -> tuple[Order, float]:
        self.meters[execution[1]].end(self._loop.time(), received)
        return self.live.pop(execution)


def _described(error: BaseException) -> Failure:
    return failure_to_wire(failure_of(error))
