import pytest

from stageflow_actors import (
    PipelineCancelled,
    PipelineResults,
    RunResult,
    RunStatus,
    StageExecutionError,
    StageFailure,
    StageOutput,
    StageTiming,
)
from stageflow_actors.model.identity import new_id


@pytest.fixture
def results():
    return PipelineResults(
        {
            "read": StageOutput.ok(n=1),
            "idle": StageOutput.skip("no work"),
            "broken": StageOutput.fail("boom"),
            "quit": StageOutput.cancel("enough"),
        }
    )


def result_with(status, *, failures=None, stage=None, reason=None):
    return RunResult(
        pipeline="p",
        pipeline_run_id=new_id(),
        status=status,
        outputs=PipelineResults(done=StageOutput.ok(n=1)),
        failures=failures or {},
        skipped={},
        cancelled={},
        timings={},
        started_at=10.0,
        ended_at=10.5,
        stage=stage,
        reason=reason,
    )


def failure_of(stage, error):
    return StageFailure(stage, "STAGE-RAISED", type(error).__name__, str(error), error, "", 1)


def test_results_are_a_dict_in_completion_order(results):
    assert list(results) == ["read", "idle", "broken", "quit"]
    assert results["read"].data["n"] == 1


def test_output_of_a_stage_that_did_not_finish_is_none(results):
    assert results.output("read") is results["read"]
    assert results.output("elsewhere") is None


def test_require_of_a_stage_that_did_not_finish_lists_those_that_did(results):
    assert results.require("read") is results["read"]
    with pytest.raises(KeyError, match="'elsewhere' has no output; finished: read, idle"):
        results.require("elsewhere")
    with pytest.raises(KeyError, match="finished: none"):
        PipelineResults().require("elsewhere")


def test_require_ok_takes_ok_only_and_says_how_and_why_not(results):
    assert results.require_ok("read") is results["read"]
    with pytest.raises(RuntimeError, match="'idle' ended as skip: no work"):
        results.require_ok("idle")
    with pytest.raises(RuntimeError, match="'broken' ended as fail: boom"):
        results.require_ok("broken")
    with pytest.raises(KeyError):
        results.require_ok("elsewhere")


def test_data_gives_the_default_only_where_a_stage_did_not_finish(results):
    assert results.data("read", {"x": 1}) == {"n": 1}
    assert results.data("elsewhere", {"x": 1}) == {"x": 1}
    assert results.data("elsewhere") == {}


def test_failed_names_the_stages_that_failed_or_cancelled(results):
    assert results.failed() == ["broken", "quit"]
    assert not results.ok
    assert PipelineResults(a=StageOutput.ok(), b=StageOutput.skip()).ok


def test_an_ok_run_has_no_error_and_passes():
    result = result_with(RunStatus.OK)
    assert result.ok
    assert result.error() is None
    assert result.raise_for_status() is result


@pytest.mark.parametrize("status", [RunStatus.FAILED, RunStatus.TIMED_OUT])
def test_a_failed_run_raises_with_the_deciding_failure_and_all_that_finished(status):
    boom, other = ValueError("boom"), OSError("disk")
    failures = {"b": failure_of("b", boom), "a": failure_of("a", other)}
    result = result_with(status, failures=failures, stage="b", reason="boom")
    with pytest.raises(StageExecutionError) as raised:
        result.raise_for_status()
    error = raised.value
    assert not result.ok
    assert error.stage == "b"
    assert error.original is boom
    assert error.__cause__ is boom
    assert error.code == "STAGE-RAISED"
    assert error.failures == failures
    assert error.results is result.outputs
    assert error.result is result
    assert "Stage 'b' failed: ValueError: boom" in str(error)


def test_a_cancelled_run_raises_with_who_why_and_all_that_finished():
    result = result_with(RunStatus.CANCELLED, stage="<external>", reason="user left")
    with pytest.raises(PipelineCancelled, match="by <external>: user left") as raised:
        result.raise_for_status()
    assert (raised.value.stage, raised.value.reason) == ("<external>", "user left")
    assert raised.value.results == {"done": StageOutput.ok(n=1)}
    assert raised.value.failures == {}


def test_a_cancel_without_a_reason_still_reads_as_a_sentence():
    error = result_with(RunStatus.CANCELLED, stage="s").error()
    assert "Pipeline cancelled by s: no reason given" in str(error)


def test_durations_are_milliseconds():
    assert result_with(RunStatus.OK).duration_ms == 500
    assert StageTiming(2.0, 2.25).duration_ms == 250


def test_run_statuses_read_as_their_names():
    assert [str(status) for status in RunStatus] == ["ok", "failed", "cancelled", "timed_out"]
