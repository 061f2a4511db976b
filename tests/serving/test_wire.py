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
from stageflow_actors.model.streaming import Audience
from stageflow_actors.serving.desk import Entry
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
from stageflow_actors.serving.run_rate import RunRate
from stageflow_actors.serving.sse import frame, number_after
from stageflow_actors.serving.tape import Tape, to_json


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
    lines = frame(Entry(3, type_, to_json({"data": plain(data)}))).decode("utf-8").split("\n")
    assert [line.partition(":")[0] for line in lines] == ["id", "event", "data", "", ""]
    assert json.loads(lines[2].removeprefix("data: "))["data"] == plain(data)
    assert len("".join(lines).splitlines()) <= 1


def test_an_event_that_is_too_large_is_told_without_its_data():
    tape = Tape(200, 10_000)
    tape.append("small", {"data": {"a": 1}})
    tape.append("large", {"seq": 2, "data": {"a": "x" * 300}})
    small, large = tape.after(0, 10_000)
    assert b"truncated" not in small.document
    assert json.loads(large.document) == {"seq": 2, "truncated": True}
    assert tape.cut == 1
    assert tape.size == small.size + large.size
    assert tape.bytes_after(1) == large.size


@given(st.lists(st.integers(0, 40), max_size=40), st.integers(20, 120), st.data())
def test_a_tape_holds_the_last_that_fit_and_gives_exactly_what_comes_after(sizes, room, data):
    tape, model = Tape(1_000, room), []
    for number, size in enumerate(sizes, start=1):
        tape.append_piece("piece", {}, Audience.USER, bytes(size))
        model.append((number, size + 2))
        while sum(each[1] for each in model) > room and len(model) > 1:
            model.pop(0)
        after, most = data.draw(st.integers(0, number)), data.draw(st.integers(0, 90))
        gone = number - len(model)
        assert (tape.dropped, len(tape), tape.size) == (gone, number, sum(s for _, s in model))
        if 0 < after < gone:
            assert refusal(tape.after, after, most) is Fault.CURSOR_GONE
            continue
        wanted = [each for each in model if each[0] > after]
        found = tape.after(after, most)
        assert [each.number for each in found] == [each[0] for each in wanted[: len(found)]]
        assert bool(found) == bool(wanted)
        total = sum(each.size for each in found)
        assert total <= most or len(found) == 1
        rest = wanted[len(found) :]
        assert not rest or total + rest[0][1] > most
    assert refusal(tape.after, len(sizes) + 1, 1) is Fault.CURSOR


def test_bytes_of_a_piece_stand_in_its_frame_as_text():
    told = frame(Entry(1, "stream.token", to_json({"a": 1}), Audience.USER, b"\x00\xff")).decode()
    assert json.loads(told.split("data: ")[1]) == {"a": 1, "base64": "AP8="}


@pytest.mark.parametrize("wrong", ["-1", "1.0", "x", "1e3", "9" * 20, "1 2", "\u0661"])
def test_an_id_that_is_no_number_is_refused(wrong):
    assert refusal(number_after, wrong) is Fault.CURSOR


def test_without_an_id_one_begins_at_the_first():
    assert number_after(None) == number_after("") == 0
    assert number_after("12") == 12


# --- how many in a second -------------------------------------------------------------------------


@given(st.floats(0.5, 50), st.lists(st.floats(0, 2), min_size=1, max_size=80))
def test_in_no_second_more_runs_start_than_twice_what_may(per_s, pauses):
    """A second's worth at once, and what comes in meanwhile; and who waits as told is let in."""
    rate, now, started = RunRate(per_s), 0.0, []
    for pause in pauses:
        now += pause
        after_s = rate.take("a", now)
        if after_s is None:
            started.append(now)
        else:
            assert after_s > 0
    for begin in started:
        within = [each for each in started if begin <= each < begin + 1]
        assert len(within) <= max(1, per_s) + per_s + 1e-6
    waited = rate.take("b", now)
    assert waited is None
    while (after_s := rate.take("a", now)) is not None:
        now += after_s + 1e-9


def test_a_tenant_that_is_forgotten_begins_anew():
    rate = RunRate(1.0, max_tenants=2)
    assert [rate.take(each, 0.0) for each in "aab"] == [None, 1.0, None]
    rate.take("c", 0.0)
    assert rate.take("a", 0.0) is None


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
