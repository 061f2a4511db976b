import dataclasses

import pytest

from stageflow_actors import (
    ContextSnapshot,
    PipelineResults,
    PipelineTimer,
    StageContext,
    StageInputs,
    StageOutput,
    UndeclaredDependencyError,
)
from stageflow_actors.model.payloads import (
    StagePayloadResult,
    cancel_output,
    fail_output,
    ok_output,
    payload_from_inputs,
    payload_from_results,
    summary_from_output,
)

MADE = StagePayloadResult([1, 2], {"count": 2})


def outputs():
    return {
        "made": ok_output(MADE),
        "empty": ok_output(StagePayloadResult(None)),
        "bare": StageOutput.ok(n=1, m=2),
        "silent": StageOutput.ok(),
        "failed": fail_output("broken", payload=[1]),
        "cancelled": cancel_output(MADE, reason="enough"),
        "skipped": StageOutput.skip("nothing to do"),
    }


@pytest.fixture
def inputs():
    return StageInputs(ContextSnapshot(), outputs(), stage_name="reader")


@pytest.fixture
def results():
    return PipelineResults(outputs())


def test_ok_output_is_ok_with_payload_and_summary():
    output = ok_output(MADE)
    assert output.status == "ok"
    assert output.data == {"payload": [1, 2], "summary": {"count": 2}}
    assert ok_output(StagePayloadResult("x")).data == {"payload": "x", "summary": {}}


def test_cancel_output_stops_the_run_and_keeps_what_was_made():
    output = cancel_output(MADE, reason="enough")
    assert (output.status, output.reason) == ("cancel", "enough")
    assert output.data == {"cancel_reason": "enough", **MADE.to_data()}
    assert cancel_output(MADE).reason == ""


def test_fail_output_says_the_error_and_keeps_what_was_made():
    output = fail_output("broken", payload=[1], summary={"tried": 3})
    assert (output.status, output.error) == ("fail", "broken")
    assert output.data == {"payload": [1], "summary": {"tried": 3}}
    assert fail_output("broken").data == {"payload": None, "summary": {}}


def test_a_payload_result_cannot_be_changed_and_its_data_is_its_own():
    with pytest.raises(dataclasses.FrozenInstanceError):
        MADE.payload = []
    MADE.to_data()["summary"]["more"] = 1
    assert MADE.summary == {"count": 2}


def test_the_summary_of_an_output_is_empty_where_it_has_none():
    assert summary_from_output(ok_output(MADE)) == {"count": 2}
    assert summary_from_output(StageOutput.ok(n=1)) == {}
    assert summary_from_output(StageOutput.skip("nothing to do")) == {}


def test_the_payload_of_a_dependency_is_read_from_inputs_or_a_context(inputs):
    ctx = StageContext(inputs.snapshot, inputs, "reader", PipelineTimer())
    for given in (inputs, ctx):
        assert payload_from_inputs(given, "made") == [1, 2]
        assert payload_from_inputs(given, "made", expected_type=list) == [1, 2]
        assert payload_from_inputs(given, "empty") is None
        assert payload_from_inputs(given, "failed") == [1]


def test_a_payload_that_a_dependency_has_not_lists_what_it_has(inputs):
    with pytest.raises(KeyError, match="'bare' has no key 'payload'; available: n, m"):
        payload_from_inputs(inputs, "bare")
    with pytest.raises(UndeclaredDependencyError, match="elsewhere"):
        payload_from_inputs(inputs, "elsewhere")


def test_the_payload_of_an_ok_stage_is_read_from_results(results):
    assert payload_from_results(results, "made") == [1, 2]
    assert payload_from_results(results, "made", expected_type=list) == [1, 2]
    assert payload_from_results(results, "empty") is None


def test_a_payload_that_a_result_has_not_says_what_there_is(results):
    with pytest.raises(KeyError, match="'bare' has no payload; it has: n, m"):
        payload_from_results(results, "bare")
    with pytest.raises(KeyError, match="'silent' has no payload; it has: none"):
        payload_from_results(results, "silent")
    with pytest.raises(KeyError, match="'elsewhere' has no output; finished: made, empty"):
        payload_from_results(results, "elsewhere")


@pytest.mark.parametrize(
    ("stage", "why"),
    [
        ("failed", "fail: broken"),
        ("cancelled", "cancel: enough"),
        ("skipped", "skip: nothing to do"),
    ],
)
def test_a_payload_of_a_stage_that_is_not_ok_is_refused_and_says_why(results, stage, why):
    with pytest.raises(RuntimeError, match=f"'{stage}' ended as {why}"):
        payload_from_results(results, stage)


@pytest.mark.parametrize("expected", [dict, str, tuple])
def test_a_payload_of_another_type_than_expected_names_both(inputs, results, expected):
    said = f"The payload of stage 'made' is list, and {expected.__name__} was expected."
    for read, given in ((payload_from_inputs, inputs), (payload_from_results, results)):
        with pytest.raises(TypeError) as refused:
            read(given, "made", expected_type=expected)
        assert str(refused.value) == said


def test_a_payload_of_none_is_no_payload_of_an_expected_type(inputs, results):
    for read, given in ((payload_from_inputs, inputs), (payload_from_results, results)):
        with pytest.raises(TypeError, match="is NoneType, and list was expected"):
            read(given, "empty", expected_type=list)
