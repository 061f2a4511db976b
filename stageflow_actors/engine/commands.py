"""Commands: what has to be done next. Performed by a runtime, in the order given."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from stageflow_actors.engine.facts import Timer
from stageflow_actors.model.results import RunStatus


@dataclass(slots=True)
class StartStage:
    """Run the body of a stage; report its end with ``StageEnded``.

    ``feedback`` is the guard whose rejection it is to be told of, and how many there were.
    ``is_alone``: its process is to work on nothing else meanwhile, for it may die of it.
    """

    stage: int
    attempt: int
    feedback: tuple[int, int] | None = None
    is_alone: bool = False


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
class KillStage:
    """It has not stopped: end its process, or give it up where that is not possible.

    Its end is still reported, with ``Ending.LOST``.
    """

    stage: int
    attempt: int


@dataclass(slots=True)
class FallBack:
    """The output of a stage that failed is the one declared for that."""

    stage: int
    at: float


@dataclass(slots=True)
class ForgetStage:
    """The output of a stage was rejected: it runs again."""

    stage: int


@dataclass(slots=True)
class ArmTimer:
    """Report ``TimerFired`` after so many seconds, unless disarmed."""

    timer: Timer
    seconds: float


@dataclass(slots=True)
class DisarmTimer:
    """A timer, fired or not, is of no interest any more."""

    timer: Timer


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


Command = (
    StartStage
    | SkipStage
    | InterruptStage
    | KillStage
    | FallBack
    | ForgetStage
    | ArmTimer
    | DisarmTimer
    | EmitEvent
    | EndRun
)
