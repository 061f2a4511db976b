"""``Chart``: what a timeline shows, before anybody decides how it looks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from stageflow_actors.drawing.labels import shown
from stageflow_actors.drawing.timeline.ticks import duration
from stageflow_actors.story.critical_path import (
    Segment,
    critical_path,
    decided_by,
    shares_of,
)
from stageflow_actors.story.parts import Attempt, Child, Outcome, ProviderCall
from stageflow_actors.story.spans import Window, span_of, window_of
from stageflow_actors.story.story import RunStory

MOST_LEVELS = 16
"""Child runs further below are not drawn."""

_OUTCOME_OF_RUN = (("ok", Outcome.COMPLETED), ("cancelled", Outcome.CANCELLED))
_CALL_NAMES = ("operation.name", "provider.name", "request.model")
_WORDS = MappingProxyType(
    {
        Outcome.OPEN: "goes on",
        Outcome.COMPLETED: "ok",
        Outcome.SKIPPED: "skipped",
        Outcome.CANCELLED: "stopped",
        Outcome.FAILED: "failed",
        Outcome.RETRIED: "failed, was executed again",
        Outcome.REJECTED: "rejected",
        Outcome.LOST: "lost",
    }
)


class BarKind(StrEnum):
    """What a stage did for a while."""

    WAITING = "waiting"
    WORKING = "working"
    RETRYING = "retrying"
    """It waited to be executed again."""
    RUN = "run"
    """All of a child run."""


@dataclass(frozen=True, slots=True)
class Bar:
    """A piece of time, in seconds since the run began; ``tip`` says in words what it is."""

    kind: BarKind
    started_s: float
    ended_s: float
    outcome: Outcome
    tip: str


@dataclass(frozen=True, slots=True)
class Row:
    """One stage, or one child run. ``depth`` counts the runs and stages that it is below.

    ``part`` is its share of the critical path of the whole run, ``note`` what there is to say.
    """

    name: str
    depth: int = 0
    is_run: bool = False
    bars: tuple[Bar, ...] = ()
    calls: tuple[Bar, ...] = ()
    outcome: Outcome | None = None
    worked_s: float = 0.0
    part: float | None = None
    note: str = ""

    @property
    def started_s(self) -> float | None:
        """When its first bar begins."""
        return self.bars[0].started_s if self.bars else None


@dataclass(frozen=True, slots=True)
class Chart:
    """A run: rows in the order in which they began, and what its time was spent on.

    ``path`` has its moments in seconds since the run began; ``status`` is ``None`` while it goes
    on, and ``decided_by`` the stage that kept it from ending well.
    """

    title: str
    run_id: str
    status: str | None
    reason: str
    seconds: float
    rows: tuple[Row, ...]
    path: tuple[Segment, ...]
    decided_by: str | None


def chart_of(
    story: RunStory,
    others: Mapping[str, RunStory] | None = None,
    *,
    stages: Sequence[str] = (),
) -> Chart:
    """What to draw of ``story``, with its child runs as far as ``others`` tells of them.

    Where ``stages`` is given, rows stand in that order, and those that did not start have one.
    """
    window = window_of(story)
    path = critical_path(story)
    parts = {share.stage: share.part for share in shares_of(path) if share.stage is not None}
    rows = _Rows(window, others or {}).of_run(story, stages=stages, parts=parts)
    return Chart(
        story.pipeline,
        story.run_id,
        story.status,
        str(story.reason or ""),
        window.seconds,
        tuple(rows),
        tuple(_since(window, piece) for piece in path),
        decided_by(story, path),
    )


def outcome_of_run(status: str | None) -> Outcome:
    """What a run came to, in the words of attempts."""
    if status is None:
        return Outcome.OPEN
    return dict(_OUTCOME_OF_RUN).get(status, Outcome.FAILED)


def _since(window: Window, piece: Segment) -> Segment:
    start, end = piece.started_at - window.began_at, piece.ended_at - window.began_at
    return Segment(piece.kind, piece.stage, piece.attempt, start, end)


class _Rows:
    """Makes the rows of one picture, whose time is that of its outermost run."""

    def __init__(self, window: Window, others: Mapping[str, RunStory]) -> None:
        self._window = window
        self._others = others

    def of_run(
        self,
        story: RunStory,
        depth: int = 0,
        stages: Sequence[str] = (),
        parts: Mapping[str, float] | None = None,
    ) -> Iterator[Row]:
        attempts: dict[str, list[Attempt]] = {name: [] for name in stages}
        for attempt in story.attempts:
            attempts.setdefault(attempt.stage, []).append(attempt)
        children: dict[str, list[Child]] = {}
        for child in story.children.values():
            children.setdefault(child.stage, []).append(child)
        routes = _routes_of(story)
        for name, these in attempts.items():
            part = (parts or {}).get(name)
            yield self._row(name, these, depth, part, routes.get(name, ""))
            for child in children.pop(name, ()) if depth < MOST_LEVELS else ():
                yield from self._of_child(child, depth + 1)

    def _of_child(self, child: Child, depth: int) -> Iterator[Row]:
        story = self._others.get(child.run_id)
        status = child.status if story is None else story.status or child.status
        status = None if status is None else str(status)
        start, end = child.spawned_at, child.ended_at
        if story is not None:
            window = window_of(story)
            start, end = window.began_at, window.ended_at
        started_s = self._since(start)
        ended_s = self._window.seconds if end is None else max(started_s, self._since(end))
        outcome = outcome_of_run(status)
        tip = f"run {child.run_id}, {status or 'goes on'}: {duration(ended_s - started_s)}"
        bar = Bar(BarKind.RUN, started_s, ended_s, outcome, tip)
        note = "" if status in ("ok", None) else str(status).replace("_", " ")
        yield Row(child.pipeline, depth, True, (bar,), (), outcome, ended_s - started_s, None, note)
        if story is not None:
            yield from self.of_run(story, depth + 1)

    def _row(
        self,
        name: str,
        attempts: Sequence[Attempt],
        depth: int,
        part: float | None,
        route: str,
    ) -> Row:
        ran = [attempt for attempt in attempts if attempt.number]
        last = attempts[-1] if attempts else None
        if not ran:
            note = "not started" if last is None else "skipped"
            return Row(name, depth, outcome=None if last is None else last.outcome, note=note)
        bars, worked_s = list(self._bars(ran)), 0.0
        for bar in bars:
            worked_s += bar.ended_s - bar.started_s if bar.kind is BarKind.WORKING else 0.0
        calls = tuple(self._call(call) for attempt in ran for call in attempt.calls)
        note = _note_of(ran, route)
        outcome = last.outcome if last is not None else None
        return Row(name, depth, False, tuple(bars), calls, outcome, worked_s, part, note)

    def _bars(self, attempts: Sequence[Attempt]) -> Iterator[Bar]:
        for index, attempt in enumerate(attempts):
            start, began, ended = self._span(attempt)
            outcome = attempt.outcome
            if began > start:
                tip = f"waited {duration(began - start)} for its process"
                yield Bar(BarKind.WAITING, start, began, outcome, tip)
            yield Bar(BarKind.WORKING, began, ended, outcome, _tip_of(attempt, ended - began))
            if outcome is Outcome.RETRIED:
                later = attempts[index + 1 : index + 2]
                until = self._span(later[0])[0] if later else self._window.seconds
                closed = self._since(attempt.closed_at or self._window.ended_at)
                tip = f"waited {duration(until - closed)} to be executed again"
                yield Bar(BarKind.RETRYING, min(closed, until), until, outcome, tip)

    def _span(self, attempt: Attempt) -> tuple[float, float, float]:
        span = span_of(attempt, self._window)
        zero = self._window.began_at
        return span.started_at - zero, span.began_at - zero, span.ended_at - zero

    def _since(self, at: float) -> float:
        return self._window.inside(at) - self._window.began_at

    def _call(self, call: ProviderCall) -> Bar:
        start, end = self._since(call.started_at), self._since(call.ended_at)
        names = (call.attributes.get(f"gen_ai.{name}") for name in _CALL_NAMES)
        told = " ".join(shown(str(name)) for name in names if name)
        tip = f"{told or 'provider call'}: {duration(max(0.0, end - start))}"
        return Bar(BarKind.WORKING, min(start, end), end, Outcome.COMPLETED, tip)


def _routes_of(story: RunStory) -> dict[str, str]:
    return {
        note.stage: str(note.data.get("selected_route", ""))
        for note in story.notes
        if note.type == "pipeline.route" and note.stage is not None
    }


def _note_of(attempts: Sequence[Attempt], route: str) -> str:
    """What there is to say of a stage that ran, in a few words."""
    last, parts = attempts[-1], []
    if route:
        parts.append(f"\N{RIGHTWARDS ARROW} {route}")
    if len(attempts) > 1:
        parts.append(f"{len(attempts)} attempts")
    if last.outcome is not Outcome.COMPLETED:
        timed_out = last.data.get("status") == "timed_out"
        parts.append("timed out" if timed_out else _WORDS[last.outcome])
    return ", ".join(parts)


def _tip_of(attempt: Attempt, worked_s: float) -> str:
    data = attempt.data
    why = data.get("error") or data.get("reason") or ""
    code = f" [{data.get('code')}]" if data.get("code") else ""
    return (
        f"attempt {attempt.number}, {_WORDS[attempt.outcome]}: {duration(worked_s)}"
        f"{': ' if why else ''}{why}{code}"
    )
