"""Each stage and each run end with one wide event, on every runtime, whatever becomes of them."""

from __future__ import annotations

import asyncio
import os
import signal

import pytest

from stageflow_actors import (
    LocalRuntime,
    Pipeline,
    RayRuntime,
    RetryPolicy,
    Settings,
    StageOutput,
)
from tests.conformance.crossing import Gate
from tests.conformance.stages import WaitForever

WIDE = Settings(wide_events=True, max_hosts_per_deployment=1)
OF_A_STAGE = {"status", "attempts", "duration_ms", "error", "data_keys", "queue_ms"}


@pytest.fixture
def wide_runtime(runtime, sink):
    kind = RayRuntime if isinstance(runtime, RayRuntime) else LocalRuntime
    return kind(event_sink=sink, settings=WIDE)


async def make(ctx):
    return {"text": "x", "number": 1}


async def skip(ctx):
    return StageOutput.skip("no need")


async def fail_once(ctx):
    if ctx.attempt == 1:
        raise ValueError("not yet")
    return {"done": True}


async def fail(ctx):
    raise ValueError("broken")


def one_of_each(events, *names):
    """The wide events of stages by name, and that of the run."""
    wide = [event for event in events if event.type == "stage.wide"]
    assert sorted(event.stage for event in wide) == sorted(names)
    [run] = [event for event in events if event.type == "pipeline.wide"]
    assert run.seq == len(events) - 1
    return {event.stage: event.data for event in wide}, run.data


async def test_each_end_of_a_stage_is_told_once_with_what_is_known_of_it(wide_runtime):
    retry = RetryPolicy(max_attempts=2, initial_delay_s=0, retry_on=Exception)
    pipeline = (
        Pipeline("ends")
        .with_stage("make", make, "work")
        .with_stage("skip", skip, "work", "make")
        .with_stage("twice", fail_once, "work", "make", retry=retry)
        .with_stage("bad", fail, "work", ("make", "skip", "twice"))
        .with_stage("never", make, "work", "bad")
    )
    async with wide_runtime.deploy(pipeline) as app:
        run = await app.start()
        events = [event async for event in run.events()]
    told, whole = one_of_each(events, "make", "skip", "twice", "bad")
    assert all(set(data) >= OF_A_STAGE for data in told.values())
    assert {name: data["status"] for name, data in told.items()} == {
        "make": "ok",
        "skip": "skip",
        "twice": "ok",
        "bad": "fail",
    }
    assert told["make"]["data_keys"] == ("number", "text")
    assert (told["twice"]["attempts"], told["twice"]["retries"]) == (2, 1)
    assert (told["bad"]["error"], told["bad"]["action_taken"]) == ("broken", "stop_run")
    assert (whole["status"], whole["deciding_stage"]) == ("failed", "bad")
    assert whole["stage_counts"] == {"ok": 2, "skip": 1, "fail": 1, "not_started": 1}
    assert [each["name"] for each in whole["stage_details"]][-1] == "never"


async def test_a_stage_that_a_cancel_stopped_has_its_event(wide_runtime, tmp_path):
    pipeline = Pipeline().with_stage("waiter", WaitForever, config={"folder": tmp_path})
    async with wide_runtime.deploy(pipeline) as app:
        run = await app.start()
        await Gate(tmp_path, "waiter-runs").opened()
        await run.cancel("enough")
        events = [event async for event in run.events()]
    told, whole = one_of_each(events, "waiter")
    assert (told["waiter"]["status"], told["waiter"]["reason"]) == ("interrupted", "enough")
    assert whole["status"] == "cancelled"


async def test_sinks_get_them_with_the_labels_of_the_run(wide_runtime, sink):
    async with wide_runtime.deploy(Pipeline("tea").with_stage("make", make, "work")) as app:
        run = await app.start()
        await run.result()
    assert await wide_runtime.flush_events()
    [wide] = sink.of_type("stage.wide")
    assert (wide.data["stage"], wide.data["topology"]) == ("make", "tea")
    assert wide.data["pipeline_run_id"] == str(run.run_id)
    [whole] = sink.of_type("pipeline.wide")
    assert whole.data["pipeline_name"] == "tea"


@pytest.mark.ray
@pytest.mark.usefixtures("ray_session")
async def test_a_stage_whose_process_is_killed_and_a_run_without_supervisor_have_theirs(tmp_path):
    for victim in ("stage", "supervisor"):
        folder = tmp_path / victim
        folder.mkdir()
        pipeline = (
            Pipeline("mortal")
            .with_stage("first", make, "work")
            .with_stage("waiter", WaitForever, dependencies="first", config={"folder": folder})
        )
        async with RayRuntime(settings=WIDE).deploy(pipeline) as app:
            pids = await app.describe()
            run = await app.start()
            events = run.events()
            seen = []
            while not seen or seen[-1].type != "stage.waiter.started":
                seen.append(await asyncio.wait_for(anext(events), 30))
            await Gate(folder, "waiter-runs").opened()
            is_stage = victim == "stage"
            pid = pids["stages"][1]["pid"] if is_stage else pids["supervisor_pid"]
            os.kill(pid, signal.SIGKILL)
            seen += [event async for event in events]
        told, whole = one_of_each(seen, "first", "waiter")
        assert (told["first"]["status"], told["waiter"]["status"]) == ("ok", "lost")
        assert whole["status"] == "failed"
        assert whole["code"] == (None if is_stage else "SUPERVISOR-LOST")
