"""``SupervisorClient``: one supervisor, as the process that owns it sees it."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
from collections.abc import Callable, Coroutine, Mapping, Sequence
from functools import partial
from typing import Any, cast

import ray
from ray.exceptions import RayError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from stageflow_actors.actors.asking import ask
from stageflow_actors.actors.codec import Payload
from stageflow_actors.actors.control import actor_class
from stageflow_actors.actors.failures import Failure, open_exception, setup_error
from stageflow_actors.actors.lost_calls import GONE, is_alive
from stageflow_actors.actors.messages import Reading, RunRequest
from stageflow_actors.actors.ray_errors import CallFault, FaultKind, fault_of
from stageflow_actors.actors.run_line import Listener, RunLine
from stageflow_actors.errors import RuntimeFault, SupervisorLostError, describe_exception
from stageflow_actors.model.plan import Plan
from stageflow_actors.model.settings import Settings
from stageflow_actors.model.stats import DeploymentStats

logger = logging.getLogger("stageflow_actors")

_LOOK_S = 0.002
_MOST_LOOKS = 350
"""How long to wait between looks whether the stages of a dead supervisor are gone, how often."""
_CLOSE_MARGIN_S = 5.0
_FOLLOW_AGAIN_S = 0.1
_LOST = (*GONE, FaultKind.UNANSWERED)
"""What a call ends with where the supervisor is dead, or cannot be reached."""


class SupervisorClient:
    """Owns the supervisor: it dies with this process, and its stages with it.

    It is followed from the event loop on which it was last used: its death is noticed at once, and
    which processes were below it then is known. ``changed`` is called when these are others.
    """

    def __init__(
        self,
        actor: Any,
        name: str,
        settings: Settings,
        changed: Callable[[], None] | None = None,
    ) -> None:
        self.actor = actor
        self._name = name
        self._settings = settings
        self._changed = changed
        self.pids: list[int] = []
        self._version = 0
        self._telling: set[asyncio.Task[None]] = set()
        self._cancels: dict[asyncio.AbstractEventLoop, dict[str, str]] = {}
        self._following: asyncio.Task[None] | None = None
        self.is_dead = False
        self.has_given_up = False
        self._lines: dict[asyncio.AbstractEventLoop, RunLine] = {}
        self._past_calls = 0

    @property
    def calls(self) -> int:
        """How many were made."""
        return self._past_calls + sum(line.calls for line in self._lines.values())

    @property
    def is_lost(self) -> bool:
        """Whether it takes no more runs: it died, or has escalated."""
        return self.is_dead or self.has_given_up

    def call(self, method: str, *args: Any) -> Any:
        """Call the supervisor; the only way to it."""
        self._past_calls += 1
        return getattr(self.actor, method).remote(*args)

    async def open(self) -> None:
        """Start its stages.

        Raises:
            SupervisorLostError: it died meanwhile.
            DeploymentError: a stage could not be started.
            Exception: the idempotency store could not be opened.
        """
        try:
            is_below = ray.get_runtime_context().get_actor_id() is not None
            owner = os.getpid() if is_below else None  # one that Ray started is on its machine
            failures: dict[str, Failure] = await self.ask("open", owner)
        except RayError as error:
            raise SupervisorLostError(
                f"The supervisor of pipeline '{self._name}' did not start: "
                f"{describe_exception(error)}"
            ) from error
        if failures:
            stage, failure = next(iter(failures.items()))
            if not stage:
                raise open_exception(failure)
            raise setup_error(self._name, stage, failure)
        self.follow()

    def follow(self) -> None:
        """Learn of its death, and of its stages, while this event loop runs."""
        here, following = asyncio.get_running_loop(), self._following
        if following is None or following.done() or following.get_loop() is not here:
            self._following = here.create_task(self._follow())

    async def ask(self, method: str, *args: Any) -> Any:
        """Call, once more if the reply was lost: for what does no harm when it is done twice.

        Raises:
            RayError: the call failed otherwise, or too often.
        """
        return await ask(lambda: self.call(method, *args), self._settings.max_unanswered_calls)

    def tell(self, method: str, *args: Any) -> None:
        """``ask`` without waiting; if nobody answers, its runs have no report either."""

        async def telling() -> None:
            with contextlib.suppress(RayError):
                await self.ask(method, *args)

        self._do(telling())

    def _do(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.ensure_future(work)
        self._telling.add(task)  # the loop itself holds tasks only weakly
        task.add_done_callback(self._telling.discard)

    def cancel(self, run: str, reason: str) -> None:
        """Tell a run to stop; all of one turn of the event loop in one call."""
        loop = asyncio.get_running_loop()
        if loop not in self._cancels:
            self._cancels[loop] = {}
            loop.call_soon(self._send_cancels, loop)
        self._cancels[loop][run] = reason

    def _send_cancels(self, loop: asyncio.AbstractEventLoop) -> None:
        self.tell("cancel", self._cancels.pop(loop))

    def submit(self, request: RunRequest, listener: Listener) -> None:
        """Start a run.

        The loss that ``listener`` may have to take is a ``SupervisorLostError``: it died, and by
        then its stages are gone, too; or a ``RuntimeFault``: it could not be called.
        """
        self._line().submit(request, listener)

    def watch(self, run: str) -> None:
        """Have the events of ``run`` told as they come."""
        self._line().watch(run)

    def read(self, reading: Reading) -> None:
        """Say what of a run's pieces was read, or is wanted."""
        self._line().read(reading)

    def _line(self) -> RunLine:
        """That of this event loop: what comes back must come back to it."""
        loop = asyncio.get_running_loop()
        line = self._lines.get(loop)
        if line is None or (line.fault is not None and not self.is_dead):
            for closed in [each for each in self._lines if each.is_closed()]:
                self._past_calls += self._lines.pop(closed).calls
            line = self._lines[loop] = RunLine(
                self.actor.exchange.remote,
                partial(self.ask, "door"),
                self._lose,
                self.actor.beat.remote,
                self._settings,
            )
        return line

    def _lose(self, fault: CallFault, listeners: Sequence[Listener]) -> None:
        self._do(self._tell_loss(fault, listeners))

    async def _tell_loss(self, fault: CallFault, listeners: Sequence[Listener]) -> None:
        is_lost = fault.kind in _LOST
        if is_lost:
            await self.give_up()
        for listener in listeners:
            try:
                listener.take_loss(self._death(fault) if is_lost else _uncallable(fault))
            except Exception:  # whatever it is, the others are to hear of it
                logger.exception("A lost run of pipeline '%s' could not be told.", self._name)

    def _death(self, fault: CallFault) -> SupervisorLostError:
        return SupervisorLostError(
            f"The supervisor of pipeline '{self._name}' died during the run ({fault.error_type}).",
            hint="Which stages had finished is unknown. Run again: it is deployed anew.",
        )

    async def describe(self) -> dict[str, Any]:
        """What it says of itself.

        Raises:
            SupervisorLostError: it died.
        """
        return cast("dict[str, Any]", await self._told("describe"))

    async def stats(self) -> DeploymentStats:
        """The same in numbers, but for the calls to itself.

        Raises:
            SupervisorLostError: it died.
        """
        return cast("DeploymentStats", await self._told("stats"))

    async def _told(self, method: str) -> Any:
        try:
            async with asyncio.timeout(self._settings.heartbeat_timeout_s):
                return await self.ask(method)
        except (RayError, TimeoutError) as error:
            if isinstance(error, RayError) and fault_of(error).kind not in _LOST:
                raise
            await self.give_up()
            raise SupervisorLostError(
                f"The supervisor of pipeline '{self._name}' died, or does not answer "
                f"({type(error).__name__}).",
                hint="The next run on this deployment opens it anew.",
            ) from error

    async def close(self) -> None:
        """Have it cancel its runs and stop its stages, if it lives."""
        if self.is_dead:
            return
        limit_s = 3 * self._settings.stop_timeout_s + _CLOSE_MARGIN_S
        try:
            async with asyncio.timeout(limit_s):
                await self.ask("close")
        except (RayError, TimeoutError) as error:
            logger.warning(
                "The supervisor of pipeline '%s' did not close by itself: %s.",
                self._name,
                type(error).__name__,
            )

    def kill(self) -> None:
        """End it, whatever it does."""
        ray.kill(self.actor)
        self._hang_up()
        following = self._following
        if following is not None and following.get_loop() is asyncio.get_running_loop():
            following.cancel()

    def _hang_up(self) -> None:
        here = asyncio.get_running_loop()
        if here in self._lines:
            self._lines[here].close()

    async def give_up(self) -> None:
        """Use it no more; end it, as it may only have been out of reach, and see its stages end.

        That can be seen on this machine only, and is waited for less than a second.
        """
        self.is_dead = True
        ray.kill(self.actor)
        for _look in range(_MOST_LOOKS):
            if not any(map(is_alive, self.pids)):
                return
            await asyncio.sleep(_LOOK_S)

    async def _follow(self) -> None:
        while not self.is_dead:
            try:
                self._version, self.pids, gave_up = await self.ask("roster", self._version)
                self.has_given_up = self.has_given_up or gave_up
            except RayError as error:
                kind = fault_of(error).kind
                self.is_dead = kind in GONE
                if not self.is_dead and kind is not FaultKind.UNANSWERED:
                    return  # it cannot be followed
                await asyncio.sleep(_FOLLOW_AGAIN_S)
            if self._changed is not None:
                self._changed()


def _uncallable(fault: CallFault) -> RuntimeFault:
    return RuntimeFault(
        f"The supervisor could not be called: {fault.error_type}: {fault.text}", code="RUN-LOST"
    )


def start_supervisor(
    cls: type,
    plan: Plan,
    code: Sequence[Payload],
    settings: Settings,
    store_path: str | None,
    packages: Mapping[str, Any],
    changed: Callable[[], None] | None = None,
) -> SupervisorClient:
    """A supervisor of this class that belongs to this process; stages below it may spawn
    ``packages``, by name.
    """
    # Beside its owner: no other node that is lost takes it along.
    here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
    hired = (
        actor_class(cls, settings.max_pending_calls)
        .options(scheduling_strategy=here)
        .remote(plan, code, settings, store_path, packages)
    )
    return SupervisorClient(hired, plan.name, settings, changed)
