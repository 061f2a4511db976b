"""What a stage gets of a child run: how it ended, never less than its result says."""

import pickle
import threading
from dataclasses import FrozenInstanceError, replace

import cloudpickle
import pytest

from stageflow_actors import (
    PipelineCancelled,
    PipelineResults,
    RunResult,
    RunStatus,
    StageExecutionError,
    StageFailure,
    StageOutput,
)
from stageflow_actors.errors import RemoteStageError
from stageflow_actors.model.identity import new_id
from stageflow_actors.model.subpipeline import SubpipelineResult

NOT_OK = [RunStatus.FAILED, RunStatus.CANCELLED, RunStatus.TIMED_OUT]
CARRIERS = pytest.mark.parametrize("carrier", [pickle, cloudpickle], ids=lambda each: each.__name__)


class NeedsTwo(Exception):
    """Cannot be made again by ``pickle``, which calls it with ``args``."""

    def __init__(self, code, text):
        super().__init__(text)
        self.code = code


class BecomesAnother(Exception):
    def __reduce__(self):
        return ValueError, self.args


class BreaksWhenPickled(Exception):
    def __reduce__(self):
        raise SyntaxError("no")


def failure_of(stage, error, code="STAGE-RAISED"):
    return StageFailure(stage, code, type(error).__name__, str(error), error, "trace", 1)


def child_with(status=RunStatus.OK, *, failures=(), reason=None, stage=None):
    run_id = new_id()
    result = RunResult(
        pipeline="words",
        pipeline_run_id=run_id,
        status=status,
        outputs=PipelineResults(read=StageOutput.ok(n=1), count=StageOutput.skip("none")),
        failures={each.stage: each for each in failures},
        skipped={"count": "none"},
        cancelled={},
        timings={},
        started_at=10.0,
        ended_at=10.25,
        stage=stage,
        reason=reason,
    )
    return SubpipelineResult("words", run_id, result)


def test_a_child_that_completed_has_its_outputs_and_nothing_to_complain_of():
    child = child_with()
    assert child.success is True
    assert child.status is RunStatus.OK
    assert child.error is child.code is None
    assert child.outputs is child.result.outputs
    assert child.data == {"read": {"n": 1}, "count": {"reason": "none"}}
    assert [*child.data] == ["read", "count"]
    assert child.duration_ms == 250
    assert child.raise_for_status() is child


@pytest.mark.parametrize("status", NOT_OK)
def test_how_a_child_ended_is_never_collapsed(status):
    child = child_with(status, failures=[failure_of("b", ValueError("boom"))], reason="boom")
    assert child.status is status
    assert child.success is False
    assert child.error == "boom"
    assert child.data["read"] == {"n": 1}, "what finished is there whatever the end"


@pytest.mark.parametrize("status", [RunStatus.FAILED, RunStatus.TIMED_OUT])
def test_the_code_is_that_of_the_failure_that_decided(status):
    failures = [failure_of("b", ValueError("boom"), "FIRST"), failure_of("a", OSError(), "SECOND")]
    assert child_with(status, failures=failures, reason="boom").code == "FIRST"


def test_a_failure_during_a_cancel_decided_nothing():
    child = child_with(RunStatus.CANCELLED, failures=[failure_of("b", OSError())], reason="enough")
    assert (child.error, child.code) == ("enough", None)


def test_a_failure_that_an_ok_run_tolerates_is_no_error():
    child = child_with(RunStatus.OK, failures=[failure_of("b", ValueError("boom"))])
    assert child.success
    assert child.error is child.code is None


@pytest.mark.parametrize("status", NOT_OK)
@pytest.mark.parametrize("reason", [None, ""])
def test_a_child_that_is_not_ok_always_has_a_text(status, reason):
    assert child_with(status, reason=reason).error == "no reason given"
    assert child_with(status, reason=reason).code is None


def test_without_a_reason_the_message_of_the_deciding_failure_says_why():
    failures = [failure_of("b", ValueError("boom")), failure_of("a", OSError("disk"))]
    assert child_with(RunStatus.FAILED, failures=failures).error == "boom"


def test_the_text_is_the_message_and_not_what_the_exception_says_now():
    """A message may withhold what the exception quotes."""
    failure = replace(failure_of("b", ValueError("secret")), message="(not shown)")
    assert child_with(RunStatus.FAILED, failures=[failure]).error == "(not shown)"


@pytest.mark.parametrize("status", [RunStatus.FAILED, RunStatus.TIMED_OUT])
def test_a_failed_child_raises_as_its_result_does(status):
    boom = ValueError("boom")
    child = child_with(status, failures=[failure_of("b", boom)], stage="b", reason="boom")
    with pytest.raises(StageExecutionError) as raised:
        child.raise_for_status()
    assert raised.value.result is child.result
    assert raised.value.original is boom


def test_a_cancelled_child_raises_as_its_result_does():
    child = child_with(RunStatus.CANCELLED, stage="<external>", reason="user left")
    with pytest.raises(PipelineCancelled, match="by <external>: user left"):
        child.raise_for_status()


def test_it_cannot_be_changed():
    with pytest.raises(FrozenInstanceError):
        child_with().pipeline = "other"


# --- on the way to another process ----------------------------------------------------------------


@CARRIERS
def test_it_travels_whole(carrier):
    child = child_with()
    copy = pickle.loads(carrier.dumps(child))
    assert copy == child
    assert type(copy.outputs) is PipelineResults
    assert copy.status is RunStatus.OK


@CARRIERS
def test_an_exception_that_can_travel_does(carrier):
    failures = [failure_of("b", ValueError("boom", 7), "FIRST"), failure_of("a", OSError(2, "x"))]
    child = child_with(RunStatus.FAILED, failures=failures, stage="b", reason="boom")
    copy = pickle.loads(carrier.dumps(child))
    assert [*copy.result.failures] == ["b", "a"]
    assert (copy.error, copy.code, copy.result.stage) == ("boom", "FIRST", "b")
    original = copy.result.failures["b"].original
    assert (type(original), original.args) == (ValueError, ("boom", 7))


@CARRIERS
@pytest.mark.parametrize(
    "error",
    [NeedsTwo(7, "boom"), ValueError("boom", threading.Lock()), BecomesAnother("boom"),
     BreaksWhenPickled("boom")],
    ids=lambda error: type(error).__name__,
)  # fmt: skip
def test_an_exception_that_cannot_travel_is_replaced_and_nothing_else_is(carrier, error):
    failure = failure_of("b", error)
    child = child_with(RunStatus.FAILED, failures=[failure], reason="boom")
    copy = pickle.loads(carrier.dumps(child))
    assert child.result.failures["b"].original is error, "the sender's own is left as it was"
    (sent,) = copy.result.failures.values()
    assert type(sent.original) is RemoteStageError
    assert (sent.original.type_name, sent.original.text) == (failure.error_type, failure.message)
    assert replace(sent, original=error) == failure
    assert copy.error == "boom"
    with pytest.raises(StageExecutionError, match="Stage 'b' failed"):
        copy.raise_for_status()
    assert pickle.loads(carrier.dumps(copy)).code == child.code
