"""Why a run stops early, and which reason wins when several come in the same tick."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

from stageflow_actors.model.plan import Plan
from stageflow_actors.model.results import EXTERNAL, RUN, SUPERVISOR, RunStatus


class CauseKind(IntEnum):
    """What stopped a run. The smallest value of a tick wins: the worse news is not hidden."""

    ESCALATION = 1
    """The supervisor gave up, whatever else happened."""
    FAILURE = 2
    TIMEOUT = 3
    DEADLINE = 4
    """The run itself has used up its time."""
    STAGE_CANCEL = 5
    EXTERNAL_CANCEL = 6


_STATUS = {
    CauseKind.ESCALATION: RunStatus.FAILED,
    CauseKind.FAILURE: RunStatus.FAILED,
    CauseKind.TIMEOUT: RunStatus.TIMED_OUT,
    CauseKind.DEADLINE: RunStatus.TIMED_OUT,
    CauseKind.STAGE_CANCEL: RunStatus.CANCELLED,
    CauseKind.EXTERNAL_CANCEL: RunStatus.CANCELLED,
}


@dataclass(slots=True)
class Cause:
    """One reason to stop: its kind, the stage it came from (an index) and its text."""

    kind: CauseKind
    stage: int | None
    reason: str

    @property
    def status(self) -> RunStatus:
        """The status of a run that this cause decided."""
        return _STATUS[self.kind]

    def stage_name(self, plan: Plan) -> str:
        """The stage that decided, ``<run>`` for its own deadline, ``<supervisor>`` for an
        escalation, or ``<external>``.
        """
        if self.kind is CauseKind.ESCALATION:
            return SUPERVISOR
        if self.kind is CauseKind.DEADLINE:
            return RUN
        return EXTERNAL if self.stage is None else plan.stages[self.stage].name


def decisive(causes: Sequence[Cause]) -> Cause:
    """The cause that decides a tick: by kind, then by position in the plan."""
    return min(causes, key=lambda cause: (cause.kind, -1 if cause.stage is None else cause.stage))
