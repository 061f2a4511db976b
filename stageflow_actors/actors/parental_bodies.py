"""``ParentalBodies``: the bodies of one run, together with the child runs that they start."""

from __future__ import annotations

from functools import partial

from stageflow_actors.actors.bodies import Bodies, Ends
from stageflow_actors.actors.event_log import EventLog
from stageflow_actors.actors.family import Family
from stageflow_actors.actors.messages import Assignment, Execution, Receipt

_KILLED = "the stage that started it was ended"


class ParentalBodies:
    """Stands between the gates and the bodies where a deployment has a registry."""

    __slots__ = ("_attempts", "_ends", "_family", "_inner", "_log", "_run")

    def __init__(self, inner: Bodies[Ends], family: Family, run: str) -> None:
        self._inner = inner
        self._family = family
        self._run = run
        self._log: EventLog | None = None
        self._ends: Ends | None = None
        self._attempts: dict[int, int] = {}

    def open(self, log: EventLog) -> None:
        """Where the events about children go."""
        self._log = log

    def start(self, ends: Ends, stage: int, assignment: Assignment) -> bool:
        assert self._log is not None
        self._ends = ends
        self._attempts[stage] = assignment.attempt
        self._family.enter(self._execution(stage, assignment.attempt), self._log)
        return self._inner.start(self, stage, assignment)

    def interrupt(self, ends: Ends, stage: int, attempt: int, reason: str) -> None:
        self._family.cancel(self._execution(stage, attempt), reason)
        if self._attempts.get(stage) == attempt:  # else only its children are left
            self._inner.interrupt(self, stage, attempt, reason)

    def kill(self, ends: Ends, stage: int, attempt: int) -> None:
        self._family.cancel(self._execution(stage, attempt), _KILLED)
        if self._attempts.get(stage) == attempt:
            self._inner.kill(self, stage, attempt)

    def skipped(self, ends: Ends, stage: int) -> None:
        self._inner.skipped(self, stage)

    def decided(self, ends: Ends) -> None:
        self._inner.decided(self)

    def began(self, stage: int, attempt: int) -> None:
        assert self._ends is not None
        self._ends.began(stage, attempt)

    def stop_heard(self, stage: int, attempt: int) -> None:
        assert self._ends is not None
        self._ends.stop_heard(stage, attempt)

    def stage_ended(self, stage: int, attempt: int, receipt: Receipt) -> None:
        """Tell the run when its children have ended, too."""
        if self._attempts.get(stage) != attempt:
            return
        assert self._ends is not None
        del self._attempts[stage]
        told = partial(self._ends.stage_ended, stage, attempt, receipt)
        self._family.leave(self._execution(stage, attempt), told)

    def _execution(self, stage: int, attempt: int) -> Execution:
        return self._run, stage, attempt
