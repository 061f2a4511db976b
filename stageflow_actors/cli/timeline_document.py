"""A recorded run as plain data, for programs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from stageflow_actors.drawing.timeline.chart import MOST_LEVELS
from stageflow_actors.story.critical_path import critical_path, decided_by, shares_of
from stageflow_actors.story.parts import Attempt, ProviderCall
from stageflow_actors.story.spans import Window, span_of, window_of
from stageflow_actors.story.story import RunStory


def timeline_document(
    story: RunStory, others: Mapping[str, RunStory], depth: int = 0
) -> dict[str, Any]:
    """All that a timeline shows; times are milliseconds since this run began."""
    window, path = window_of(story), critical_path(story)
    children = []
    for child in story.children.values() if depth < MOST_LEVELS else ():
        below = others.get(child.run_id)
        told = None if below is None else timeline_document(below, others, depth + 1)
        children.append(
            {
                "run_id": child.run_id,
                "pipeline": child.pipeline,
                "stage": child.stage,
                "attempt": child.attempt,
                "spawned_ms": _since(window, child.spawned_at),
                "status": child.status,
                "timeline": told,
            }
        )
    return {
        "run_id": story.run_id,
        "pipeline": story.pipeline,
        "status": story.status,
        "reason": story.reason,
        "deciding_stage": story.deciding_stage,
        "decided_by": decided_by(story, path),
        "began_at": window.began_at,
        "duration_ms": _since(window, window.ended_at),
        "attempts": [_attempt(attempt, window) for attempt in story.attempts],
        "critical_path": [
            {
                "stage": piece.stage,
                "attempt": piece.attempt,
                "kind": piece.kind.value,
                "started_ms": _since(window, piece.started_at),
                "ended_ms": _since(window, piece.ended_at),
            }
            for piece in path
        ],
        "spent": [
            {"stage": share.stage, "ms": round(share.seconds * 1000, 3), "part": share.part}
            for share in shares_of(path)
        ],
        "children": children,
    }


def _attempt(attempt: Attempt, window: Window) -> dict[str, Any]:
    span = span_of(attempt, window)
    return {
        "stage": attempt.stage,
        "attempt": attempt.number,
        "outcome": attempt.outcome.value,
        "started_ms": _since(window, span.started_at),
        "began_ms": _since(window, span.began_at),
        "ended_ms": _since(window, span.ended_at),
        "closed_ms": _since(window, span.closed_at),
        "error": attempt.data.get("error"),
        "code": attempt.data.get("code"),
        "calls": [_call(call, window) for call in attempt.calls],
    }


def _call(call: ProviderCall, window: Window) -> dict[str, Any]:
    return {
        "started_ms": _since(window, window.inside(call.started_at)),
        "ended_ms": _since(window, window.inside(call.ended_at)),
        "attributes": dict(call.attributes),
    }


def _since(window: Window, at: float) -> float:
    return round((at - window.began_at) * 1000, 3)
