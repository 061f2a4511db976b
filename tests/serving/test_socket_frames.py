"""Messages of the WebSocket as they go over the wire, without a server."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stageflow_actors.model.streaming import Audience
from stageflow_actors.serving import ServingSettings
from stageflow_actors.serving.desk import Entry
from stageflow_actors.serving.faults import Fault, ProblemError
from stageflow_actors.serving.socket_frames import Frame, FrameError, pack, unpack
from stageflow_actors.serving.socket_intake import WINDOW_BYTES, Intake, values_in
from stageflow_actors.serving.socket_messages import (
    MessageRefusedError,
    Start,
    read_binary,
    read_text,
)
from stageflow_actors.serving.socket_replies import entry, size_of
from stageflow_actors.serving.tape import to_json

BOUNDS = ServingSettings(max_body_bytes=1_000, max_json_values=50)


def start(**parts):
    return Start(type="start", ref="a", pipeline="p", credit=1, is_open=True, **parts)


def refusal(function, *arguments):
    with pytest.raises(ProblemError) as refused:
        function(*arguments)
    return refused.value.fault


# --- frames ---------------------------------------------------------------------------------------


@given(st.binary(max_size=300), st.binary(max_size=300))
def test_a_frame_reads_back_as_it_was_made(header, payload):
    assert unpack(pack(Frame(header, payload))) == (header, payload)


@given(st.binary(max_size=20))
def test_whatever_is_no_frame_is_refused_and_what_is_one_reads_back(message):
    try:
        frame = unpack(message)
    except FrameError:
        return
    assert pack(frame) == message


@given(st.binary(max_size=40), st.binary(max_size=40), st.data())
def test_a_frame_that_is_cut_within_its_header_is_refused(header, payload, data):
    whole = pack(Frame(header, payload))
    end = data.draw(st.integers(0, len(whole) - len(payload) - 1))
    with pytest.raises(FrameError):
        unpack(whole[:end])


def test_the_form_of_a_frame_is_as_documented():
    assert pack(Frame(b"{}", b"xyz")) == b"\x01\x00\x00\x00\x02{}xyz"
    with pytest.raises(FrameError, match="first byte"):
        unpack(b"\x02\x00\x00\x00\x02{}xyz")


# --- entries --------------------------------------------------------------------------------------


@given(st.text(max_size=30), st.text(max_size=30), st.binary(max_size=50))
def test_an_entry_is_one_message_whatever_stands_in_it(type_, text, blob):
    document = to_json({"text": text})
    said = entry("a", Entry(7, type_, document))
    assert isinstance(said, str)
    assert said.isascii()  # so its length is its size
    told = {"ref": "a", "number": 7, "event": type_, "data": {"text": text}}
    assert json.loads(said) == {"type": "event", **told}
    piece = entry("a", Entry(7, type_, document, Audience.USER, blob))
    assert isinstance(piece, bytes)
    assert json.loads(unpack(piece).header) == {"type": "piece", **told}
    assert unpack(piece).payload == blob
    assert (size_of(said), size_of(piece)) == (len(said), len(piece))


# --- messages -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("message", "ref", "fault"),
    [
        (b"", None, Fault.JSON),
        (b"\xff", None, Fault.JSON),
        (b'{"type":"end","type":"end","ref":"a"}', None, Fault.JSON),
        (b'{"type":"end","ref":NaN}', None, Fault.JSON),
        (b"[" * 100, None, Fault.JSON),
        (b"[]", None, Fault.MESSAGE),
        (b'"end"', None, Fault.MESSAGE),
        (b'{"ref":"a"}', "a", Fault.MESSAGE),
        (b'{"type":"begin","ref":"a"}', "a", Fault.MESSAGE),
        (b'{"type":"end"}', None, Fault.MESSAGE),
        (b'{"type":"end","ref":""}', None, Fault.MESSAGE),
        (b'{"type":"end","ref":"a b"}', None, Fault.MESSAGE),
        (b'{"type":"end","ref":"a","and":1}', "a", Fault.MESSAGE),
        (b'{"type":"credit","ref":"a","bytes":0}', "a", Fault.MESSAGE),
        (b'{"type":"credit","ref":"a","bytes":true}', "a", Fault.MESSAGE),
        (b'{"type":"credit","ref":"a","bytes":"9"}', "a", Fault.MESSAGE),
        (b'{"type":"watch","ref":"a","run_id":"x","after":-1,"credit":0}', "a", Fault.MESSAGE),
        (b'{"type":"start","ref":"a","pipeline":"p"}', "a", Fault.MESSAGE),
        (b'{"type":"start","ref":"a","pipeline":"p","credit":1,"body":[]}', "a", Fault.MESSAGE),
    ],
)
def test_a_message_that_cannot_be_used_is_refused(message, ref, fault):
    with pytest.raises(MessageRefusedError) as refused:
        read_text(message, BOUNDS)
    assert (refused.value.problem.fault, refused.value.ref) == (fault, ref)


def test_the_header_of_bytes_names_where_they_belong():
    header = b'{"type":"input","ref":"a","key":"audio"}'
    said, payload = read_binary(pack(Frame(header, b"\x00")), BOUNDS)
    assert (said.ref, said.key, payload) == ("a", "audio", b"\x00")
    for wrong in (b"", b"{}", b'{"type":"input","ref":"a"}', b'{"type":"end","ref":"a"}'):
        with pytest.raises(MessageRefusedError):
            read_binary(pack(Frame(wrong, b"\x00")), BOUNDS)
    with pytest.raises(MessageRefusedError):
        read_binary(b"\x00", BOUNDS)


# --- input ----------------------------------------------------------------------------------------


@given(
    st.lists(st.tuples(st.sampled_from(["x", "y"]), st.integers(0, 500_000)), max_size=40),
    st.integers(1_000, 3_000_000),
)
def test_credit_for_input_is_never_more_than_a_window_or_than_a_body(parts, max_bytes):
    intake = Intake(start(), 100, ServingSettings(max_body_bytes=max_bytes))
    credit, sent = intake.grant(), {"x": 0, "y": 0}
    for key, size in parts:
        if size > credit:
            assert refusal(intake.append, key, bytes(size), size) in (
                Fault.CREDIT,
                Fault.BODY_SIZE,
            )
            return
        intake.append(key, bytes(size), size)
        sent[key] += size
        credit = credit - size + intake.grant()
        assert 0 <= credit <= WINDOW_BYTES
        assert intake.size + credit <= max_bytes
        assert credit > 0 or intake.size == max_bytes
    data = intake.body().data
    assert all(len(data.get(key, b"")) == size for key, size in sent.items())


def test_data_is_replaced_and_bytes_are_added_and_neither_becomes_the_other():
    intake = Intake(start(body={"data": {"a": 1}}), 100, BOUNDS)
    intake.grant()
    intake.add({"a": [2]}, 10)
    intake.append("b", b"x", 10)
    intake.append("b", b"y", 10)
    assert intake.body().data == {"a": [2], "b": b"xy"}
    assert refusal(intake.append, "a", b"", 10) is Fault.INPUT
    assert refusal(intake.add, {"b": 1}, 10) is Fault.INPUT
    assert refusal(intake.add, {"_a": 1}, 10) is Fault.INPUT
    assert refusal(intake.append, "auth_token", b"", 10) is Fault.INPUT
    assert intake.body().data == {"a": [2], "b": b"xy"}


def test_the_values_of_all_parts_count_together():
    intake = Intake(start(), 100, BOUNDS)
    intake.grant()
    for number in range(3):
        intake.add({str(number): [0] * 10}, 1)
    assert refusal(intake.add, {"more": [0] * 10}, 1) is Fault.JSON


def test_values_and_keys_are_counted():
    assert values_in({"a": [1, {"b": None}], "c": "x"}) == 9


def test_a_key_stands_for_everything_that_came_in():
    def fingerprint(parts=(), data=(), **body):
        intake = Intake(start(key="k", body=body), 100, BOUNDS)
        intake.grant()
        for key, part in parts:
            intake.append(key, part, 1)
        for each in data:
            intake.add(each, 1)
        return intake.key().fingerprint

    whole = fingerprint([("a", b"12")], [{"n": 1}])
    assert whole == fingerprint([("a", b"1"), ("a", b"2")], [{"n": 2}, {"n": 1}])
    others = [
        fingerprint([("a", b"12")]),
        fingerprint([("a", b"12")], [{"n": 2}]),
        fingerprint([("b", b"12")], [{"n": 1}]),
        fingerprint([("a", b"1"), ("b", b"2")], [{"n": 1}]),
        fingerprint([("a", b"12")], [{"n": 1}], input_text="x"),
    ]
    assert len({whole, *others}) == 6
