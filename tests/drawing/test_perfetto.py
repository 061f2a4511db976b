"""A run as a trace for Perfetto."""

import json
from itertools import pairwise

import pytest
from hypothesis import given, settings

from stageflow_actors.drawing.timeline.lanes import lanes_of
from stageflow_actors.drawing.timeline.perfetto import to_perfetto
from stageflow_actors.story.story import stories_of
from tests.drawing.test_timeline import HOSTILE, retried, with_child
from tests.story.runs import RUN, Script, chain, scripts


def events_of(stories, run_id=RUN):
    text = to_perfetto(stories[run_id], stories)
    assert text.isascii()
    return json.loads(text)["traceEvents"]


def slices(events, category):
    return [(e["name"], e["ts"], e["dur"]) for e in events if e.get("cat") == category]


def test_waiting_and_working_are_slices_in_microseconds():
    events = events_of({RUN: chain().story})
    assert slices(events, "waiting") == [("waiting", 2e6, pytest.approx(1e6))]
    assert slices(events, "completed") == [("a", 0, 2e6), ("b", pytest.approx(3e6), 2e6)]
    assert slices(events, "run") == [("p: ok", 0, 6e6)]
    path = slices(events, "critical path")
    assert path[0] == ("a, working", 0, 2e6)
    assert sum(dur for _name, _ts, dur in path) == pytest.approx(6e6)


def test_processes_and_threads_have_their_names():
    events = events_of({RUN: chain().story})
    named = {(e["name"], e["tid"]): e["args"] for e in events if e["ph"] == "M"}
    assert named["process_name", 0] == {"name": f"p {RUN}"}
    threads = [args["name"] for (name, _tid), args in named.items() if name == "thread_name"]
    assert threads == ["run", "critical path", "a", "b"]


def test_a_failure_and_a_skip_are_instants_and_say_why():
    script = retried()
    script = script.close("b", 9, "skipped", reason="off its route")
    found = {e["name"]: e for e in events_of({RUN: script.story}) if e["ph"] == "i"}
    assert found["retried"]["args"]["error"] == "no"
    assert found["skipped"]["args"]["reason"] == "off its route"
    assert (found["retried"]["ts"], found["retried"]["s"]) == (2e6, "t")


def test_other_events_are_instants_on_the_thread_of_their_stage():
    script = Script().begin().ran("a", 0, 2)
    script.tell("pipeline.route", 2, stage="a", selected_route="left")
    events = events_of({RUN: script.end(3).story})
    (route,) = [e for e in events if e["name"] == "pipeline.route"]
    (work,) = [e for e in events if e.get("cat") == "completed"]
    assert route["tid"] == work["tid"]
    assert route["args"]["selected_route"] == "left"
    assert "seq" not in route["args"]


def test_an_arrow_leads_from_the_stage_that_spawned_to_the_child_run():
    events = events_of(with_child())
    start = next(e for e in events if e["ph"] == "s")
    end = next(e for e in events if e["ph"] == "f")
    spawner = next(e for e in events if e["ph"] == "X" and e["name"] == "a")
    child = next(e for e in events if e.get("cat") == "run" and e["pid"] == end["pid"])
    assert start["id"] == end["id"]
    assert (start["pid"], start["tid"]) == (spawner["pid"], spawner["tid"])
    assert spawner["ts"] <= start["ts"] <= spawner["ts"] + spawner["dur"]
    assert child["ts"] <= end["ts"] <= child["ts"] + child["dur"]
    assert end["bp"] == "e"


def test_provider_calls_that_overlap_have_threads_of_their_own():
    script = Script().begin().start("a", 0)
    for at in (5, 6):
        attributes = {"gen_ai.operation.name": "chat", "odd": [float("inf")]}
        script.tell("provider.call", at, stage="a", latency_ms=3000, attributes=attributes)
    events = events_of({RUN: script.close("a", 8, body=(0, 8)).end(8).story})
    calls = [e for e in events if e.get("cat") == "provider call"]
    assert [(e["name"], e["ts"], e["dur"]) for e in calls] == [
        ("chat", pytest.approx(2e6), pytest.approx(3e6)),
        ("chat", pytest.approx(3e6), pytest.approx(3e6)),
    ]
    assert calls[0]["tid"] != calls[1]["tid"]


def test_a_run_that_is_its_own_child_is_written_once():
    script = Script().begin().start("a", 0)
    script.tell("pipeline.spawned_child", 1, stage="a", child_run_id=RUN, pipeline_name="p")
    events = events_of({RUN: script.end(2).story})
    assert len([e for e in events if e["name"] == "process_name"]) == 1


def test_hostile_text_is_valid_json_without_control_characters():
    script = Script(pipeline=HOSTILE).begin().start(HOSTILE, 0)
    script.close(HOSTILE, 1, "failed", (0, 1), error=HOSTILE)
    text = to_perfetto(script.end(2).story)
    written = json.dumps(json.loads(text), ensure_ascii=False)
    written.encode("utf-8")  # which a lone surrogate is not
    assert written.isprintable()


@settings(max_examples=60, deadline=None)
@given(scripts())
def test_any_run_is_a_sound_trace(script):
    stories = stories_of(script.events)
    for run_id in stories:
        events = events_of(stories, run_id)
        for event in events:
            assert {"ph", "name", "pid", "tid"} <= set(event)
            assert type(event["pid"]) is type(event["tid"]) is int
            if event["ph"] == "X":
                assert event["ts"] >= 0
                assert event["dur"] >= 0
            elif event["ph"] == "i":
                assert event["ts"] >= 0
                assert event["s"] == "t"


@given(scripts())
@settings(max_examples=40, deadline=None)
def test_what_is_on_one_lane_does_not_overlap(script):
    times = [(-5.0, 1.0), (0.0, 2.0), (1.0, 3.0), (2.0, 2.0)]
    for run in stories_of(script.events).values():
        times += [
            (c.started_at, c.ended_at)
            for a in run.attempts
            for c in a.calls
            if c.started_at <= c.ended_at
        ]
    lanes = lanes_of(times)
    for lane in set(lanes):
        these = sorted(time for time, number in zip(times, lanes) if number == lane)
        assert all(one[1] <= other[0] for one, other in pairwise(these))
