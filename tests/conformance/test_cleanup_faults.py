"""Cleanups that go wrong: reported, and neither a run nor another cleanup is lost to one."""

from __future__ import annotations

import asyncio

import pytest

from stageflow_actors import CleanupFailure, Pipeline, RunStatus, Settings
from tests.conformance.cleanup_faults_stages import (
    BlockingUntidy,
    Untidy,
    cancel_own_task,
    cancel_own_task_at_once,
    hurry,
    leave,
    leave_at_once,
    spill,
    stay,
    stop_task,
)
from tests.conformance.crossing import Gate, Journal
from tests.conformance.test_events import events_of

BOTH = pytest.mark.parametrize("untidy", [Untidy, BlockingUntidy], ids=["async", "def"])


def one(untidy, folder, middle):
    return Pipeline().with_stage("s", untidy, config={"folder": folder, "middle": middle})


@BOTH
async def test_cleanup_that_raises_is_reported_and_stops_no_other(runtime, tmp_path, untidy):
    events, result = await events_of(runtime, one(untidy, tmp_path, spill))
    assert result.ok
    assert Journal(tmp_path).lines == ["third", "first"]
    assert result.cleanup_failures == (CleanupFailure("s", "spill", "OSError", "disk full"),)
    [told] = [event for event in events if event.type == "stage.s.cleanup_failed"]
    assert told.data == {"cleanup": "spill", "error": "disk full", "error_type": "OSError"}
    assert (told.stage, events[-1].type) == ("s", "pipeline.completed")


LATE = CleanupFailure("s", "stay", "TimeoutError", "not done within 0.2 s")


@BOTH
async def test_cleanup_that_is_stuck_ends_in_time_and_is_reported(runtime, tmp_path, untidy):
    hasty = type(runtime)(settings=Settings(cleanup_timeout_s=0.2))
    async with hasty.deploy(one(untidy, tmp_path, stay)) as app:
        result = await (await app.start()).result()
    assert result.ok
    assert result.cleanup_failures == (LATE,)
    assert Journal(tmp_path).lines == ["third", "first"]


async def test_cleanup_that_is_stuck_in_an_interrupted_stage_ends_in_time(runtime, tmp_path):
    hasty = type(runtime)(settings=Settings(cleanup_timeout_s=0.2))
    async with hasty.deploy(one(Untidy, tmp_path, stay)) as app:
        handle = await app.start(input_text="wait")
        await Gate(tmp_path, "runs").opened()
        await handle.cancel("enough")
        result = await asyncio.wait_for(handle.result(), 30)
    assert result.status is RunStatus.CANCELLED
    assert result.cleanup_failures == (LATE,)
    assert Journal(tmp_path).lines == ["third", "first"]


@BOTH
async def test_cleanup_that_runs_out_of_its_own_time_is_not_said_to_be_late(run, tmp_path, untidy):
    result = await run(one(untidy, tmp_path, hurry))
    assert result.cleanup_failures == (CleanupFailure("s", "hurry", "TimeoutError", ""),)


async def test_cancel_that_a_cleanup_raises_does_not_lose_an_interrupted_stage(runtime, tmp_path):
    async with runtime.deploy(one(Untidy, tmp_path, stop_task)) as app:
        ended = await (await app.start()).result()
        handle = await app.start(input_text="wait")
        await Gate(tmp_path, "runs").opened()
        await handle.cancel("enough")
        interrupted = await asyncio.wait_for(handle.result(), 30)
    assert (ended.status, interrupted.status) == (RunStatus.OK, RunStatus.CANCELLED)
    for result in (ended, interrupted):
        [failure] = result.cleanup_failures
        assert (failure.cleanup, failure.error_type) == ("stop_task", "CancelledError")
    assert Journal(tmp_path).lines == ["third", "first"] * 2


@BOTH
@pytest.mark.parametrize("how", [leave, leave_at_once])
async def test_cleanup_that_tries_to_end_the_process_does_not(runtime, tmp_path, untidy, how):
    async with runtime.deploy(one(untidy, tmp_path, how)) as app:
        result = await (await app.start()).result()
        assert (await app.run()).ok
    assert result.cleanup_failures == (CleanupFailure("s", how.__name__, "SystemExit", "3"),)
    assert Journal(tmp_path).lines == ["third", "first"] * 2


@pytest.mark.parametrize("how", [cancel_own_task, cancel_own_task_at_once])
async def test_cleanup_that_cancels_its_own_task_does_not_take_the_run_along(
    runtime, tmp_path, how
):
    async with runtime.deploy(one(Untidy, tmp_path, how)) as app:
        result = await (await app.start()).result()
        assert result.ok
        assert (await app.run()).ok
    assert Journal(tmp_path).lines == ["third", "first"] * 2
