"""What is no snapshot is refused: one kind of error, with the path of the value at fault."""

import json
import math
from datetime import UTC, datetime
from uuid import uuid4

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stageflow_actors import ContextSnapshot, SnapshotError
from tests.model.strategies import PLAIN_DATA


def refusal_of(read, *arguments):
    with pytest.raises(SnapshotError) as refused:
        read(*arguments)
    assert refused.value.code == "SNAPSHOT-INVALID"
    assert len(str(refused.value)) < 600
    assert len(refused.value.path) < 600
    assert str(refused.value).isprintable()
    assert refused.value.__cause__ is None
    return refused.value


def of_dict(data):
    return refusal_of(ContextSnapshot.from_dict, data)


def of_text(text):
    return refusal_of(ContextSnapshot.from_json, text)


def nested_lists(depth):
    value = 0
    for _ in range(depth):
        value = [value]
    return value


MESSAGE = {"role": "user", "content": ""}
WRONG = [
    ({"run_id": 5}, "run_id"),
    ({"run_id": []}, "run_id"),
    ({"run_id": {"user_id": "somebody"}}, "run_id.user_id"),
    ({"run_id": {"user_id": 5}}, "run_id.user_id"),
    ({"run_id": {"pipeline_run_id": True}}, "run_id.pipeline_run_id"),
    ({"run_id": {"created_at": None}}, "run_id.created_at"),
    ({"run_id": {"tenant": "x"}}, "run_id.tenant"),
    ({"conversation": []}, "conversation"),
    ({"conversation": {"messages": None}}, "conversation.messages"),
    ({"conversation": {"messages": "hello"}}, "conversation.messages"),
    ({"conversation": {"messages": {"0": MESSAGE}}}, "conversation.messages"),
    ({"conversation": {"messages": [MESSAGE, "hello"]}}, "conversation.messages.1"),
    ({"conversation": {"messages": [{"role": "user"}]}}, "conversation.messages.0.content"),
    ({"conversation": {"messages": [{**MESSAGE, "role": 5}]}}, "conversation.messages.0.role"),
    ({"conversation": {"messages": [{**MESSAGE, "x": 5}]}}, "conversation.messages.0.x"),
    (
        {"conversation": {"messages": [{**MESSAGE, "timestamp": 5}]}},
        "conversation.messages.0.timestamp",
    ),
    (
        {"conversation": {"messages": [{**MESSAGE, "timestamp": "2024-05-06T07:08:09"}]}},
        "conversation.messages.0.timestamp",
    ),
    (
        {"conversation": {"messages": [{**MESSAGE, "metadata": []}]}},
        "conversation.messages.0.metadata",
    ),
    ({"conversation": {"routing_decision": "a"}}, "conversation.routing_decision"),
    (
        {"conversation": {"routing_decision": {"agent_id": False}}},
        "conversation.routing_decision.agent_id",
    ),
    ({"enrichments": {"profile": {"goals": "learn"}}}, "enrichments.profile.goals"),
    ({"enrichments": {"profile": {"goals": ["a", 1]}}}, "enrichments.profile.goals.1"),
    ({"enrichments": {"profile": {"preferences": None}}}, "enrichments.profile.preferences"),
    ({"enrichments": {"memory": {"summary": "x"}}}, "enrichments.memory.summary"),
    ({"enrichments": {"documents": [{"blocks": [{}, []]}]}}, "enrichments.documents.0.blocks.1"),
    ({"enrichments": {"documents": [{"document_id": 5}]}}, "enrichments.documents.0.document_id"),
    ({"enrichments": {"web_results": {}}}, "enrichments.web_results"),
    ({"enrichments": {"web_results": ["u"]}}, "enrichments.web_results.0"),
    ({"extensions": []}, "extensions"),
    ({"extensions": "Deal"}, "extensions"),
    ({"extensions": {}, "extensions_type": 5}, "extensions_type"),
    ({"extensions_type": "Deal"}, "extensions_type"),
    ({"input_text": 5}, "input_text"),
    ({"input_text": ["x"]}, "input_text"),
    ({"input_audio_duration_ms": True}, "input_audio_duration_ms"),
    ({"input_audio_duration_ms": 1.0}, "input_audio_duration_ms"),
    ({"input_audio_duration_ms": "1"}, "input_audio_duration_ms"),
    ({"input_audio_duration_ms": -1}, "input_audio_duration_ms"),
    ({"topology": False}, "topology"),
    ({"execution_mode": {}}, "execution_mode"),
    ({"created_at": None}, "created_at"),
    ({"created_at": 1_700_000_000}, "created_at"),
    ({"created_at": True}, "created_at"),
    ({"created_at": "1700000000"}, "created_at"),
    ({"created_at": "2024-05-06T07:08:09"}, "created_at"),
    ({"created_at": "yesterday"}, "created_at"),
    ({"metadata": None}, "metadata"),
    ({"metadata": []}, "metadata"),
    ({"inptu_text": "x"}, "inptu_text"),
    ({"user_id": "somebody"}, "user_id"),
    ({"identity_created_at": "2024-05-06"}, "identity_created_at"),
    ({"messages": "hello"}, "messages"),
    ({"messages": 0}, "messages"),
    ({"messages": [{"role": "user"}]}, "messages.0.content"),
    ({"routing_decision": {"agent": "a"}}, "routing_decision.agent"),
    ({"routing_decision": False}, "routing_decision"),
    ({"profile": {"user_id": 5}}, "profile.user_id"),
    ({"memory": []}, "memory"),
    ({"documents": [{"metadata": 5}]}, "documents.0.metadata"),
    ({"web_results": [5]}, "web_results.0"),
    ({"metadata": {}, "created_at": "x", "user_id": None}, "created_at"),
]


@pytest.mark.parametrize(("data", "path"), WRONG, ids=[json.dumps(data) for data, _ in WRONG])
def test_a_wrong_value_is_refused_with_its_path(data, path):
    assert of_dict(data).path == path
    assert of_text(json.dumps(data)).path == path
    assert of_dict(data).message.startswith(f"{path}: ")


def test_a_value_at_fault_is_shown_shortened():
    assert "got True" in of_dict({"topology": True}).message
    assert "got a dict of 2" in of_dict({"topology": {"a": 1, "b": 2}}).message
    assert "got a list of 1" in of_dict({"topology": ["a"]}).message
    refusal = of_dict({"input_audio_duration_ms": "9" * 1_000})
    assert "(1000 characters)" in refusal.message
    assert "secret" not in str(of_dict({"topology": {"secret": "secret"}}))
    assert "secret" not in str(of_dict({"conversation": {"messages": [{"secret": "secret"}]}}))


@pytest.mark.parametrize("data", [None, [], "{}", 5, [("input_text", "x")]], ids=repr)
def test_what_is_no_dict_is_refused(data):
    assert of_dict(data).path == ""


# --- values that no JSON has ----------------------------------------------------------------------


class Thing:
    pass


class Text(str):
    pass


class Bag(dict):
    pass


@pytest.mark.parametrize(
    "value",
    [
        math.nan,
        math.inf,
        -math.inf,
        b"x",
        uuid4(),
        datetime.now(UTC),
        {1},
        Thing(),
        Text("t"),
        Bag(),
    ],
    ids=lambda value: f"{type(value).__name__} {value}"[:12],
)
def test_a_value_that_no_json_has_is_refused_with_its_path(value):
    deep = {"a": [{"b": [0, value]}]}
    assert of_dict({"metadata": deep}).path == "metadata.a.0.b.1"
    assert of_dict({"extensions": deep}).path == "extensions.a.0.b.1"
    assert of_dict({"web_results": [deep]}).path == "web_results.0.a.0.b.1"
    assert of_dict({"created_at": value}).path == "created_at"


def test_the_first_value_at_fault_is_the_one_refused():
    both = {"a": [1, math.nan], "b": math.nan}
    assert of_dict({"metadata": both}).path == "metadata.a.1"


@pytest.mark.parametrize("key", [1, None, True, ("a",), b"k", Text("k")], ids=repr)
def test_a_key_that_is_no_text_is_refused_with_the_path_of_its_dict(key):
    assert of_dict({"metadata": {"a": [{key: 1}]}}).path == "metadata.a.0"
    assert of_dict({key: 1}).path == ""


def test_data_that_contains_itself_is_refused():
    loop, messages = {}, []
    loop["me"] = [loop]
    messages.append(messages)
    assert of_dict(loop).path == "me"
    assert of_dict({"metadata": loop}).path == "metadata"
    assert of_dict({"extensions": loop}).path == "extensions"
    assert of_dict({"web_results": [loop]}).path == "web_results.0"
    assert of_dict({"conversation": loop}).path == "conversation.me"
    assert of_dict({"messages": messages}).path == "messages.0"
    both = {"conversation": {"messages": messages}, "messages": [messages]}
    assert of_dict(both).path == "conversation.messages.0"


@pytest.mark.parametrize("depth", [101, 400, 10_000])
def test_data_that_is_too_deep_is_refused_wherever_it_is(depth):
    deep = nested_lists(depth)
    assert of_dict({"metadata": {"a": deep}}).path == "metadata"
    assert of_dict({"extensions": {"a": deep}}).path == "extensions"
    assert of_dict({"web_results": [{"a": deep}]}).path == "web_results.0"
    assert of_dict({"conversation": deep}).path == "conversation"
    assert of_dict({"documents": deep}).path == "documents.0"
    assert of_dict({"topology": deep}).path == "topology"
    both = {"conversation": None, "messages": deep}
    assert of_dict(both).path == "conversation.messages.0"
    same = {"conversation": {"messages": deep}, "messages": nested_lists(depth)}
    assert of_dict(same).path == "conversation.messages.0"


def test_a_part_in_many_places_is_looked_at_once():
    value = ["leaf"]
    for _ in range(60):
        value = [value, value]
    read = ContextSnapshot.from_dict({"metadata": {"a": value}, "web_results": [{"a": value}]})
    assert len(read.metadata["a"]) == 2
    one, other = ({"messages": [{**MESSAGE, "metadata": {"a": value}}]} for _ in range(2))
    assert ContextSnapshot.from_dict({"conversation": one, **other}).messages


# --- text -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    ["", "nul", "{", "{'a': 1}", '{"topology": "x",}', "\ufeff{}", '{"topology": "\n"}', "1 2",
     b"\xff\xfe", b'{"topology": "\xff"}', None, 5, {}],
    ids=repr,
)  # fmt: skip
def test_a_text_that_is_no_json_is_refused(text):
    refusal = of_text(text)
    assert refusal.path == ""
    assert refusal.hint


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ('{"topology": "a", "topology": "b"}', "topology"),
        ('{"topology": "a", "topology": "a"}', "topology"),
        ('{"metadata": {"a": [0, {"b": 1, "c": 2, "b": 3}]}}', "metadata.a.1.b"),
        ('{"metadata": {"a": {"x": 1, "x": 1}, "a": 2}}', "metadata.a"),
        ('{"a": {"b": 1, "b": 2}}', "a.b"),
        ('[{"b": 1, "b": 2}]', "0.b"),
    ],
)
def test_a_key_that_is_there_twice_is_refused_with_its_path(text, path):
    refusal = of_text(text)
    assert refusal.path == path
    assert "twice" in refusal.message


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999", "-1e400"])
def test_a_number_that_is_none_is_refused_with_its_path(number):
    assert of_text(f'{{"metadata": {{"a": [0, {number}]}}}}').path == "metadata.a.1"
    assert of_text(f'{{"input_audio_duration_ms": {number}}}').path == "input_audio_duration_ms"


def test_an_integer_of_too_many_digits_is_refused_with_its_path():
    digits = "9" * 5_000
    refusal = of_text(f'{{"metadata": {{"a": [0, {digits}]}}}}')
    assert refusal.path == "metadata.a.1"
    assert "5000 digits" in refusal.message
    assert of_text(digits).path == ""
    assert of_text(f'{{"metadata": {{"n": {digits},}}}}').path == ""


@pytest.mark.parametrize("depth", [10_000, 100_000])
def test_a_text_that_is_too_deep_is_refused_with_its_path(depth):
    start = '{"topology": "[{\\"", "metadata": {"a": [1, {}, {"b]": '
    for opening, step in (("[", "0"), ('{"k": ', "k")):
        refusal = of_text(start + opening * depth)
        assert refusal.path.startswith(f"metadata.a.2.b].{step}.{step}.")
        assert "nested deeper" in refusal.message
    assert of_text("[" * depth).path.startswith("0.0.")
    digits = "9" * 5_000
    assert of_text(f'{{"topology": {digits}, "metadata": ' + "[" * depth).path.startswith(
        "metadata"
    )


@pytest.mark.parametrize("text", ["{}", "{}]", '"x", {}', "[[1], 2"])
def test_a_text_that_the_stack_has_no_room_for_is_refused(text, monkeypatch):
    def has_no_room(*_arguments, **_options):
        raise RecursionError

    monkeypatch.setattr(json, "loads", has_no_room)
    assert "stack" in of_text(text).message


def test_a_very_long_or_odd_key_is_shortened_in_the_path():
    long = "k" * 1_000_000
    refusal = of_dict({"metadata": {long: {"a": math.nan}}})
    assert refusal.path == f"metadata.{'k' * 40}....a"
    assert of_dict({long: 1}).path == f"{'k' * 40}..."
    assert of_dict({"metadata": {"\ud800\n": math.nan}}).path == "metadata.\\ud800\\n"


def test_a_very_long_path_is_shortened():
    deep = math.nan
    for step in reversed(range(90)):
        deep = {f"k{step}": deep}
    path = of_dict({"metadata": deep}).path
    assert path == "metadata.k0.k1.k2.k3.k4.k5.k6.k7.k8.k9.(79 levels).k89"


@settings(deadline=None)
@given(st.dictionaries(st.sampled_from([*ContextSnapshot().to_dict(), "messages"]), PLAIN_DATA))
def test_whatever_is_given_it_is_read_or_refused(data):
    try:
        snapshot = ContextSnapshot.from_dict(data)
    except SnapshotError as refused:
        assert refused.code == "SNAPSHOT-INVALID"
    else:
        assert ContextSnapshot.from_json(snapshot.to_json()) == snapshot


@settings(deadline=None)
@given(st.text() | st.binary())
def test_whatever_the_text_is_it_is_read_or_refused(text):
    try:
        ContextSnapshot.from_json(text)
    except SnapshotError as refused:
        assert refused.code == "SNAPSHOT-INVALID"
