"""What ended runs come to, out of their documents alone."""

from __future__ import annotations

import base64
import json
from uuid import UUID

import pytest

from stageflow_actors.serving.desk import Shown
from stageflow_actors.serving.faults import Fault, ProblemError
from stageflow_actors.serving.openai.failures import failure_of
from stageflow_actors.serving.openai.models import OutputPath
from stageflow_actors.serving.openai.outcomes import Outcome

RUN = UUID(int=7)
TEXT = OutputPath("s", ("a", "b"))


def ended(state="ok", data=None, **result):
    outputs = {} if data is None else {"s": {"data": data}}
    told = {"outputs": outputs, "failures": {}, "stage": None, "reason": None, **result}
    document = json.dumps({"state": state, "result": told}).encode()
    return Outcome(Shown(RUN, state, document))


def failure(outcome):
    with pytest.raises(ProblemError) as refused:
        outcome.check()
    return failure_of(refused.value)


@pytest.mark.parametrize(
    "found", ["text", {"text": "text"}, {"content": "text", "text": "other"}], ids=repr
)
def test_a_text_stands_there_or_in_a_record(found):
    assert ended(data={"a": {"b": found}}).text(TEXT) == "text"


@pytest.mark.parametrize("data", [None, {}, {"a": "x"}, {"a": {"b": 5}}, {"a": {"b": {}}}])
def test_where_no_text_is_there_is_no_answer(data):
    with pytest.raises(ProblemError) as refused:
        ended(data=data).text(TEXT)
    assert failure_of(refused.value).status == 500


def test_bytes_are_read_back():
    sound = base64.b64encode(b"\x00\xff").decode()
    assert ended(data={"a": {"b": {"base64": sound}}}).audio(TEXT) == b"\x00\xff"
    with pytest.raises(ProblemError):
        ended(data={"a": {"b": "text"}}).audio(TEXT)


@pytest.mark.parametrize(
    ("counts", "total"),
    [
        ({"prompt_tokens": 1, "completion_tokens": 2}, 3),
        ({"input_tokens": 1, "output_tokens": 2}, 3),
        ({"usage": {"input_tokens": 1, "output_tokens": None}}, 1),
        ({"input_tokens": -1, "output_tokens": "many"}, 0),
        ({}, 0),
    ],
)
def test_tokens_are_counted_as_openai_does_or_as_a_record_does(counts, total):
    usage = ended(data={"a": {"b": counts}}).usage(TEXT)
    assert usage.document()["total_tokens"] == total


def test_where_no_usage_is_nothing_is_said_of_it():
    assert ended(data={"a": 1}).usage(TEXT) is None
    assert ended(data={"a": 1}).usage(None) is None


def test_parts_of_the_tokens_are_told_where_they_were_counted():
    counts = {"input_tokens": 5, "output_tokens": 4, "cached_tokens": 3, "reasoning_tokens": 2}
    told = ended(data={"a": {"b": counts}}).usage(TEXT).document()
    assert told["prompt_tokens_details"] == {"cached_tokens": 3}
    assert told["completion_tokens_details"] == {"reasoning_tokens": 2}


@pytest.mark.parametrize(
    ("outcome", "status", "code"),
    [
        (ended("timed_out"), 504, "RUN-TIMEOUT"),
        (ended("cancelled", stage="s", reason="no"), 422, "PIPELINE-CANCELLED"),
        (ended("cancelled", reason="the client asked"), 503, "PIPELINE-CANCELLED"),
        (ended("failed", stage="s", failures={"s": {"code": "STAGE-DOWN"}}), 500, "STAGE-DOWN"),
        (ended("failed"), 500, "SERVE-DEFECT"),
        (ended("failed", failures={"<run>": {"code": "RUN-REFUSED"}}), 503, "RUN-REFUSED"),
    ],
)
def test_each_bad_end_has_a_status_and_a_code(outcome, status, code):
    told = failure(outcome)
    assert (told.status, told.code) == (status, code)
    assert str(RUN) in told.message
    assert told.headers["X-Request-Id"] == str(RUN)


def test_only_a_stage_declines():
    assert ended("cancelled", stage="s", reason="no").declined == "no"
    assert ended("cancelled", reason="the client asked").declined is None
    assert ended("failed", stage="s", reason="no").declined is None


def test_a_run_that_may_have_had_effects_is_not_to_be_repeated_by_itself_but_a_refused_one_is():
    assert failure(ended("failed")).headers["x-should-retry"] == "false"
    refused = failure_of(ProblemError(Fault.REFUSED, retry_after_s=2.0))
    assert "x-should-retry" not in refused.headers
    assert refused.headers["retry-after"] == "2"


def test_a_failure_says_where_in_the_request():
    errors = [{"path": "n", "message": "too many"}, {"path": "model", "message": "no text"}]
    told = failure_of(ProblemError(Fault.INPUT, "Other.", errors=errors)).document()["error"]
    assert told == {
        "message": "Other. n: too many; model: no text",
        "type": "invalid_request_error",
        "param": "n",
        "code": "SERVE-INPUT",
    }
