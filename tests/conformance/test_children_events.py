"""What is told of child runs: in the events of the parent, in their own, and in descriptions."""

from __future__ import annotations

import asyncio
from collections import Counter

from stageflow_actors import Settings
from tests.conformance.crossing import Gate
from tests.conformance.parents import (
    LONG_S,
    alone,
    asking,
    ends,
    knowing,
    waiter,
    waiter_runs,
)


async def told_of(runtime, body, **parts):
    """The events that the handle of a run of ``body`` gives, and its result."""
    async with runtime.deploy(alone("parent", body, timeout=LONG_S)) as app:
        handle = await app.start(**parts)
        told = [event async for event in handle.events()]
        return told, await handle.result()


async def three_ends(ctx):
    found = [await ctx.spawn("ends", text) for text in ("hello", "raise", "cancel")]
    found.append(await ctx.spawn("ends", "wait", timeout=0.2))
    return {"runs": [str(child.child_run_id) for child in found]}


async def test_the_parent_tells_of_each_child_at_its_start_and_at_its_end(runtime):
    told, result = await told_of(knowing(runtime, alone("ends", ends)), three_ends)
    children = [event for event in told if "child" in event.type]
    assert [event.type.removeprefix("pipeline.") for event in children] == [
        *("spawned_child", "child_completed"),
        *("spawned_child", "child_failed"),
        *("spawned_child", "child_cancelled"),
        *("spawned_child", "child_failed"),
    ]
    runs = result.outputs["parent"].data["runs"]
    assert [event.data["child_run_id"] for event in children] == [
        run for run in runs for _ in range(2)
    ]
    for event in children:
        assert (event.stage, event.attempt) == ("parent", 1)
        assert event.data["parent_run_id"] == str(result.pipeline_run_id)
        assert event.data["parent_stage_id"] == "parent"
        assert event.data["pipeline_name"] == "ends"
        assert event.data["correlation_id"]
    over = children[1::2]
    assert [event.data["status"] for event in over] == ["ok", "failed", "cancelled", "timed_out"]
    assert all(type(event.data["duration_ms"]) is int for event in over)
    assert over[3].data["duration_ms"] >= 200
    said = [event.data.get("error_message") for event in over]
    assert (said[0], said[2]) == (None, "enough")
    assert "tea" in said[1]
    assert "timed out" in said[3]


async def test_a_child_is_told_of_while_its_stage_runs(runtime):
    told, _result = await told_of(knowing(runtime, alone("ends", ends)), asking("ends", "hello"))
    types = [event.type for event in told]
    assert types[2:6] == [
        "stage.parent.started",
        "pipeline.spawned_child",
        "pipeline.child_completed",
        "stage.parent.completed",
    ]


# --- the events of the children -------------------------------------------------------------------


async def leaf(ctx):
    ctx.try_emit_event("leaf.said", {"text": ctx.snapshot.input_text})


async def middle(ctx):
    await ctx.spawn_many("leaf", ["a", "b"])


def by_run(events):
    """The data of each event with its type, by the run that it belongs to, in order."""
    runs = {}
    for event in events:
        runs.setdefault(event.data["pipeline_run_id"], []).append((event.type, event.data))
    return runs


async def test_events_of_every_generation_reach_the_sink_each_once_under_their_own_run(
    runtime, sink
):
    runtime = knowing(runtime, alone("leaf", leaf), alone("middle", middle), event_sink=sink)
    told, result = await told_of(runtime, asking("middle"))
    assert await runtime.flush_events()
    runs = by_run(sink.events)
    root = str(result.pipeline_run_id)
    assert Counter(events[0][1]["topology"] for events in runs.values()) == {
        "parent": 1,
        "middle": 1,
        "leaf": 2,
    }
    for events in runs.values():
        assert [data["seq"] for _type, data in events] == list(range(1, len(events) + 1))
        assert (events[0][0], events[-1][0]) == ("pipeline.created", "pipeline.completed")
    assert [event.type for event in told] == [type_ for type_, _data in runs[root]]
    (middle_run,) = [run for run, events in runs.items() if events[0][1]["topology"] == "middle"]
    above = {root: (None, None), middle_run: (root, root)}
    for run, events in runs.items():
        for type_, data in events:
            if ".child_" not in type_ and type_ != "pipeline.spawned_child":
                spawned_by = (data.get("parent_run_id"), data.get("root_run_id"))
                assert spawned_by == above.get(run, (middle_run, root))
    said = [event.data["text"] for event in sink.of_type("leaf.said")]
    assert sorted(said) == ["a", "b"]


async def test_an_event_about_a_child_names_the_parent_of_that_child_in_every_generation(
    runtime, sink
):
    runtime = knowing(runtime, alone("leaf", leaf), alone("middle", middle), event_sink=sink)
    await told_of(runtime, asking("middle"))
    assert await runtime.flush_events()
    for type_ in ("pipeline.spawned_child", "pipeline.child_completed"):
        about = [event.data for event in sink.of_type(type_)]
        assert len(about) == 3
        assert all(data["parent_run_id"] == data["pipeline_run_id"] for data in about)


async def test_a_handle_gives_the_events_of_its_own_run_only(runtime):
    runtime = knowing(runtime, alone("leaf", leaf), alone("middle", middle))
    told, result = await told_of(runtime, asking("middle"))
    assert [event.seq for event in told] == list(range(1, len(told) + 1))
    stages = {event.stage for event in told if event.stage}
    assert stages == {"parent"}
    assert {event.origin for event in told} == {None}
    assert result.events_dropped == 0


async def test_events_of_a_long_child_arrive_while_it_runs(runtime, sink, tmp_path):
    async def long(ctx):
        await Gate(tmp_path, "go-on").opened()

    settings = Settings(event_flush_interval_s=0.05)
    runtime = knowing(runtime, alone("long", long), event_sink=sink, settings=settings)
    async with runtime.deploy(alone("parent", asking("long"), timeout=LONG_S)) as app:
        handle = await app.start()
        while not sink.of_type("stage.long.started"):
            await asyncio.sleep(0.01)
        assert not sink.of_type("stage.long.completed")
        Gate(tmp_path, "go-on").open()
        await handle.result()
    assert await runtime.flush_events()
    assert len(sink.of_type("stage.long.started")) == len(sink.of_type("stage.long.completed")) == 1


# --- what a deployment says of its children -------------------------------------------------------


async def test_children_are_counted_by_their_ends(runtime):
    runtime = knowing(runtime, alone("ends", ends))
    async with runtime.deploy(alone("parent", three_ends, timeout=LONG_S)) as app:
        await app.run()
        counts = (await app.describe())["child_runs"]
    assert counts == {
        "spawned": 4,
        "ok": 1,
        "failed": 1,
        "cancelled": 1,
        "timed_out": 1,
        "live": 0,
        "max_live": 1,
        "max_depth": 1,
    }


async def test_live_children_are_described_as_the_tree_that_they_are(runtime, tmp_path):
    runtime = knowing(runtime, waiter(tmp_path), alone("middle", asking("waiter")))
    async with runtime.deploy(alone("parent", asking("middle"), timeout=LONG_S)) as app:
        handle = await app.start()
        await waiter_runs(tmp_path)
        described = await app.describe()
        await handle.cancel("enough")
        await handle.result()
    (child,) = described["children"]
    (grandchild,) = child["children"]
    names = [each["pipeline"] for each in (described, child, grandchild)]
    assert names == ["parent", "middle", "waiter"]
    assert [each["live_runs"] for each in (described, child, grandchild)] == [1, 1, 1]
    assert [each["child_runs"]["live"] for each in (described, child, grandchild)] == [1, 1, 0]
    assert child["child_runs"]["max_depth"] == 2
    assert grandchild["stages"][0]["name"] == "waiter"


async def test_without_a_registry_nothing_is_said_of_children(runtime):
    async with runtime.deploy(alone("parent", ends)) as app:
        assert not {"children", "child_runs"} & (await app.describe()).keys()
