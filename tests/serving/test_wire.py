"""Headers, frames and values as they go over the wire, without a server."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from stageflow_actors import AdmissionRefusedError, DeploymentClosedError, StageflowError
from stageflow_actors.serving.faults import Fault, ProblemError
from stageflow_actors.serving.headers import (
    bearer_token,
    check_length,
    check_media_type,
    deadline_s,
    preference,
)
from stageflow_actors.serving.plain import plain
from stageflow_actors.serving.problems import problem_of, problem_response
from stageflow_actors.serving.tape import EventTape, frame, position_after


def refusal(function, *arguments):
    with pytest.raises(ProblemError) as refused:
        function(*arguments)
    return refused.value.fault


# --- headers --------------------------------------------------------------------------------------


@pytest.mark.parametrize("given_", ["Bearer abc", "bearer abc", "BEARER   abc ", "Bearer abc"])
def test_a_bearer_token_is_found(given_):
    assert bearer_token([given_]) == "abc"


def test_a_token_that_is_not_there_and_one_that_is_none_are_told_apart():
    assert refusal(bearer_token, []) is Fault.NO_TOKEN
    for wrong in (["abc"], ["Bearer a b"], ["Bearer a", "Bearer a"], ["Bearer \x00"]):
        assert refusal(bearer_token, wrong) is Fault.TOKEN_REFUSED


@pytest.mark.parametrize(
    ("given_", "wait_s"),
    [
        ([], None),
        (["respond-async"], 0.0),
        (["Respond-Async, wait=5"], 5.0),
        (["wait=5", "respond-async"], 5.0),
        (["respond-async; foo=bar"], 0.0),
        (["wait=5"], None),
        (["return=minimal"], None),
        (["respond-async, wait=x"], 0.0),
    ],
)
def test_prefer_says_how_long_to_wait(given_, wait_s):
    assert preference(given_).wait_s == wait_s


@pytest.mark.parametrize("given_", ["0", "-1", "1e3", "nan", "inf", "", "1s", "61", "0x1", "1,5"])
def test_a_deadline_that_is_no_number_of_seconds_is_refused(given_):
    assert refusal(deadline_s, [given_], None, 60.0) is Fault.HEADER


def test_a_deadline_is_read_or_the_default():
    assert deadline_s(["2.5"], None, 60.0) == 2.5
    assert deadline_s([], 7.0, 60.0) == 7.0
    assert refusal(deadline_s, ["1", "2"], None, 60.0) is Fault.HEADER


def test_only_plain_json_is_a_body():
    for good in (
        "application/json",
        "application/JSON; charset=utf-8",
        'application/json;charset="UTF-8"',
    ):
        check_media_type([good], [])
        check_media_type([good], ["identity"])
    for bad in ([], ["text/plain"], ["application/json", "application/json"]):
        assert refusal(check_media_type, bad, []) is Fault.MEDIA_TYPE
    for bad in ("application/jsonx", "application/json; charset=latin-1", "multipart/form-data"):
        assert refusal(check_media_type, [bad], []) is Fault.MEDIA_TYPE
    assert refusal(check_media_type, ["application/json"], ["gzip"]) is Fault.MEDIA_TYPE


def test_a_length_is_a_number_within_the_bound():
    check_length([], 10)
    check_length(["10"], 10)
    assert refusal(check_length, ["11"], 10) is Fault.BODY_SIZE
    for bad in (["-1"], ["1e1"], ["5", "5"], ["\u0661"], ["9" * 5000]):
        assert refusal(check_length, bad, 10) is Fault.HEADER


# --- frames ---------------------------------------------------------------------------------------


@given(st.text(max_size=30), st.dictionaries(st.text(max_size=5), st.text(max_size=20), max_size=3))
def test_no_text_can_break_out_of_its_frame(type_, data):
    lines = frame(3, type_, {"data": plain(data)}).decode("utf-8").split("\n")
    assert [line.partition(":")[0] for line in lines] == ["id", "event", "data", "", ""]
    assert json.loads(lines[2].removeprefix("data: "))["data"] == plain(data)
    assert len("".join(lines).splitlines()) <= 1


def test_an_event_that_is_too_large_is_told_without_its_data():
    tape = EventTape(200)
    tape.append("small", {"data": {"a": 1}})
    tape.append("large", {"seq": 2, "data": {"a": "x" * 300}})
    assert "truncated" not in tape[0].decode()
    told = json.loads(tape[1].decode().split("data: ")[1])
    assert told == {"seq": 2, "truncated": True}
    assert tape.cut == 1
    assert tape.bytes == len(tape[0]) + len(tape[1])
    assert tape.bytes_after(1) == len(tape[1])


@given(st.integers(0, 50), st.integers(0, 60))
def test_a_position_is_one_of_those_given_out(known, asked):
    if asked > known:
        assert refusal(position_after, str(asked), known) is Fault.CURSOR
    else:
        assert position_after(str(asked), known) == asked
    assert position_after(None, known) == position_after("", known) == 0


# --- values ---------------------------------------------------------------------------------------


class Color(Enum):
    RED = "red"


class Model(BaseModel):
    when: datetime


@dataclass
class Data:
    inner: object


class Hostile(dict):
    def items(self):
        raise RuntimeError("/srv/secret")


def test_values_become_what_json_has():
    when = datetime(2026, 1, 2, tzinfo=UTC)
    given_ = {
        "a": (1, {2.5}, None, True),
        "model": Model(when=when),
        "data": Data(Color.RED),
        1: b"\x00\xff",
        "id": UUID(int=5),
        "nan": math.nan,
        "big": 2**70,
        "thing": object(),
        "hostile": Hostile(),
        "lone": "\ud800",
    }
    assert plain(given_) == {
        "a": [1, [2.5], None, True],
        "model": {"when": "2026-01-02T00:00:00+00:00"},
        "data": {"inner": "red"},
        "1": {"base64": "AP8="},
        "id": str(UUID(int=5)),
        "nan": "nan",
        "big": hex(2**70),
        "thing": "<object>",
        "hostile": "<Hostile>",
        "lone": "?",
    }


def test_values_without_end_come_to_one():
    endless: list[object] = []
    endless += [endless, endless]
    json.dumps(plain(endless))
    deep: object = 1
    for _ in range(5000):
        deep = [deep]
    json.dumps(plain(deep))


# --- problems -------------------------------------------------------------------------------------


def test_every_fault_has_a_code_of_its_own():
    codes = [fault.code for fault in Fault]
    assert len(codes) == len(set(codes))


def test_a_refused_run_says_when_to_try_again():
    answer = problem_response(problem_of(AdmissionRefusedError("full", retry_after_s=2.1)))
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "3")


def test_no_text_of_an_error_reaches_the_client():
    for error in (
        DeploymentClosedError("at /srv/private", hint="my_pkg.secrets"),
        StageflowError("at /srv/private", hint="my_pkg.secrets"),
    ):
        body = bytes(problem_response(problem_of(error)).body).decode()
        assert "private" not in body
        assert "secrets" not in body
