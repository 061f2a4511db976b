"""Commands: what has to be done next. Performed by a runtime, in the order given."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from stageflow_actors.model.results import RunStatus


@dataclass(slots=True)
class StartStage:
    """Run the body of a stage; report its end with ``StageEnded``."""

    stage: int
    attempt: int


@dataclass(slots=True)
class SkipStage:
    """Do not run the body of a stage: its output is a skip with this reason."""

    stage: int
    reason: str
    at: float


@dataclass(slots=True)
class InterruptStage:
    """Tell a running body to stop; it still has to report its end."""

    stage: int
    attempt: int
    reason: str


@dataclass(slots=True)
class ArmTimer:
    """Report ``StageTimerFired`` after so many seconds, unless disarmed."""

    stage: int
    attempt: int
    seconds: float


@dataclass(slots=True)
class DisarmTimer:
    """The stage has ended; its timer is of no interest any more."""

    stage: int
    attempt: int


@dataclass(slots=True)
class EmitEvent:
    """Publish an event; ``stage`` and ``attempt`` are ``None`` for events of the whole run."""

    type: str
    at: float
    stage: int | None = None
    attempt: int | None = None
    data: Mapping[str, Any] = field(default_factory=dict)


@dataclass(slots=True)
class EndRun:
    """The verdict. Every body has ended; nothing follows."""

    status: RunStatus
    stage: str | None
    reason: str | None


Command = StartStage | SkipStage | InterruptStage | ArmTimer | DisarmTimer | EmitEvent | EndRun
