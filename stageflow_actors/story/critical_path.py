"""What the time of a run was spent on: the chain of attempts that its end waited for."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from stageflow_actors.story.parts import Attempt, Outcome
from stageflow_actors.story.spans import Span, Window, span_of, window_of
from stageflow_actors.story.story import RunStory


class Spent(StrEnum):
    """What a piece of time went to."""

    WAITING = "waiting"
    """The attempt waited for its process."""
    WORKING = "working"
    RETRYING = "retrying"
    """The stage waited to be executed again."""
    RUNTIME = "runtime"
    """Between them: messages, decisions, the beginning and the end of the run."""


@dataclass(frozen=True, slots=True)
class Segment:
    """A piece of the run, in seconds since the Unix epoch; without a stage, it is the run's own."""

    kind: Spent
    stage: str | None
    attempt: int | None
    started_at: float
    ended_at: float

    @property
    def seconds(self) -> float:
        """How long it took."""
        return self.ended_at - self.started_at


@dataclass(frozen=True, slots=True)
class Share:
    """What one stage took of the run's time, or the run itself where ``stage`` is ``None``.

    ``part`` is from 0 to 1; ``by_kind`` has the seconds for each kind that there was.
    """

    stage: str | None
    seconds: float
    part: float
    by_kind: dict[Spent, float]


def critical_path(story: RunStory) -> tuple[Segment, ...]:
    """The run's time from its beginning to its end, piece by piece without a gap.

    Each attempt in it is the one whose end let the next begin. Of a run that goes on, the last one
    is the attempt that has gone on for longest.
    """
    window = window_of(story)
    walk = _Walk(story, window)
    return tuple(piece for piece in reversed(list(walk.pieces())) if piece.seconds > 0)


def shares_of(path: Iterable[Segment]) -> list[Share]:
    """Who spent the time, the largest share first."""
    spent: dict[str | None, dict[Spent, float]] = {}
    for piece in path:
        kinds = spent.setdefault(piece.stage, {})
        kinds[piece.kind] = kinds.get(piece.kind, 0.0) + piece.seconds
    seconds = {stage: sum(kinds.values()) for stage, kinds in spent.items()}
    total = sum(seconds.values())
    shares = [
        Share(stage, seconds[stage], seconds[stage] / total, kinds)
        for stage, kinds in spent.items()
    ]
    return sorted(shares, key=lambda share: -share.seconds)


def decided_by(story: RunStory, path: Sequence[Segment]) -> str | None:
    """The stage that decided how the run ended; of a run whose own time was up, the one that it
    waited for then. ``None``: none did.
    """
    if story.deciding_stage is None or story.status == "ok":
        return None
    if any(attempt.stage == story.deciding_stage for attempt in story.attempts):
        return story.deciding_stage
    return next((piece.stage for piece in reversed(path) if piece.stage is not None), None)


class _Walk:
    """From the end of a run back to its beginning."""

    def __init__(self, story: RunStory, window: Window) -> None:
        self._story = story
        self._window = window
        self._cursor = window.ended_at
        self._spans = [span_of(attempt, window) for attempt in story.attempts]
        by_end = sorted(range(len(self._spans)), key=lambda n: self._spans[n].ended_at)
        self._all = _Ends(self._spans, by_end)
        self._of_stage = {
            stage: _Ends(self._spans, numbers) for stage, numbers in self._by_stage(by_end).items()
        }
        self._rejections = _Ends(self._spans, [n for n in by_end if self._is_rejection(n)])
        self._releases = {a.closed_at: n for n, a in enumerate(story.attempts) if a.number}
        self._is_wired = any(each.dependencies or each.after for each in story.attempts)
        self._seen: set[int] = set()

    def pieces(self) -> Iterator[Segment]:
        number = self._last()
        heir = None if number is None else self._heir_of_end(number)
        kind = Spent.RUNTIME if heir is None else Spent.RETRYING
        while number is not None:
            self._seen.add(number)
            attempt, span = self._story.attempts[number], self._spans[number]
            yield self._piece(kind, heir, span.closed_at)
            yield self._piece(Spent.RUNTIME, attempt, span.ended_at)
            yield self._piece(Spent.WORKING, attempt, span.began_at)
            yield self._piece(Spent.WAITING, attempt, span.started_at)
            number, kind = self._before(number)
            heir = attempt
        yield self._piece(Spent.RUNTIME, heir, self._window.began_at)

    def _piece(self, kind: Spent, attempt: Attempt | None, start: float) -> Segment:
        """From ``start`` to where the walk is, which goes there."""
        end, self._cursor = self._cursor, min(self._cursor, start)
        stage, number = (None, None) if attempt is None else (attempt.stage, attempt.number)
        return Segment(kind, stage, number, self._cursor, end)

    def _last(self) -> int | None:
        """The attempt that the end of the run waited for."""
        story, spans = self._story, self._spans
        numbers: list[int] = [n for n, each in enumerate(story.attempts) if each.number]
        if not numbers:
            return None
        going_on = [n for n in numbers if story.attempts[n].outcome is Outcome.OPEN]
        if going_on and not story.has_ended:
            return min(going_on, key=lambda n: spans[n].started_at)
        if story.status != "ok" and story.deciding_stage is not None:
            numbers = self._after_decision(numbers)
        return max(
            numbers, key=lambda n: (spans[n].closed_at, spans[n].ended_at, -spans[n].started_at)
        )

    def _after_decision(self, numbers: list[int]) -> list[int]:
        """Not what was only told to stop: it did not keep the run from ending well."""
        attempts, spans = self._story.attempts, self._spans
        deciding = [n for n in numbers if attempts[n].stage == self._story.deciding_stage]
        if not deciding:
            stopped = [n for n in numbers if attempts[n].data.get("status") == "interrupted"]
            return [min(stopped, key=lambda n: spans[n].started_at)] if stopped else numbers
        decided_at = spans[deciding[-1]].closed_at
        began_later = [n for n in numbers if spans[n].started_at >= decided_at]
        return began_later or deciding[-1:]

    def _heir_of_end(self, last: int) -> Attempt | None:
        attempt = self._story.attempts[last]
        return attempt if attempt.outcome is Outcome.RETRIED else None

    def _before(self, number: int) -> tuple[int | None, Spent]:
        """The attempt whose end let this one begin, and what the time between them is."""
        attempt, span = self._story.attempts[number], self._spans[number]
        at = span.started_at
        if attempt.number > 1:
            former = self._of_stage[attempt.stage].latest(at, {number, *self._seen})
            if former is not None and self._story.attempts[former].outcome is Outcome.RETRIED:
                return former, Spent.RETRYING
        named = (*attempt.dependencies, *attempt.after)
        ends = [self._of_stage[name] for name in named if name in self._of_stage]
        found = [n for n in (each.latest(at, self._seen) for each in ends) if n is not None]
        rejection = self._rejections.latest(at, self._seen) if attempt.number > 1 else None
        if rejection is not None:
            found.append(rejection)
        if not found and not named and (not self._is_wired or not attempt.number):
            return self._all.latest(at, self._seen), Spent.RUNTIME
        if not found:
            return None, Spent.RUNTIME
        best = max(found, key=lambda n: (min(self._spans[n].closed_at, at), self._spans[n]))
        kind = Spent.RETRYING if best == rejection else Spent.RUNTIME
        return self._released(attempt, best), kind

    def _released(self, attempt: Attempt, best: int) -> int:
        """A guard, which is not named, if its end and not that of ``best`` was the moment."""
        known_at = self._story.attempts[best].closed_at
        released = self._releases.get(attempt.started_at)
        is_other = released is not None and released not in self._seen
        if released is not None and is_other and known_at is not None:
            return released if known_at < attempt.started_at else best
        return best

    def _by_stage(self, numbers: Iterable[int]) -> dict[str, list[int]]:
        found: dict[str, list[int]] = {}
        for number in numbers:
            found.setdefault(self._story.attempts[number].stage, []).append(number)
        return found

    def _is_rejection(self, number: int) -> bool:
        return self._story.attempts[number].outcome is Outcome.REJECTED


class _Ends:
    """Some attempts in the order in which their bodies ended."""

    def __init__(self, spans: Sequence[Span], numbers: Sequence[int]) -> None:
        self._numbers = numbers
        self._at = [spans[number].ended_at for number in numbers]

    def latest(self, at: float, but: set[int]) -> int | None:
        """The last that had ended ``at`` that moment, without those of ``but``."""
        place = bisect_right(self._at, at)
        while place and self._numbers[place - 1] in but:
            place -= 1
        return self._numbers[place - 1] if place else None
