import dataclasses

import pytest

from stageflow_actors import StageArtifact, StageEvent, StageOutput, StageReturnTypeError
from stageflow_actors.model.output import StageStatus, to_output


def test_a_stage_that_returns_none_is_ok_without_data():
    output = to_output(None, "s")
    assert output.status is StageStatus.OK
    assert output.data == {}


def test_a_stage_that_returns_a_dict_is_ok_with_that_data():
    output = to_output({"n": 1}, "s")
    assert output.status is StageStatus.OK
    assert output.data == {"n": 1}


def test_a_stage_that_returns_an_output_has_that_very_output():
    output = StageOutput.skip("later")
    assert to_output(output, "s") is output


@pytest.mark.parametrize("returned", [5, "text", [1], {1}, object(), True, b""])
def test_a_stage_that_returns_anything_else_fails_with_a_type_error_naming_it(returned):
    with pytest.raises(TypeError) as refused:
        to_output(returned, "shout")
    assert type(refused.value) is StageReturnTypeError
    assert type(returned).__name__ in refused.value.message
    assert "'shout'" in refused.value.message


def test_ok_takes_data_keywords_or_both_and_loses_none():
    assert StageOutput.ok().data == {}
    assert StageOutput.ok({"a": 1}).data == {"a": 1}
    assert StageOutput.ok(b=2).data == {"b": 2}
    assert StageOutput.ok({}, b=2).data == {"b": 2}
    assert StageOutput.ok({"a": 1}, b=2).data == {"a": 1, "b": 2}
    assert StageOutput.ok({"a": 1}, version="v1").version == "v1"


def test_ok_with_a_key_given_twice_is_refused_and_names_it():
    with pytest.raises(ValueError, match=r"\['b'\]"):
        StageOutput.ok({"a": 1, "b": 2}, b=3)


def test_fail_says_the_error_else_the_response_else_that_it_is_unknown():
    assert StageOutput.fail("broken").error == "broken"
    assert StageOutput.fail(error="broken", response="x").error == "broken"
    assert StageOutput.fail(error="", response="x").error == "x"
    assert StageOutput.fail().error == "Unknown error"


def test_fail_keeps_the_data_given_with_it():
    output = StageOutput.fail("broken", {"partial": 1})
    assert output.status is StageStatus.FAIL
    assert output.data == {"partial": 1}


def test_skip_puts_its_reason_into_the_data_where_the_callers_own_wins():
    assert StageOutput.skip("r").data == {"reason": "r"}
    assert StageOutput.skip("r", {"n": 1}).data == {"reason": "r", "n": 1}
    assert StageOutput.skip("r", {"reason": "z"}).data["reason"] == "z"
    assert StageOutput.skip().status is StageStatus.SKIP


def test_cancel_puts_its_reason_into_the_data_where_the_callers_own_wins():
    assert StageOutput.cancel("r").data == {"cancel_reason": "r"}
    assert StageOutput.cancel("r", {"cancel_reason": "z"}).data == {"cancel_reason": "z"}
    assert StageOutput.cancel().status is StageStatus.CANCEL


def test_reason_says_why_whatever_the_status():
    assert StageOutput.ok(reason="not this").reason == ""
    assert StageOutput.skip("s").reason == "s"
    assert StageOutput.cancel("c").reason == "c"
    assert StageOutput.fail("f").reason == "f"


def test_the_with_methods_give_copies_and_leave_the_output_as_it_was():
    output = StageOutput.ok(n=1)
    artifact, event = StageArtifact("chart", b"png"), StageEvent("seen", {"n": 1})
    changed = output.with_duration(7).with_version("v2").with_artifacts(artifact)
    changed = changed.with_artifacts(artifact).with_events(event)
    assert (changed.duration_ms, changed.version) == (7, "v2")
    assert changed.artifacts == (artifact, artifact)
    assert changed.events == (event,)
    assert changed.data == {"n": 1}
    assert output == StageOutput(StageStatus.OK, {"n": 1})


def test_an_output_cannot_be_changed():
    output = StageOutput.ok()
    for field in dataclasses.fields(output):
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(output, field.name, None)


def test_artifacts_and_events_know_when_they_were_made():
    for made in (StageArtifact("chart", b""), StageEvent("seen")):
        assert made.timestamp.utcoffset().total_seconds() == 0
