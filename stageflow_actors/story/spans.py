"""When things were, as pictures need it: inside the run, and in order, whatever the clocks said."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from stageflow_actors.story.parts import Attempt
from stageflow_actors.story.story import RunStory


class Window(NamedTuple):
    """From the beginning of a run to its end, or to the last that is known of it."""

    began_at: float
    ended_at: float

    @property
    def seconds(self) -> float:
        """How long that is; never negative."""
        return self.ended_at - self.began_at

    def inside(self, at: float) -> float:
        """``at``, or the nearest moment of the run."""
        return min(max(at, self.began_at), self.ended_at)


class Span(NamedTuple):
    """The four moments of an attempt; none is before the one that it follows.

    It waits for its process from ``started_at`` to ``began_at``, works to ``ended_at``, and at
    ``closed_at`` the runtime knows.
    """

    started_at: float
    began_at: float
    ended_at: float
    closed_at: float


def window_of(story: RunStory) -> Window:
    """The time that the picture of a run is about."""
    known = list(_moments(story))
    began_at = story.created_at if story.created_at is not None else story.started_at
    if began_at is None:
        began_at = min(known, default=story.ended_at or 0.0)
    ended_at = story.ended_at if story.ended_at is not None else max(known, default=began_at)
    return Window(began_at, max(began_at, ended_at))


def span_of(attempt: Attempt, window: Window) -> Span:
    """The moments of ``attempt``, as far as they are told.

    Where the times of the body are not told, it worked for as long as the event of its end says,
    or all the time. A process that went ahead of the run began before the runtime knew.
    """
    closed_at = window.ended_at if attempt.closed_at is None else attempt.closed_at
    closed_at = window.inside(max(closed_at, attempt.started_at))
    began_at, ended_at = attempt.began_at, attempt.ended_at
    if began_at is None or ended_at is None:
        began_at, ended_at = _guessed(attempt, closed_at), closed_at
    ended_at = min(window.inside(ended_at), closed_at)
    began_at = min(window.inside(began_at), ended_at)
    return Span(min(window.inside(attempt.started_at), began_at), began_at, ended_at, closed_at)


def _guessed(attempt: Attempt, closed_at: float) -> float:
    duration_ms = attempt.data.get("duration_ms")
    if not isinstance(duration_ms, int | float):
        return attempt.started_at
    return max(attempt.started_at, closed_at - duration_ms / 1000)


def _moments(story: RunStory) -> Iterator[float]:
    """Everything that is known of the run, besides its own beginning and end."""
    if story.started_at is not None:
        yield story.started_at
    for attempt in story.attempts:
        yield attempt.started_at
        if attempt.closed_at is not None:
            yield attempt.closed_at
    for child in story.children.values():
        yield child.spawned_at
        if child.ended_at is not None:
            yield child.ended_at
    for note in story.notes:
        yield note.at
