"""Answers: an output that was kept reads as the output itself does, or is refused."""

from __future__ import annotations

import json
import math
import pickle
from datetime import UTC, datetime
from enum import StrEnum
from fractions import Fraction
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stageflow_actors import FrozenDataError, RoutingDecision, RuntimeFault, StageOutput
from stageflow_actors.actors import answers
from stageflow_actors.actors.answers import answer_of, open_answer
from stageflow_actors.actors.sealing import open_output, seal
from stageflow_actors.engine.facts import Signal
from stageflow_actors.errors import StageOutputError
from stageflow_actors.model.output import StageArtifact

HIGH, LOW = "\ud83d", "\ude00"
TEXTS = st.text(max_size=5) | st.text(
    st.sampled_from(["a", "é", "😀", "\0", HIGH, LOW]), max_size=5
)
ATOMS = st.none() | st.booleans() | st.integers() | st.floats() | TEXTS
VALUES = st.recursive(
    ATOMS,
    lambda items: st.lists(items, max_size=4) | st.dictionaries(TEXTS, items, max_size=4),
    max_leaves=20,
)
DATA = st.dictionaries(TEXTS, VALUES, max_size=4)
NAMES = TEXTS.filter(str.strip)
DECISIONS = st.builds(RoutingDecision, NAMES, st.floats(0, 1), st.none() | NAMES, metadata=DATA)
SIGNALS = st.builds(Signal, TEXTS, st.none() | TEXTS, st.none() | DATA)


class Color(StrEnum):
    RED = "red"


def same(one, other):
    """Equality that tells 1 from 1.0 and True, and finds NaN equal to itself."""
    return repr(one) == repr(other)


def nested(levels):
    value = {}
    for _ in range(levels - 1):
        value = {"in": value}
    return value


def refusal_of(data, **fields):
    with pytest.raises(StageOutputError) as raised:
        answer_of(StageOutput.ok(data, **fields), None, "stage-name")
    assert raised.value.code == "IDEMPOTENCY-OUTPUT"
    assert "stage-name" in raised.value.message
    assert raised.value.hint
    return raised.value


@given(DATA, st.none() | TEXTS, st.integers(0), st.none() | DECISIONS, st.none() | SIGNALS)
def test_an_answer_opens_as_what_a_reader_of_the_output_gets(
    data, version, duration_ms, decision, signal
):
    made = StageOutput(StageOutput.ok().status, data, version=version, routing=decision)
    sealed = seal(made, "s", duration_ms)
    text = answer_of(sealed, signal, "s")
    assert text.isascii()
    output, opened_signal = open_answer(text)
    assert same(output, open_output(sealed))
    assert same(opened_signal, signal)


@pytest.mark.parametrize(
    "text", [HIGH, LOW, LOW + HIGH, HIGH + LOW, "😀", f"{HIGH}😀{LOW}", f"a{HIGH}{LOW}b\ud800"]
)
def test_surrogates_come_back_as_they_were(text):
    [output, _signal] = open_answer(answer_of(StageOutput.ok({text: [text]}), None, "s"))
    assert output.data == {text: [text]}


def test_numbers_come_back_as_they_were():
    numbers = [0, -0.0, 1, 1.0, True, 2**200, 1e-320, math.inf, -math.inf, math.nan]
    [output, _signal] = open_answer(answer_of(StageOutput.ok(numbers=numbers), None, "s"))
    assert same(output.data["numbers"], numbers)


def test_an_opened_answer_is_read_only_and_plain_to_pickle():
    output, signal = open_answer(
        answer_of(StageOutput.ok(a={"b": [1]}), Signal(routing={"c": [2]}), "s")
    )
    for write in (
        lambda: output.data.update(x=1),
        lambda: output.data["a"].update(x=1),
        lambda: output.data["a"]["b"].append(2),
        lambda: signal.routing["c"].append(2),
    ):
        with pytest.raises(FrozenDataError):
            write()
    assert pickle.loads(pickle.dumps(output)) == output


def test_each_opening_has_data_of_its_own():
    text = answer_of(StageOutput.ok(a=[1]), None, "s")
    assert open_answer(text)[0].data["a"] is not open_answer(text)[0].data["a"]


def test_artifacts_are_not_kept():
    made = StageOutput.ok(a=1).with_artifacts(StageArtifact("t", object()))
    assert open_answer(answer_of(made, None, "s"))[0] == StageOutput.ok(a=1)


@pytest.mark.parametrize(
    "value",
    [
        (1, 2),
        {1},
        frozenset(),
        b"bytes",
        1j,
        uuid4(),
        Fraction(1, 2),
        datetime.now(UTC),
        Color.RED,
        object(),
        type("Text", (str,), {})("text"),
        type("Numbers", (list,), {})(),
        type("Dict", (dict,), {})(),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_json_would_not_give_back_is_refused_with_its_path(value):
    refused = refusal_of({"words": [{}, {"start": value}]})
    assert f"data.words.1.start is of type {type(value).__name__}" in refused.message


def test_a_tuple_is_refused_as_a_reader_would_get_a_list():
    assert refusal_of({"a": (1,)}).hint == "Make it a list."


@pytest.mark.parametrize("key", [1, None, True, 1.5, ("a",), Color.RED])
def test_a_key_that_is_no_text_is_refused_with_the_path_of_its_dict(key):
    refused = refusal_of({"a": [{key: 1}]})
    assert "data.a.0 is a dict with the key" in refused.message
    assert type(key).__name__ in refused.message


def test_a_decision_that_json_would_not_give_back_is_refused_with_its_path():
    decision = RoutingDecision("r", metadata={"when": datetime.now(UTC)})
    with pytest.raises(StageOutputError, match=r"routing\.metadata\.when is of type datetime"):
        answer_of(StageOutput(StageOutput.ok().status, {}, routing=decision), None, "s")
    with pytest.raises(StageOutputError, match=r"signal\.routing\.metadata\.0 is of type tuple"):
        answer_of(StageOutput.ok(), Signal(routing={"metadata": [()]}), "s")


def test_an_integer_that_python_does_not_write_is_refused():
    assert "data.a is an integer of 50001 bits, too long" in refusal_of({"a": 1 << 50_000}).message


def test_data_as_deep_as_outputs_may_be_is_kept():
    data = nested(100)
    decision = RoutingDecision("r", metadata=data)
    made = StageOutput(StageOutput.ok().status, data, routing=decision)
    signal = Signal(routing={"metadata": data})
    assert open_answer(answer_of(seal(made, "s", 0), signal, "s")) == (
        open_output(seal(made, "s", 0)),
        signal,
    )


def test_data_that_is_deeper_or_contains_itself_is_refused():
    endless = {}
    endless["a"] = [endless]
    assert "deeper than 100 levels" in refusal_of(nested(101)).message
    assert "contains itself" in refusal_of(endless).message


def test_data_that_would_be_a_huge_text_is_refused(monkeypatch):
    monkeypatch.setattr(answers, "_MAX_SIZE", 10_000)
    shared = ["x"]
    for _ in range(90):
        shared = [shared, shared]
    for data in ({"a": shared}, {"a": "x" * 10_000}, {"x" * 10_000: 1}, {"a": 1 << 42_000}):
        assert "values and characters" in refusal_of(data).message


@pytest.mark.parametrize("output", [StageOutput.skip("s"), StageOutput.fail("f")])
def test_only_an_ok_output_is_an_answer(output):
    with pytest.raises(ValueError, match="only an ok output"):
        answer_of(output, None, "s")


def changed(**fields):
    document = json.loads(answer_of(StageOutput.ok(a=1), Signal("why"), "s"))
    return json.dumps({**document, **fields})


@pytest.mark.parametrize(
    "text",
    [
        "",
        "no JSON",
        "[]",
        "{}",
        "null",
        "[" * 100_000,
        '{"utf-8": 1}',
        '{"utf-8": "no code!"}',
        '{"utf-8": "AAAA"}',
        changed(form=2),
        changed(data=None),
        changed(data=[1]),
        changed(data=nested(200)),
        changed(version=1),
        changed(duration_ms=True),
        changed(duration_ms="1"),
        changed(signal=[]),
        changed(signal={}),
        changed(signal={"skip_reason": None, "route": None, "routing": None}),
        changed(routing={}),
        changed(
            routing={
                "selected_route": "r",
                "confidence": 2.0,
                "fallback_route": None,
                "metadata": {},
            }
        ),
    ],
    ids=lambda text: text[:40],
)
def test_a_text_that_is_no_answer_is_refused(text):
    with pytest.raises(RuntimeFault, match="cannot be read") as raised:
        open_answer(text)
    assert raised.value.code == "IDEMPOTENCY-STORE"
    assert len(raised.value.message) < 400


def test_the_text_that_the_tests_above_change_is_an_answer():
    assert open_answer(changed()) == (StageOutput.ok(a=1), Signal("why"))
