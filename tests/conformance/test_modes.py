"""What a failure does to the rest of its run, and who hears of it when."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager

import pytest

from stageflow_actors import (
    ExecutionConfig,
    ExecutionMode,
    GuardRetryPolicy,
    Pipeline,
    PolicyError,
    RunHandle,
    RunStatus,
    RunTimeoutError,
    StageExecutionError,
    StageOutput,
    StageTimeoutError,
)
from tests.conformance.crossing import Gate, Journal
from tests.conformance.failing_stages import (
    TOLERANT,
    FailFirst,
    Hold,
    Look,
    at_once,
    broken,
    executions,
    fine,
    of_type,
    watched,
)
from tests.conformance.stages import WaitForever


async def test_a_failure_stops_the_run_and_raises_where_nothing_is_said(runtime, tmp_path):
    pipeline = (
        Pipeline()
        .with_stage("bad", broken, "work")
        .with_stage("waiter", WaitForever, config={"folder": tmp_path})
    )
    assert pipeline.execution.mode is ExecutionMode.FAIL_FAST_BLOCKING
    async with runtime.deploy(pipeline.build()) as app:
        with pytest.raises(StageExecutionError) as raised:
            await app.run()
    assert raised.value.stage == "bad"
    assert "waiter" in raised.value.result.cancelled


@asynccontextmanager
async def detached(runtime, graph, way):
    """What ``run`` returns, while whatever it runs on is up."""
    if way == "graph":
        async with runtime:
            yield await graph.run(runtime=runtime)
    else:
        async with runtime.deploy(graph) as app:
            yield await app.run()


@pytest.mark.parametrize("way", ["graph", "deployment"])
async def test_fail_fast_async_hands_back_a_live_run_and_tells_its_failure(runtime, tmp_path, way):
    heard = []
    execution = ExecutionConfig(
        mode=ExecutionMode.FAIL_FAST_ASYNC, on_stage_error=lambda *told: heard.append(told)
    )
    graph = (
        Pipeline()
        .with_stage("hold", Hold, config={"folder": tmp_path, "gate": "go"})
        .with_stage("bad", broken, "work", dependencies="hold")
        .build(execution=execution)
    )
    async with detached(runtime, graph, way) as handle:
        assert isinstance(handle, RunHandle)
        assert not handle.is_done
        Gate(tmp_path, "go").open()
        result = await handle.result()
    assert (result.status, result.stage) == (RunStatus.FAILED, "bad")
    ((stage, error),) = heard
    assert (stage, type(error)) == ("bad", LookupError)


class SlowSetup(Look):
    """Takes until ``go`` to be set up."""

    async def setup(self):
        Gate(self.folder, "setting-up").open()
        await Gate(self.folder, "go").opened()


async def test_fail_fast_async_leaves_no_run_behind_for_a_caller_who_was_cancelled(
    runtime, tmp_path
):
    graph = (
        Pipeline()
        .with_stage("look", SlowSetup, config={"folder": tmp_path})
        .build(execution=ExecutionConfig(mode=ExecutionMode.FAIL_FAST_ASYNC))
    )
    async with runtime:
        caller = asyncio.ensure_future(graph.run(runtime=runtime))
        await Gate(tmp_path, "setting-up").opened()
        caller.cancel()
        Gate(tmp_path, "go").open()
        with pytest.raises(asyncio.CancelledError):
            await caller
    assert executions(tmp_path, "look") == 0


def test_run_sync_waits_for_the_end_in_a_mode_that_does_not(runtime, tmp_path):
    graph = (
        Pipeline()
        .with_stage("look", Look, config={"folder": tmp_path})
        .with_stage("bad", broken, "work", dependencies="look")
        .build(execution=ExecutionConfig(mode=ExecutionMode.FAIL_FAST_ASYNC))
    )
    handle = graph.run_sync(runtime=runtime)
    assert handle.is_done
    assert asyncio.run(handle.result()).stage == "bad"
    asyncio.run(runtime.close())


@pytest.mark.parametrize(
    "how", [LookupError("broken"), StageOutput.fail("broken")], ids=["raised", "returned"]
)
async def test_continue_on_error_finishes_what_does_not_need_the_failed_stage(
    runtime, tmp_path, how
):
    note = {"folder": tmp_path}
    graph = (
        Pipeline()
        .with_stage("bad", FailFirst, config={"folder": tmp_path, "times": 1, "how": how})
        .with_stage("hold", Hold, config={"folder": tmp_path, "gate": "go"})
        .with_stage("sibling", fine, "work", dependencies="hold")
        .with_stage("next", Look, dependencies="bad", config=note)
        .with_stage("ordered", Look, after="bad", config=note)
        .with_stage("far", Look, dependencies=("next", "sibling"), config=note)
        .build(execution=TOLERANT)
    )
    async with runtime.deploy(graph) as app:
        handle = await app.start()
        async for event in handle.events():
            if event.type == "stage.next.skipped":
                Gate(tmp_path, "go").open()
        result = await handle.result()
    why = "'bad' failed: broken"
    assert result.ok
    assert result.error() is None
    assert result.skipped == {"next": why, "ordered": why, "far": f"'next' was skipped: {why}"}
    assert result.outputs["sibling"].data == {"fine": True}
    assert (result.tolerated, list(result.failures)) == (("bad",), ["bad"])
    assert Journal(tmp_path).lines == ["bad", "bad cleanup 1"]


async def test_a_tolerant_run_returns_its_results_and_does_not_raise(runtime):
    pipeline = Pipeline().with_stage("bad", broken, "work").with_stage("good", fine, "work")
    async with runtime:
        results = await pipeline.build(execution=TOLERANT).run(runtime=runtime)
    assert list(results) == ["good"]


@pytest.mark.parametrize(
    ("mode", "own", "status"),
    [
        ("fail_fast_blocking", "continue_on_error", RunStatus.OK),
        ("continue_on_error", "fail_fast_blocking", RunStatus.FAILED),
    ],
)
async def test_the_mode_of_a_stage_outranks_that_of_the_pipeline(runtime, mode, own, status):
    execution = ExecutionConfig(mode=mode, error_policy={"bad": own})
    graph = Pipeline().with_stage("bad", broken, "work").build(execution=execution)
    async with runtime.deploy(graph) as app:
        events, result = await watched(app)
    assert result.status is status
    assert of_type(events, "stage.error")[0]["execution_mode"] == own


def ends_of_one_stage(folder):
    """For each action: the options of a stage that fails, and the mode."""
    tolerant, strict = ExecutionMode.CONTINUE_ON_ERROR, ExecutionMode.FAIL_FAST_BLOCKING
    return {
        "retry": ({"retry": at_once()}, tolerant),
        "guard_retry": ({"guard_retry": GuardRetryPolicy("first")}, strict),
        "fallback": ({"fallback": {}}, strict),
        "continue": ({}, tolerant),
        "stop_run": ({}, strict),
    }


@pytest.mark.parametrize("action", ends_of_one_stage(None))
async def test_stage_error_says_what_is_done_about_a_failure(runtime, tmp_path, action):
    options, mode = ends_of_one_stage(tmp_path)[action]
    is_guard = action == "guard_retry"
    how = StageOutput.fail("no") if is_guard else ConnectionError("no")
    config = {"folder": tmp_path, "times": 1, "how": how}
    graph = (
        Pipeline()
        .with_stage("first", fine, "work")
        .with_stage("bad", FailFirst, dependencies="first", config=config, **options)
        .build(execution=ExecutionConfig(mode=mode))
    )
    async with runtime.deploy(graph) as app:
        events, result = await watched(app)
    (told,) = of_type(events, "stage.error")
    assert told.pop("began_at") <= told.pop("ended_at")
    assert told == (
        {
            "stage": "bad",
            "error": "no",
            "error_type": "StageFailedError" if is_guard else "ConnectionError",
            "code": "STAGE-FAILED" if is_guard else "STAGE-RAISED",
            "execution_mode": mode,
            "action_taken": action,
        }
    )
    assert result.ok is (action != "stop_run")


async def test_a_timeout_is_tolerated_like_a_failure(runtime, tmp_path):
    graph = (
        Pipeline()
        .with_stage("late", WaitForever, config={"folder": tmp_path}, timeout=0.1)
        .with_stage("next", Look, dependencies="late", config={"folder": tmp_path})
        .with_stage("sibling", fine, "work")
        .build(execution=TOLERANT)
    )
    async with runtime.deploy(graph) as app:
        events, result = await watched(app)
    assert (result.ok, result.tolerated) == (True, ("late",))
    assert isinstance(result.failures["late"].original, StageTimeoutError)
    assert result.skipped == {"next": "'late' failed: Stage timed out after 100ms"}
    told = of_type(events, "stage.error")[0]
    assert (told["action_taken"], told["code"]) == ("continue", "STAGE-TIMEOUT")


def test_a_policy_for_a_stage_that_does_not_exist_is_refused_with_a_hint():
    execution = ExecutionConfig(error_policy={"fetsh": ExecutionMode.CONTINUE_ON_ERROR})
    with pytest.raises(PolicyError) as refused:
        Pipeline().with_stage("fetch", fine, "work").build(execution=execution)
    assert (refused.value.code, refused.value.hint) == ("POLICY-STAGE", "Did you mean 'fetch'?")


async def test_a_run_that_uses_up_its_own_time_is_stopped_tolerant_or_not(
    runtime, tmp_path, enough_s
):
    graph = (
        Pipeline()
        .with_stage("first", fine, "work")
        .with_stage("waiter", WaitForever, dependencies="first", config={"folder": tmp_path})
        .build(execution=TOLERANT)
    )
    async with runtime.deploy(graph) as app:
        result = await (await app.start(timeout=enough_s)).result()
    assert (result.status, result.stage) == (RunStatus.TIMED_OUT, "<run>")
    assert result.reason == f"Run timed out after {enough_s * 1000:.0f}ms"
    assert isinstance(result.error().original, RunTimeoutError)
    assert list(result.outputs) == ["first"]
    assert result.cancelled["waiter"].started
    assert Journal(tmp_path).lines == ["waiter cleaned up"]


async def test_a_run_that_has_no_time_starts_no_stage(runtime, tmp_path):
    look = Pipeline().with_stage("look", Look, config={"folder": tmp_path})
    async with runtime.deploy(look) as app:
        result = await (await app.start(timeout=0)).result()
    assert (result.status, executions(tmp_path, "look")) == (RunStatus.TIMED_OUT, 0)
