"""Runs told by events, written briefly."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, NamedTuple

from hypothesis import strategies as st

from stageflow_actors.story.story import RunStory, stories_of

ZERO = 1_700_000_000.0
RUN = "01a20000-0000-7000-8000-000000000001"


class Told(NamedTuple):
    type: str
    data: dict[str, Any]


class Script:
    """Events of one run; moments are seconds since ``ZERO``."""

    def __init__(self, run_id=RUN, pipeline="p", **labels):
        self.run_id = run_id
        self.events = []
        self._labels = {"pipeline_run_id": run_id, "topology": pipeline, **labels}
        self._seq = 0

    def tell(self, type_, at, **data):
        self._seq += 1
        timestamp = datetime.fromtimestamp(ZERO + at, UTC).isoformat()
        known = {**data, **self._labels, "seq": self._seq, "timestamp": timestamp}
        self.events.append(Told(type_, known))
        return self

    def begin(self, at=0.0):
        return self.tell("pipeline.created", at).tell("pipeline.started", at)

    def end(self, at, status="ok", **data):
        word = {"ok": "completed", "cancelled": "cancelled"}.get(status, "failed")
        return self.tell(f"pipeline.{word}", at, status=status, **data)

    def start(self, stage, at, attempt=1, **wiring):
        return self.tell(f"stage.{stage}.started", at, stage=stage, attempt=attempt, **wiring)

    def close(self, stage, at, how="completed", body=None, attempt=1, **data):
        """``body`` is when it began and ended."""
        if body is not None:
            data |= {"began_at": ZERO + body[0], "ended_at": ZERO + body[1]}
        data = {"status": "ok", **data}
        type_ = "stage.error" if how == "error" else f"stage.{stage}.{how}"
        return self.tell(type_, at, stage=stage, attempt=attempt, **data)

    def ran(self, stage, start, end, attempt=1, **wiring):
        """Started, and completed, with a body all the time."""
        self.start(stage, start, attempt, **wiring)
        return self.close(stage, end, body=(start, end), attempt=attempt)

    @property
    def story(self) -> RunStory:
        return stories_of(self.events)[self.run_id]


def chain():
    """a from 0 to 2, b from 2 to 5 after waiting for its process until 3, told at 6."""
    script = Script().begin().ran("a", 0, 2).start("b", 2, dependencies=["a"])
    return script.close("b", 6, body=(3, 5)).end(6)


@st.composite
def scripts(draw):
    """Any events at all, in any order and with clocks that go where they like."""
    script = Script(pipeline=draw(st.text(max_size=5)))
    moments = st.floats(-20, 20, allow_nan=False)
    bodies = st.none() | st.tuples(moments, moments)
    stages = st.sampled_from(["a", "b", "c", "\x1b[31md\ud800"])
    if draw(st.booleans()):
        script.begin(draw(moments))
    for _ in range(draw(st.integers(0, 12))):
        stage, at, attempt = draw(stages), draw(moments), draw(st.integers(1, 3))
        named = draw(st.lists(stages, max_size=2))
        wiring = {"dependencies": named} if named else {}
        match draw(st.integers(0, 6)):
            case 0 | 1:
                script.start(stage, at, attempt, **wiring)
            case 2:
                how = draw(st.sampled_from(["completed", "skipped", "cancelled", "failed"]))
                script.close(stage, at, how, draw(bodies), attempt)
            case 3:
                action = draw(st.sampled_from(["retry", "guard_retry", "fail"]))
                script.close(stage, at, "error", draw(bodies), attempt, action_taken=action)
            case 4:
                late = draw(st.floats(0, 1e5))
                attributes = {"gen_ai.operation.name": draw(st.text(max_size=3))}
                script.tell(
                    "provider.call", at, stage=stage, latency_ms=late, attributes=attributes
                )
            case 5:
                ids = {"child_run_id": "child", "parent_stage_id": stage, "pipeline_name": "q"}
                script.tell("pipeline.spawned_child", at, stage=stage, attempt=attempt, **ids)
            case 6:
                script.tell("pipeline.route", at, stage=stage, selected_route=draw(st.text()))
    if draw(st.booleans()):
        status = draw(st.sampled_from(["ok", "failed", "timed_out", "cancelled"]))
        deciding = draw(st.sampled_from([None, "<run>", "a", "b"]))
        script.end(draw(moments), status, deciding_stage=deciding, reason="why")
    return script
