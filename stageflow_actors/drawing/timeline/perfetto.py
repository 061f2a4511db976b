"""A run as a trace that Perfetto reads: the JSON format of Chrome's trace events."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from itertools import count
from typing import Any, TypeAlias

from stageflow_actors.drawing.labels import shown
from stageflow_actors.drawing.timeline.lanes import lanes_of
from stageflow_actors.model.events import RUN_LABELS
from stageflow_actors.story.critical_path import critical_path
from stageflow_actors.story.parts import Attempt, Child, Outcome, ProviderCall
from stageflow_actors.story.spans import Window, span_of, window_of
from stageflow_actors.story.story import RunStory

TraceEvent: TypeAlias = dict[str, Any]

_LONGEST_TEXT = 500
_RUN, _PATH, _FIRST_STAGE = 0, 1, 2
"""Threads of every process."""
_MOST_RUNS = 10_000

_SAID_ELSEWHERE = RUN_LABELS | {"seq", "timestamp", "stage"}


def to_perfetto(story: RunStory, others: Mapping[str, RunStory] | None = None) -> str:
    """The run as one JSON document in ASCII.

    Each run is a process and each stage a thread of it; child runs are processes of their own, to
    which an arrow leads from the stage that spawned them. Times are in microseconds since the
    outermost run began.
    """
    window = window_of(story)
    trace = _Trace(window.began_at, others or {})
    events = trace.of(story)
    told = {"run_id": _plain(story.run_id), "began_at_s": window.began_at}
    document = {"traceEvents": events, "displayTimeUnit": "ms", "otherData": told}
    return json.dumps(document, allow_nan=False, separators=(",", ":")) + "\n"


class _Trace:
    def __init__(self, zero: float, others: Mapping[str, RunStory]) -> None:
        self._zero = zero
        self._others = others

    def of(self, story: RunStory) -> list[TraceEvent]:
        """All events of a run and of the runs below it, each once."""
        events: list[TraceEvent] = []
        pids = {story.run_id: 1}
        waiting, arrows = [story], count(1)
        while waiting:
            current = waiting.pop()
            process = _Process(current, pids[current.run_id], self._zero)
            events += process.events()
            for child in current.children.values():
                below = self._others.get(child.run_id)
                if below is None or child.run_id in pids or len(pids) >= _MOST_RUNS:
                    continue
                pids[child.run_id] = len(pids) + 1
                waiting.append(below)
                start = window_of(below).began_at
                arrow = process.arrow(next(arrows), child)
                events.append(arrow)
                events.append(
                    {
                        **arrow,
                        "ph": "f",
                        "bp": "e",
                        "pid": pids[child.run_id],
                        "tid": _RUN,
                        "ts": max(arrow["ts"], _micros(start - self._zero)),
                    }
                )
        return events


class _Process:
    """One run."""

    def __init__(self, story: RunStory, pid: int, zero: float) -> None:
        self._story = story
        self._pid = pid
        self._zero = zero
        self._window: Window = window_of(story)
        self._threads: dict[str, int] = {}
        for attempt in story.attempts:
            self._threads.setdefault(attempt.stage, _FIRST_STAGE + len(self._threads))
        self._next_thread = _FIRST_STAGE + len(self._threads)

    def events(self) -> Iterator[TraceEvent]:
        story = self._story
        yield from self._named(story)
        status = story.status or "has not ended"
        told = {"run_id": story.run_id, "status": status, "reason": story.reason}
        start, end = self._window
        yield self._slice(f"{story.pipeline or 'run'}: {status}", "run", _RUN, start, end, told)
        for piece in critical_path(story):
            name = f"{piece.stage or 'run'}, {piece.kind}"
            times = piece.started_at, piece.ended_at
            yield self._slice(name, "critical path", _PATH, *times, {"attempt": piece.attempt})
        calls: dict[str, list[ProviderCall]] = {}
        for attempt in story.attempts:
            calls.setdefault(attempt.stage, []).extend(attempt.calls)
            yield from self._attempt(attempt)
        for stage, these in calls.items():
            yield from self._calls(stage, these)
        for note in story.notes:
            tid = self._threads.get(note.stage or "", _RUN)
            yield self._instant(note.type, tid, note.at, note.data)

    def arrow(self, number: int, child: Child) -> TraceEvent:
        """Where the arrow to a child run begins: within what its stage did then."""
        tid, at = self._threads.get(child.stage, _RUN), child.spawned_at
        for attempt in self._story.attempts:
            if (attempt.stage, attempt.number) == (child.stage, child.attempt):
                span = span_of(attempt, self._window)
                at = min(max(at, span.began_at), span.ended_at)
        event = {"name": "spawns", "cat": "child", "ph": "s", "id": number}
        return {**event, "pid": self._pid, "tid": tid, "ts": self._micros(at)}

    def _named(self, story: RunStory) -> Iterator[TraceEvent]:
        name = f"{story.pipeline or 'run'} {story.run_id}"
        yield self._metadata("process_name", _RUN, {"name": _plain(name)})
        yield self._metadata("process_sort_index", _RUN, {"sort_index": self._pid})
        for thread, tid in {"run": _RUN, "critical path": _PATH}.items():
            yield from self._thread(thread, tid)
        for stage, tid in self._threads.items():
            yield from self._thread(stage, tid)

    def _thread(self, name: str, tid: int) -> Iterator[TraceEvent]:
        yield self._metadata("thread_name", tid, {"name": _plain(name)})
        yield self._metadata("thread_sort_index", tid, {"sort_index": tid})

    def _attempt(self, attempt: Attempt) -> Iterator[TraceEvent]:
        tid = self._threads[attempt.stage]
        if not attempt.number:
            yield self._instant("skipped", tid, attempt.started_at, attempt.data)
            return
        span = span_of(attempt, self._window)
        if span.began_at > span.started_at:
            told: dict[str, Any] = {"attempt": attempt.number}
            yield self._slice("waiting", "waiting", tid, span.started_at, span.began_at, told)
        name = f"{attempt.stage} {attempt.number}" if attempt.number > 1 else attempt.stage
        told = {"attempt": attempt.number, "outcome": attempt.outcome.value}
        told.update(_only(attempt.data, ("status", "error", "error_type", "code", "reason")))
        kind = attempt.outcome.value
        yield self._slice(name, kind, tid, span.began_at, span.ended_at, told)
        if attempt.outcome not in (Outcome.COMPLETED, Outcome.OPEN):
            yield self._instant(kind, tid, span.closed_at, attempt.data)

    def _calls(self, stage: str, calls: Sequence[ProviderCall]) -> Iterator[TraceEvent]:
        """On threads of their own, as calls of one stage may overlap."""
        inside = self._window.inside
        times = [(inside(min(c.started_at, c.ended_at)), inside(c.ended_at)) for c in calls]
        lanes = lanes_of(times)
        first = self._next_thread
        self._next_thread += max(lanes, default=-1) + 1
        for lane in range(max(lanes, default=-1) + 1):
            yield from self._thread(f"{stage}: provider calls", first + lane)
        for call, (start, end), lane in zip(calls, times, lanes, strict=True):
            name = str(call.attributes.get("gen_ai.operation.name") or "provider call")
            told = {"attempt": call.attempt, **call.attributes}
            yield self._slice(name, "provider call", first + lane, start, end, told)

    def _slice(
        self, name: str, cat: str, tid: int, start: float, end: float, args: Mapping[str, Any]
    ) -> TraceEvent:
        ts = self._micros(start)
        return {
            **self._event("X", name, cat, tid, args),
            "ts": ts,
            "dur": round(max(0.0, self._micros(end) - ts), 3),
        }

    def _instant(self, name: str, tid: int, at: float, data: Mapping[str, Any]) -> TraceEvent:
        args = {key: value for key, value in data.items() if key not in _SAID_ELSEWHERE}
        event = self._event("i", name, "event", tid, args)
        return {**event, "s": "t", "ts": self._micros(at)}

    def _metadata(self, name: str, tid: int, args: Mapping[str, Any]) -> TraceEvent:
        return {"ph": "M", "name": name, "pid": self._pid, "tid": tid, "args": dict(args)}

    def _event(
        self, phase: str, name: str, cat: str, tid: int, args: Mapping[str, Any]
    ) -> TraceEvent:
        told = {_plain(key): _argument(value) for key, value in args.items() if value is not None}
        event = {"ph": phase, "name": _plain(name), "cat": cat, "pid": self._pid, "tid": tid}
        return {**event, "args": told}

    def _micros(self, at: float) -> float:
        return _micros(self._window.inside(at) - self._zero)


def _micros(seconds: float) -> float:
    return round(max(0.0, seconds) * 1e6, 3)


def _only(data: Mapping[str, Any], names: Sequence[str]) -> dict[str, Any]:
    return {name: data[name] for name in names if name in data}


def _argument(value: Any) -> Any:
    """What any reader of JSON takes."""
    if isinstance(value, bool | int) and abs(value) < 2**53:
        return value
    if isinstance(value, float) and abs(value) < float("inf"):
        return value
    return _plain(value if isinstance(value, str) else json.dumps(value, default=repr))


def _plain(text: str) -> str:
    """Without control characters and surrogates that stand alone, and not too long."""
    clean = shown(text[:_LONGEST_TEXT])
    return clean if len(text) <= _LONGEST_TEXT else f"{clean}\N{HORIZONTAL ELLIPSIS}"
