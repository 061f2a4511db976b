"""Facts: what has happened. The only way anything reaches the engine.

``at`` is the time of the fact in seconds since the Unix epoch, taken by whoever saw it happen.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, NamedTuple


class Ending(StrEnum):
    """How one execution of a stage ended."""

    OK = "ok"
    SKIP = "skip"
    CANCEL = "cancel"
    """The stage itself asked to stop the run."""
    FAIL = "fail"
    INTERRUPTED = "interrupted"
    """The stage stopped because it was told to."""


class Signal(NamedTuple):
    """What a stage that ended ok tells the stages that wait for it, beside its data.

    ``skip_reason`` is why conditional ones should be skipped, if they should. ``route`` is the one
    it has taken, if it decided on a route, and ``routing`` what the event says about that.
    """

    skip_reason: str = ""
    route: str | None = None
    routing: Mapping[str, Any] | None = None


@dataclass(slots=True)
class RunAccepted:
    """A run was asked for."""

    at: float


@dataclass(slots=True)
class StageEnded:
    """The body of a stage has ended. ``detail`` goes into the event as it is."""

    stage: int
    attempt: int
    ending: Ending
    at: float
    reason: str = ""
    detail: Mapping[str, Any] = field(default_factory=dict)
    signal: Signal | None = None


@dataclass(slots=True)
class StageTimerFired:
    """A stage has used up its time."""

    stage: int
    attempt: int
    at: float


@dataclass(slots=True)
class CancelRequested:
    """Somebody outside asked to stop the run."""

    reason: str
    at: float


Fact = RunAccepted | StageEnded | StageTimerFired | CancelRequested
