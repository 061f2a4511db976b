"""Facts: what has happened. The only way anything reaches the engine.

``at`` is the time of the fact in seconds since the Unix epoch, taken by whoever saw it happen.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class Ending(StrEnum):
    """How one execution of a stage ended."""

    OK = "ok"
    SKIP = "skip"
    CANCEL = "cancel"
    """The stage itself asked to stop the run."""
    FAIL = "fail"
    INTERRUPTED = "interrupted"
    """The stage stopped because it was told to."""


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
