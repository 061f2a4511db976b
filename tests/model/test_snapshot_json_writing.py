"""What would not come back from JSON as it was is not written: one error, with the path."""

import math
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import Enum, IntEnum, StrEnum
from uuid import uuid4

import pytest

from stageflow_actors import (
    ContextSnapshot,
    Conversation,
    DocumentEnrichment,
    Enrichments,
    Message,
    ProfileEnrichment,
    SnapshotError,
)


class Colour(Enum):
    RED = 1


class Level(IntEnum):
    HIGH = 1


class Name(StrEnum):
    ADA = "ada"


class Thing:
    def __repr__(self):
        raise AssertionError("shown whole")


class Bag(dict):
    pass


def refusals_of(snapshot):
    for flat in (False, True):
        for write in (snapshot.to_dict, snapshot.to_json):
            with pytest.raises(SnapshotError) as refused:
                write(flat=flat)
            assert refused.value.code == "SNAPSHOT-JSON"
            assert refused.value.hint
            assert len(str(refused.value)) < 600
            assert str(refused.value).isprintable()
            yield refused.value


def path_of(snapshot):
    (path,) = {refusal.path for refusal in refusals_of(snapshot)}
    return path


OPAQUE = [Colour.RED, Level.HIGH, Name.ADA, Thing(), Bag(), bytearray(b"x")]
PLAIN_BUT_NOT_JSON = [
    b"x", uuid4(), datetime.now(UTC), date(2024, 5, 6), Decimal(1), 1j, {1}, range(3),
    math.nan, math.inf, -math.inf, 10**5_000, -(10**5_000), {1: 2}, {None: 2}, {(1,): 2},
    "\ud83d\ude00", {"\ud83d\ude00": 1},
]  # fmt: skip


def kind_of(value):
    return f"{type(value).__name__}"


@pytest.mark.parametrize("value", OPAQUE, ids=kind_of)
def test_an_opaque_object_in_metadata_is_refused_with_its_path(value):
    assert path_of(ContextSnapshot(metadata={"a": [0, {"b": (1, value)}]})) == "metadata.a.1.b.1"


@pytest.mark.parametrize("value", PLAIN_BUT_NOT_JSON, ids=kind_of)
def test_a_value_without_a_form_in_json_is_refused_with_its_path_wherever_it_is(value):
    data = {"a": [0, {"b": value}]}
    in_metadata = path_of(ContextSnapshot(metadata=data))
    assert in_metadata.startswith("metadata.a.1.b")
    tail = in_metadata.removeprefix("metadata")
    message = Message(role="", content="", metadata=data)
    document = DocumentEnrichment(blocks=[{}, data])
    for part, path in [
        ({"extensions": data}, "extensions"),
        ({"conversation": Conversation(messages=[message])}, "conversation.messages.0.metadata"),
        ({"enrichments": Enrichments(web_results=[data])}, "enrichments.web_results.0"),
        ({"enrichments": Enrichments(documents=[document])}, "enrichments.documents.0.blocks.1"),
        (
            {"enrichments": Enrichments(profile=ProfileEnrichment(preferences=data))},
            "enrichments.profile.preferences",
        ),
    ]:
        assert path_of(ContextSnapshot(**part)) == path + tail


def test_the_refusal_says_what_is_wrong_and_what_to_do():
    for refusal in refusals_of(ContextSnapshot(metadata={"by": uuid4()})):
        assert refusal.message == "metadata.by: UUID is no type of JSON."
    for refusal in refusals_of(ContextSnapshot(metadata={"rate": math.nan})):
        assert refusal.message == "metadata.rate: nan is no number of JSON."
    for refusal in refusals_of(ContextSnapshot(metadata={"rates": {5: "x"}})):
        assert refusal.message == "metadata.rates: the key 5 is no text."


def test_a_text_that_would_come_back_as_another_is_refused_in_a_field_too():
    split = "\ud83d\ude00"
    assert path_of(ContextSnapshot(input_text=split)) == "input_text"
    said = Conversation(messages=[Message(role="user", content=f"hi {split}")])
    assert path_of(ContextSnapshot(conversation=said)) == "conversation.messages.0.content"
    topics = Enrichments(memory={"recent_topics": ["tea", split]})
    assert path_of(ContextSnapshot(enrichments=topics)) == "enrichments.memory.recent_topics.1"


def test_a_length_of_too_many_digits_is_refused():
    assert path_of(ContextSnapshot(input_audio_duration_ms=10**5_000)) == "input_audio_duration_ms"


def test_a_very_long_key_is_shortened_in_the_path():
    metadata = {"k" * 1_000_000: {"a": math.nan}}
    assert path_of(ContextSnapshot(metadata=metadata)) == f"metadata.{'k' * 40}....a"


class Order(ContextSnapshot):
    cups: int = 1


class Open(ContextSnapshot):
    model_config = {"extra": "allow"}


def test_a_field_that_json_has_no_place_for_is_refused():
    assert path_of(Order()) == "cups"
    assert path_of(Open(colour="red")) == "colour"


def test_what_cannot_be_written_can_still_be_carried():
    thing = Thing()
    snapshot = ContextSnapshot(metadata={"thing": thing, "rate": math.inf})
    assert snapshot.with_topology("t").metadata["thing"] is thing
