"""The parts that the story of a run consists of. Times are seconds since the Unix epoch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Any


class Outcome(StrEnum):
    """What became of an attempt, or of a stage that had none."""

    OPEN = "open"
    """It goes on, or the story ends before it does."""
    COMPLETED = "completed"
    SKIPPED = "skipped"
    CANCELLED = "cancelled"
    FAILED = "failed"
    RETRIED = "retried"
    """It failed, and another attempt was to follow."""
    REJECTED = "rejected"
    """It was a guard that had its producer repeat its work."""
    LOST = "lost"
    """Its run was lost: nobody knows how far it got."""

    @property
    def is_failure(self) -> bool:
        """Whether the attempt did not do its work."""
        return self in _FAILURES


_FAILURES = frozenset({Outcome.FAILED, Outcome.RETRIED, Outcome.LOST})


_NOTHING: Mapping[str, Any] = MappingProxyType({})


@dataclass(slots=True)
class ProviderCall:
    """A call of a provider that an attempt told of; ``attributes`` are those of its record, and
    ``contents`` what was said, where spans may say so.

    ``ended_at`` is when it was told, ``started_at`` the latency before that.
    """

    stage: str
    attempt: int
    started_at: float
    ended_at: float
    attributes: Mapping[str, Any]
    contents: Mapping[str, Any] = field(default_factory=dict)


@dataclass(slots=True)
class Note:
    """Any other event of a run; that of a stage is among the notes of the attempt that was open."""

    type: str
    at: float
    stage: str | None
    attempt: int | None
    data: Mapping[str, Any]


@dataclass(slots=True)
class Attempt:
    """One execution of a stage, or a stage that was passed by, whose ``number`` is 0 then.

    ``started_at``: the runtime had it begin. Then it waits for its process, and from ``began_at``
    to ``ended_at`` its body works. ``closed_at``: the runtime knew. ``data`` is what the event of
    its end says.
    """

    stage: str
    number: int
    started_at: float
    dependencies: tuple[str, ...] = ()
    after: tuple[str, ...] = ()
    began_at: float | None = None
    ended_at: float | None = None
    closed_at: float | None = None
    outcome: Outcome = Outcome.OPEN
    data: Mapping[str, Any] = field(default_factory=lambda: _NOTHING)
    calls: list[ProviderCall] | tuple[()] = ()
    notes: list[Note] | tuple[()] = ()

    def add_call(self, call: ProviderCall) -> None:
        """One more, after the others. Most attempts have none, and no list for them."""
        if isinstance(self.calls, list):
            self.calls.append(call)
        else:
            self.calls = [call]

    def add_note(self, note: Note) -> None:
        """The same."""
        if isinstance(self.notes, list):
            self.notes.append(note)
        else:
            self.notes = [note]

    @property
    def waited_s(self) -> float:
        """How long it waited for its process."""
        began_at = self.closed_at if self.began_at is None else self.began_at
        return 0.0 if began_at is None else max(0.0, began_at - self.started_at)

    @property
    def worked_s(self) -> float:
        """How long its body worked."""
        if self.began_at is None or self.ended_at is None:
            return 0.0
        return max(0.0, self.ended_at - self.began_at)


@dataclass(slots=True)
class Child:
    """A run that a stage has spawned. ``status`` is that of its end, once it has ended."""

    run_id: str
    pipeline: str
    stage: str
    attempt: int
    spawned_at: float
    ended_at: float | None = None
    status: str | None = None
