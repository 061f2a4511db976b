"""One stage fails: the others are stopped and awaited, and nothing that finished is lost."""

from __future__ import annotations

import asyncio

import pytest

from stageflow_actors import (
    Pipeline,
    RunStatus,
    StageExecutionError,
    StageKind,
    StageOutput,
    StageTimeoutError,
)
from tests.conformance.crossing import Gate, Journal
from tests.conformance.stages import After, FinishOnStop, WaitForever, ok


def failing_beside_a_waiter(folder, then, **bad_options):
    """``first`` is done; then ``bad`` ends badly while ``waiter`` waits; ``last`` never starts."""
    return (
        Pipeline("failing")
        .with_stage("first", ok, StageKind.WORK)
        .with_stage(
            "bad",
            After,
            dependencies="first",
            config={"folder": folder, "gate": "waiter-runs", "then": then},
            **bad_options,
        )
        .with_stage("waiter", WaitForever, dependencies="first", config={"folder": folder})
        .with_stage("last", ok, StageKind.WORK, dependencies=("bad", "waiter"))
    )


@pytest.mark.parametrize("then", ["raise", "fail"])
async def test_siblings_of_a_failed_stage_have_cleaned_up_before_the_verdict(run, tmp_path, then):
    result = await run(failing_beside_a_waiter(tmp_path, then))
    assert Journal(tmp_path).lines == ["waiter cleaned up"]
    assert (result.status, result.stage) == (RunStatus.FAILED, "bad")
    assert result.cancelled["waiter"].started
    assert not result.cancelled["last"].started


async def test_siblings_of_a_timed_out_stage_have_cleaned_up_before_the_verdict(
    run, tmp_path, enough_s
):
    pipeline = (
        Pipeline()
        .with_stage("late", WaitForever, config={"folder": tmp_path}, timeout=enough_s)
        .with_stage("waiter", WaitForever, config={"folder": tmp_path})
    )
    result = await run(pipeline)
    assert sorted(Journal(tmp_path).lines) == ["late cleaned up", "waiter cleaned up"]
    assert (result.status, result.stage) == (RunStatus.TIMED_OUT, "late")
    failure = result.failures["late"]
    assert isinstance(failure.original, StageTimeoutError)
    assert failure.code == "STAGE-TIMEOUT"
    assert failure.message == f"Stage timed out after {enough_s * 1000:.0f}ms"
    assert list(result.cancelled) == ["waiter"]


async def test_output_of_a_stage_that_finishes_after_its_timeout_is_not_used(
    run, tmp_path, enough_s
):
    here = {"folder": tmp_path}
    pipeline = Pipeline().with_stage("late", FinishOnStop, config=here, timeout=enough_s)
    result = await run(pipeline)
    assert Gate(tmp_path, "late-runs").is_open
    assert result.status is RunStatus.TIMED_OUT
    assert not result.outputs


async def test_failure_carries_every_finished_output(runtime, tmp_path):
    async with runtime.deploy(failing_beside_a_waiter(tmp_path, "raise")) as app:
        with pytest.raises(StageExecutionError) as raised:
            await app.run()
    error = raised.value
    assert (error.stage, type(error.original)) == ("bad", ValueError)
    assert str(error.original) == "bad raised"
    assert dict(error.results["first"].data) == {"stage": "first"}
    assert list(error.results) == ["first"]
    assert list(error.failures) == ["bad"]


async def test_parallel_output_finished_before_the_failure_is_kept(runtime, tmp_path):
    pipeline = (
        Pipeline()
        .with_stage("bad", After, config={"folder": tmp_path, "gate": "go", "then": "raise"})
        .with_stage("fast", ok, StageKind.WORK)
    )
    async with runtime.deploy(pipeline) as app:
        handle = await app.start()
        async for event in handle.events():
            if event.type == "stage.fast.completed":
                Gate(tmp_path, "go").open()
        result = await handle.result()
    assert list(result.outputs) == ["fast"]


async def test_sibling_that_finishes_while_stopping_is_kept(run, tmp_path):
    pipeline = (
        Pipeline()
        .with_stage(
            "bad", After, config={"folder": tmp_path, "gate": "stubborn-runs", "then": "raise"}
        )
        .with_stage("stubborn", FinishOnStop, config={"folder": tmp_path})
        .with_stage("next", ok, StageKind.WORK, dependencies="stubborn")
    )
    result = await run(pipeline)
    assert result.outputs["stubborn"].data == {"finished": True}
    assert not result.cancelled["next"].started


class RaiseOnStop(WaitForever):
    async def execute(self, ctx):
        Gate(self.folder, f"{ctx.stage_name}-runs").open()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            raise KeyError("cleanup went wrong") from None


async def test_failure_during_cleanup_is_attached_but_does_not_decide(run, tmp_path):
    pipeline = (
        Pipeline()
        .with_stage("other", RaiseOnStop, config={"folder": tmp_path})
        .with_stage(
            "bad", After, config={"folder": tmp_path, "gate": "other-runs", "then": "raise"}
        )
    )
    result = await run(pipeline)
    assert result.stage == "bad"
    assert list(result.failures) == ["bad", "other"]
    assert isinstance(result.failures["other"].original, KeyError)


async def test_two_stages_failing_together_are_both_accounted_for(run, tmp_path):
    both = {"folder": tmp_path, "gate": "go", "then": "raise"}
    pipeline = Pipeline().with_stage("a", After, config=both).with_stage("b", After, config=both)
    Gate(tmp_path, "go").open()
    result = await run(pipeline)
    assert result.status is RunStatus.FAILED
    assert {*result.failures, *result.cancelled} == {"a", "b"}
    assert next(iter(result.failures)) == result.stage


async def test_guard_that_fails_fails_the_run_like_any_stage(run):
    async def deny(ctx):
        return StageOutput.fail("not allowed")

    pipeline = (
        Pipeline()
        .with_stage("guard", deny, StageKind.GUARD)
        .with_stage("work", ok, StageKind.WORK, dependencies="guard")
    )
    result = await run(pipeline)
    assert (result.status, result.stage, result.reason) == ("failed", "guard", "not allowed")
    assert "work" not in result.outputs


async def test_kind_changes_nothing(run):
    for kind in StageKind:
        assert (await run(Pipeline().with_stage("only", ok, kind))).ok


async def test_result_never_raises_and_error_says_what_run_would_raise(run, tmp_path):
    result = await run(failing_beside_a_waiter(tmp_path, "raise"))
    error = result.error()
    assert isinstance(error, StageExecutionError)
    assert error.result is result
    with pytest.raises(StageExecutionError):
        result.raise_for_status()


async def test_timings_tell_when_each_started_stage_worked(run, tmp_path):
    result = await run(failing_beside_a_waiter(tmp_path, "raise"))
    assert set(result.timings) == {"first", "bad", "waiter"}
    assert all(timing.ended_at >= timing.started_at for timing in result.timings.values())
    assert result.ended_at >= result.started_at


def start_waiting(ctx):
    """A plain ``def`` that hands back a coroutine, as decorators and lambdas do."""
    return WaitForever(ctx.snapshot.input_text).execute(ctx)


async def test_coroutine_that_a_plain_def_returns_is_stopped_like_any(run, tmp_path):
    config = {"folder": tmp_path, "gate": "waiter-runs", "then": "raise"}
    pipeline = (
        Pipeline()
        .with_stage("waiter", start_waiting, StageKind.WORK)
        .with_stage("bad", After, config=config)
    )
    result = await run(pipeline, input_text=str(tmp_path))
    assert result.stage == "bad"
    assert Journal(tmp_path).lines == ["waiter cleaned up"]
