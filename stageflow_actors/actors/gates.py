"""``Gates``: what stands before the stages of one deployment, for all of its runs.

A stage with a key is executed once for it; whoever comes with the same key gets the same answer. A
stage that keeps failing is left alone while its breaker is open: nothing at all is sent to it.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from enum import Enum, auto
from typing import Any

from stageflow_actors.actors.answers import open_answer
from stageflow_actors.actors.bodies import Bodies, Ends, GatedRun
from stageflow_actors.actors.failures import Failure
from stageflow_actors.actors.idempotency import IdempotencyDesk
from stageflow_actors.actors.messages import Assignment, Receipt, StageKey
from stageflow_actors.actors.sealing import PlainEvent
from stageflow_actors.actors.start_hooks import HookDesk
from stageflow_actors.actors.tickets import NOT_KEPT, Ticket, store_fault
from stageflow_actors.engine.breaker import Breaker, BreakerState, Permit
from stageflow_actors.engine.facts import Ending
from stageflow_actors.errors import (
    CircuitBreakerOpenError,
    IdempotencyParamMismatch,
    StageLostError,
)
from stageflow_actors.model.plan import Plan

logger = logging.getLogger("stageflow_actors")

_OK, _LOST, _TIMED_OUT = Ending.OK.value, Ending.LOST.value, Ending.TIMED_OUT.value
_FAILURES = (Ending.FAIL.value, Ending.RETRY.value)
_NEITHER = (Ending.INTERRUPTED.value, _LOST)


class Gates:
    """The breakers and the desk of one deployment. ``failure_of`` describes errors as it needs."""

    def __init__(
        self, plan: Plan, desk: IdempotencyDesk, failure_of: Callable[[BaseException], Failure]
    ) -> None:
        self.plan = plan
        self.desk = desk
        self.failure_of = failure_of
        self.breakers = [
            None if stage.breaker is None else Breaker(stage.breaker) for stage in plan.stages
        ]
        self.leaving: set[asyncio.Task[None]] = set()
        self._uneasy: set[int] = set()

    def is_calm(self) -> bool:
        """Whether no breaker counts any failure: none is about to leave a stage alone."""
        return not self._uneasy

    def note(self, stage: int, breaker: Breaker) -> None:
        """Take note that a breaker was told of an end."""
        if breaker.is_calm:
            self._uneasy.discard(stage)
        else:
            self._uneasy.add(stage)

    def describe(self) -> dict[str, Any]:
        """The breakers that are not closed, and what became of idempotent requests."""
        pairs = zip(self.plan.stages, self.breakers, strict=True)
        states = {stage.name: each.state.value for stage, each in pairs if each is not None}
        counts = self.desk.statistics
        return {
            "breakers": {name: state for name, state in states.items() if state != "closed"},
            "idempotency": {
                "executed": counts.executed,
                "answered": counts.answered,
                "waited": counts.waited,
            },
        }


class _Phase(Enum):
    ENTERING = auto()
    """Hooks are asked, or its key is worked on by another run."""
    REFUSED = auto()
    EXECUTING = auto()
    FINISHING = auto()
    """Its answer is being kept."""


class _Passage:
    """One start of a stage on its way through the gates; ``reason`` is why it was told to stop."""

    __slots__ = ("assignment", "generation", "permit", "phase", "reason", "stage", "task")

    def __init__(self, stage: int, assignment: Assignment) -> None:
        self.stage = stage
        self.assignment = assignment
        self.phase = _Phase.EXECUTING
        self.reason: str | None = None
        self.permit: Permit | None = None
        self.generation = 0
        self.task: asyncio.Task[Any] | None = None


class GatedBodies:
    """The bodies of one run behind the gates of its deployment."""

    __slots__ = ("_gates", "_hooks", "_inner", "_keys", "_live", "_run", "_tickets")

    def __init__(
        self,
        inner: Bodies[Ends],
        gates: Gates,
        keys: Mapping[int, StageKey],
        hooks: HookDesk | None,
    ) -> None:
        self._inner = inner
        self._gates = gates
        self._keys = keys
        self._hooks = hooks
        self._run: GatedRun | None = None
        self._live: dict[int, _Passage] = {}
        self._tickets: dict[int, Ticket] = {}

    def start(self, ends: GatedRun, stage: int, assignment: Assignment) -> bool:
        self._run = ends
        passage = self._live[stage] = _Passage(stage, assignment)
        if self._hooks is None and (stage not in self._keys or stage in self._tickets):
            return self._execute(passage)
        passage.phase = _Phase.ENTERING
        passage.task = entering = asyncio.ensure_future(self._enter(stage))
        # From its callback: a task that is cancelled before its first step says nothing itself.
        entering.add_done_callback(lambda done: self._entered(passage, done))
        # A hook that takes long is its own fault; one that waits for others has done nothing yet.
        return self._hooks is not None

    def interrupt(self, ends: GatedRun, stage: int, attempt: int, reason: str) -> None:
        passage = self._live.get(stage)
        if passage is None:
            return  # its end is on its way to where this comes from
        passage.reason = reason
        if passage.phase is _Phase.EXECUTING:
            self._inner.interrupt(self, stage, attempt, reason)
        elif passage.phase is _Phase.ENTERING and passage.task is not None:
            passage.task.cancel()

    def kill(self, ends: GatedRun, stage: int, attempt: int) -> None:
        passage = self._live.get(stage)
        if passage is None:
            return
        if passage.phase is _Phase.EXECUTING:
            self._inner.kill(self, stage, attempt)
            return
        name = self._gates.plan.stages[stage].name
        error = StageLostError(
            f"Stage '{name}' was given up while its key or a hook was waited for."
        )
        lost = self._failed(error, Ending.LOST)
        asyncio.get_running_loop().call_soon(self._end, passage, lost)

    def skipped(self, ends: GatedRun, stage: int) -> None:
        if self._hooks is not None:
            self._hooks.tell(stage)

    def decided(self, ends: GatedRun) -> None:
        """Give back the keys of stages that are over; an answer has freed its key itself."""
        for stage in tuple(self._tickets) if self._tickets else ():
            if stage not in self._live and not ends.is_open(stage):
                self._give_back(stage, ends.is_in_doubt(stage))

    def began(self, stage: int, attempt: int) -> None:
        if self._run is not None:
            self._run.began(stage, attempt)

    def stop_heard(self, stage: int, attempt: int) -> None:
        if self._run is not None:
            self._run.stop_heard(stage, attempt)

    def stage_ended(self, stage: int, attempt: int, receipt: Receipt) -> None:
        """Take the end of an execution from the bodies; the run hears of it from here."""
        passage = self._live.get(stage)
        if passage is None or passage.assignment.attempt != attempt:
            return
        breaker = self._gates.breakers[stage]
        if breaker is not None and not (receipt.ending == _OK and breaker.is_calm):
            receipt = self._record(passage, breaker, receipt)
        ticket = self._tickets.get(stage)
        if ticket is None or receipt.ending != _OK:
            self._end(passage, receipt)
            return
        passage.phase = _Phase.FINISHING
        kept = ticket.complete(receipt.answer or "", self._keys[stage].ttl_s)
        passage.task = finishing = asyncio.ensure_future(kept)
        finishing.add_done_callback(lambda done: self._finished(passage, receipt, done))

    def close(self) -> None:
        """The run has ended: nobody asks any more, and waits for no collection of garbage."""
        self._run = None
        if self._hooks is not None:
            self._hooks.close()

    # --- in ---------------------------------------------------------------------------------------

    async def _enter(self, stage: int) -> Receipt | None:
        """Wait for the hooks and for the key; how it ends without being executed, if it does."""
        if self._hooks is not None:
            objection = await self._hooks.ask(stage)
            if objection is not None:
                return objection
        wanted = self._keys.get(stage)
        if wanted is None or stage in self._tickets:
            return None
        try:
            entry = await self._gates.desk.admit(wanted.scoped, wanted.params)
        except IdempotencyParamMismatch as error:
            raise IdempotencyParamMismatch(wanted.given, error.expected, error.actual) from None
        if entry.ticket is not None:
            self._tickets[stage] = entry.ticket
            return None
        now = time.time()
        output, signal = open_answer(entry.answer or "")
        told = ("stage.answered", now, {"stage": self._gates.plan.stages[stage].name})
        return Receipt(_OK, now, now, output, signal=signal, notes=(told,))

    def _entered(self, passage: _Passage, entering: asyncio.Task[Receipt | None]) -> None:
        error = None if entering.cancelled() else entering.exception()
        if self._live.get(passage.stage) is not passage:
            return  # it was given up
        if error is not None:
            self._end(passage, self._failed(error))
        elif entering.cancelled() or passage.reason is not None:
            now = time.time()
            self._end(passage, Receipt.interrupted(passage.reason, now, now))
        elif (receipt := entering.result()) is not None:
            self._end(passage, receipt)
        elif self._execute(passage):
            self.began(passage.stage, passage.assignment.attempt)

    def _execute(self, passage: _Passage) -> bool:
        """Whether it executes now, or has been refused; else it waits for its process."""
        stage, assignment = passage.stage, passage.assignment
        if stage in self._tickets:
            assignment = assignment._replace(keeps_answer=True)
        breaker = self._gates.breakers[stage]
        if breaker is not None:
            is_begun = assignment.is_begun  # while all breakers were calm: it is not refused now
            if breaker.is_calm or (is_begun and breaker.state is BreakerState.CLOSED):
                passage.generation = breaker.generation
            elif not is_begun:
                passage.permit = breaker.admit(time.monotonic())
                if passage.permit is None:
                    self._refuse(passage, breaker)
                    return True
        passage.phase = _Phase.EXECUTING
        return self._inner.start(self, stage, assignment)

    def _refuse(self, passage: _Passage, breaker: Breaker) -> None:
        passage.phase = _Phase.REFUSED
        wait_s = max(0.0, (breaker.retry_at or 0.0) - time.monotonic())
        name = self._gates.plan.stages[passage.stage].name
        error = CircuitBreakerOpenError(
            f"Stage '{name}' was not executed: it failed too often, and its circuit is open.",
            hint=f"It is tried again in {wait_s:.1f} s.",
        )
        # Never from within the call that starts it: its run is in the middle of a tick.
        asyncio.get_running_loop().call_soon(self._end, passage, self._failed(error))

    # --- out --------------------------------------------------------------------------------------

    def _end(self, passage: _Passage, receipt: Receipt) -> None:
        """Tell the run, unless it was told."""
        if self._live.get(passage.stage) is passage:
            assert self._run is not None
            del self._live[passage.stage]
            self._run.stage_ended(passage.stage, passage.assignment.attempt, receipt)

    def _finished(
        self, passage: _Passage, receipt: Receipt, finishing: asyncio.Future[None]
    ) -> None:
        """The answer is kept before anybody hears of it."""
        self._tickets.pop(passage.stage, None)
        if finishing.cancelled():  # not by us: the store did it
            error: BaseException | None = store_fault(asyncio.CancelledError(), NOT_KEPT)
        else:
            error = finishing.exception()
        self._end(passage, receipt if error is None else self._failed(error))

    def _record(self, passage: _Passage, breaker: Breaker, receipt: Receipt) -> Receipt:
        """Tell the breaker; what it changes to becomes an event."""
        permit = passage.permit or Permit(passage.generation)
        now = time.monotonic()
        if self._counts(passage.stage, receipt):
            entered = breaker.record_failure(permit, now)
        elif receipt.ending in _NEITHER:
            entered = breaker.record_neither(permit, now)
        else:
            entered = breaker.record_success(permit, now)
        self._gates.note(passage.stage, breaker)
        states = [each for each in (permit.entered, entered) if each is not None]
        events = [self._breaker_event(passage.stage, each) for each in states]
        return receipt._replace(notes=(*receipt.notes, *events)) if events else receipt

    def _counts(self, stage: int, receipt: Receipt) -> bool:
        """Whether the breaker counts this end as a failure."""
        assert self._run is not None
        settings = self._gates.plan.stages[stage].breaker
        assert settings is not None
        if receipt.ending == _TIMED_OUT or self._run.is_timing_out(stage):
            return settings.counts_timeout
        counts = receipt.hint is not None and receipt.hint.counts
        if receipt.ending == _LOST:
            return settings.counts_loss and counts
        return receipt.ending in _FAILURES and counts

    def _breaker_event(self, stage: int, state: BreakerState) -> PlainEvent:
        name = self._gates.plan.stages[stage].name
        return f"circuit_breaker.{state.value}", time.time(), {"stage": name}

    def _give_back(self, stage: int, is_in_doubt: bool) -> None:
        ticket = self._tickets.pop(stage)
        if is_in_doubt and not self._gates.plan.stages[stage].effects.allow_repeats:
            ticket.abandon()  # it may have happened: nobody does it again before the lease is over
            return
        leaving = asyncio.ensure_future(self._release(ticket))
        self._gates.leaving.add(leaving)  # the loop itself holds tasks only weakly
        leaving.add_done_callback(self._gates.leaving.discard)

    async def _release(self, ticket: Ticket) -> None:
        try:
            await ticket.release()
        except Exception:
            logger.warning("An idempotency key was not freed; its lease will.", exc_info=True)

    def _failed(self, error: BaseException, ending: Ending = Ending.FAIL) -> Receipt:
        now = time.time()
        return Receipt.failed(self._gates.failure_of(error), now, now, ending=ending)
