"""Snapshots go to JSON and come back as they were, to the byte."""

import json
from datetime import UTC, datetime, timedelta, timezone
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stageflow_actors import (
    ContextSnapshot,
    Conversation,
    ConversationRouting,
    DocumentEnrichment,
    Enrichments,
    MemoryEnrichment,
    Message,
    ProfileEnrichment,
    RunIdentity,
)

FORMS = pytest.mark.parametrize("flat", [False, True], ids=["nested", "flat"])

TEXTS = st.text(max_size=8)
MAYBE_TEXTS = st.none() | TEXTS
OFFSETS = st.integers(-86_399, 86_399).map(lambda seconds: timezone(timedelta(seconds=seconds)))
TIMES = st.datetimes(timezones=st.just(UTC) | OFFSETS)
ANY_TEXTS = TEXTS | st.text(st.characters(categories=["Cs"]), max_size=1)
JSON_DATA = st.recursive(
    st.none() | st.booleans() | st.integers() | st.integers(-(10**400), 10**400)
    | st.floats(allow_nan=False, allow_infinity=False) | ANY_TEXTS,
    lambda items: (
        st.lists(items, max_size=3) | st.dictionaries(ANY_TEXTS, items, max_size=3)
    ),
    max_leaves=8,
)  # fmt: skip
DATA = st.dictionaries(ANY_TEXTS, JSON_DATA, max_size=3)


def lists(items):
    return st.lists(items, max_size=3)


MESSAGES = st.builds(Message, role=TEXTS, content=TEXTS, timestamp=st.none() | TIMES, metadata=DATA)
ROUTINGS = st.builds(
    ConversationRouting,
    agent_id=MAYBE_TEXTS, pipeline_name=MAYBE_TEXTS, topology=MAYBE_TEXTS, reason=MAYBE_TEXTS,
)  # fmt: skip
PROFILES = st.builds(
    ProfileEnrichment,
    user_id=st.none() | st.uuids(), display_name=MAYBE_TEXTS, preferences=DATA, goals=lists(TEXTS),
)  # fmt: skip
MEMORIES = st.builds(
    MemoryEnrichment,
    recent_topics=lists(TEXTS), key_facts=lists(TEXTS), interaction_history_summary=MAYBE_TEXTS,
)  # fmt: skip
DOCUMENTS = st.builds(
    DocumentEnrichment,
    document_id=MAYBE_TEXTS, document_type=MAYBE_TEXTS, blocks=lists(DATA), metadata=DATA,
)  # fmt: skip
SNAPSHOTS = st.builds(
    ContextSnapshot,
    run_id=st.builds(
        RunIdentity,
        pipeline_run_id=st.uuids(), request_id=st.uuids(), session_id=st.none() | st.uuids(),
        user_id=st.none() | st.uuids(), org_id=st.none() | st.uuids(),
        interaction_id=st.none() | st.uuids(), created_at=TIMES,
    ),
    enrichments=st.none() | st.builds(
        Enrichments,
        profile=st.none() | PROFILES, memory=st.none() | MEMORIES,
        documents=lists(DOCUMENTS), web_results=lists(DATA),
    ),
    conversation=st.none() | st.builds(
        Conversation, messages=lists(MESSAGES), routing_decision=st.none() | ROUTINGS
    ),
    extensions=st.none() | DATA,
    input_text=MAYBE_TEXTS,
    input_audio_duration_ms=st.none() | st.integers(0, 10**400),
    topology=MAYBE_TEXTS,
    execution_mode=MAYBE_TEXTS,
    created_at=TIMES,
    metadata=DATA,
)  # fmt: skip


@settings(deadline=None)
@given(SNAPSHOTS)
def test_a_snapshot_comes_back_from_nested_json_as_it_was(snapshot):
    text = snapshot.to_json()
    back = ContextSnapshot.from_json(text)
    assert back == snapshot
    assert back.to_json() == text


@settings(deadline=None)
@given(SNAPSHOTS)
def test_flat_json_comes_back_to_the_byte(snapshot):
    text = snapshot.to_json(flat=True)
    back = ContextSnapshot.from_json(text)
    assert back.to_json(flat=True) == text
    for name in ("run_id", "messages", "routing_decision", "profile", "memory", "documents"):
        assert getattr(back, name) == getattr(snapshot, name)


@settings(deadline=None)
@given(SNAPSHOTS, st.booleans())
def test_the_dict_is_what_the_text_says(snapshot, flat):
    data = snapshot.to_dict(flat=flat)
    assert json.dumps(data) == snapshot.to_json(flat=flat)
    assert json.loads(snapshot.to_json(flat=flat)) == data
    assert ContextSnapshot.from_dict(data).to_dict(flat=flat) == data


THEN = datetime(2024, 5, 6, 7, 8, 9, 10, tzinfo=UTC)
WHOLE = ContextSnapshot(
    run_id=RunIdentity(
        pipeline_run_id=UUID(int=1), request_id=UUID(int=2), user_id=UUID(int=3), created_at=THEN
    ),
    enrichments=Enrichments(web_results=[{"url": "u"}]),
    conversation=Conversation(
        messages=[Message(role="user", content="hé", timestamp=None, metadata={"n": (1, 2)})]
    ),
    extensions={"level": 3},
    extensions_type="Learner",
    input_text="hi",
    input_audio_duration_ms=0,
    created_at=datetime(2024, 5, 6, tzinfo=timezone(timedelta(hours=-3, minutes=-30))),
    metadata={"b": 1, "a": 2},
)


def test_the_nested_form_is_this():
    assert WHOLE.to_json() == (
        '{"run_id": {"pipeline_run_id": "00000000-0000-0000-0000-000000000001", '
        '"request_id": "00000000-0000-0000-0000-000000000002", "session_id": null, '
        '"user_id": "00000000-0000-0000-0000-000000000003", "org_id": null, '
        '"interaction_id": null, "created_at": "2024-05-06T07:08:09.000010+00:00"}, '
        '"enrichments": {"profile": null, "memory": null, "documents": [], '
        '"web_results": [{"url": "u"}]}, '
        '"conversation": {"messages": [{"role": "user", "content": "h\\u00e9", '
        '"timestamp": null, "metadata": {"n": [1, 2]}}], "routing_decision": null}, '
        '"extensions": {"level": 3}, "extensions_type": "Learner", "input_text": "hi", '
        '"input_audio_duration_ms": 0, "topology": null, "execution_mode": null, '
        '"created_at": "2024-05-06T00:00:00-03:30", "metadata": {"b": 1, "a": 2}}'
    )


def test_the_flat_form_has_the_keys_of_the_bundles_at_the_top():
    assert list(WHOLE.to_dict(flat=True)) == [
        "pipeline_run_id", "request_id", "session_id", "user_id", "org_id", "interaction_id",
        "identity_created_at", "messages", "routing_decision", "profile", "memory", "documents",
        "web_results", "extensions", "extensions_type", "input_text", "input_audio_duration_ms",
        "topology", "execution_mode", "created_at", "metadata",
    ]  # fmt: skip
    nested, flat = WHOLE.to_dict(), WHOLE.to_dict(flat=True)
    assert flat["user_id"] == nested["run_id"]["user_id"]
    assert flat["messages"] == nested["conversation"]["messages"]
    assert flat["web_results"] == nested["enrichments"]["web_results"]


def test_the_nested_form_has_every_field_of_a_snapshot_in_order():
    assert list(WHOLE.to_dict()) == list(ContextSnapshot.model_fields)
    for name in ("run_id", "conversation", "enrichments"):
        part = getattr(WHOLE, name)
        assert list(WHOLE.to_dict()[name]) == list(type(part).model_fields)


def test_the_flat_form_leaves_out_when_the_ids_were_made_if_the_snapshot_says_the_same():
    same = WHOLE.with_run_id(WHOLE.run_id.model_copy(update={"created_at": WHOLE.created_at}))
    text = same.to_json(flat=True)
    assert "identity_created_at" not in text
    back = ContextSnapshot.from_json(text)
    assert back.run_id == same.run_id
    assert back.to_json(flat=True) == text


@FORMS
def test_what_to_dict_gives_is_the_callers_own(flat):
    before = WHOLE.to_json(flat=flat)
    data = WHOLE.to_dict(flat=flat)
    data["metadata"]["new"] = 1
    data["extensions"].clear()
    (data["messages"] if flat else data["conversation"]["messages"])[0]["metadata"]["n"].append(3)
    assert WHOLE.to_json(flat=flat) == before


@FORMS
def test_a_frozen_dict_can_be_read(flat):
    carried = ContextSnapshot(metadata={"snapshot": WHOLE.to_dict(flat=flat)})
    frozen = carried.metadata["snapshot"]
    assert ContextSnapshot.from_dict(frozen).to_dict(flat=flat) == frozen


@FORMS
def test_bytes_are_read_as_utf_8(flat):
    data = json.dumps(WHOLE.to_dict(flat=flat), ensure_ascii=False).encode()
    assert ContextSnapshot.from_json(data).to_json(flat=flat) == WHOLE.to_json(flat=flat)


@FORMS
def test_odd_but_sound_values_come_back_to_the_byte(flat):
    odd = {
        "k" * 1_000_000: "v" * 1_000_000,
        "\ud800": ["\udfff", "\udc00\ud800", "\U0001f600", "\u2028", "\x00", "\x7f", '/\\"'],
        "numbers": [0, -0.0, 1e-320, 1.7976931348623157e308, 2**63, -(10**4_000), 0.1, 1e22],
        "": {"": {"": None}},
        "deep": nested(98),
    }
    snapshot = ContextSnapshot(metadata=odd, input_text="\ud800")
    text = snapshot.to_json(flat=flat)
    back = ContextSnapshot.from_json(text)
    assert back.metadata == odd
    assert back.to_json(flat=flat) == text


def nested(depth):
    value = "bottom"
    for _ in range(depth):
        value = [value]
    return value


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("2024-05-06T07:08:09Z", "2024-05-06T07:08:09+00:00"),
        ("2024-05-06T07:08:09.5+02:00", "2024-05-06T07:08:09.500000+02:00"),
        ("1901-01-01T00:00:00+01:00:30", "1901-01-01T00:00:00+01:00:30"),
    ],
)
def test_times_of_others_are_read_as_iso_8601(written, read):
    assert ContextSnapshot.from_dict({"created_at": written}).created_at.isoformat() == read


@settings(deadline=None)
@given(
    st.datetimes(timezones=st.sampled_from(["Europe/Lisbon", "Asia/Kathmandu"]).map(ZoneInfo)),
    st.booleans(),
)
def test_a_time_of_a_zone_is_written_with_its_offset_and_stays_the_same_instant(time, is_later):
    time = time.replace(fold=is_later)
    snapshot = ContextSnapshot(created_at=time)
    text = snapshot.to_json()
    back = ContextSnapshot.from_json(text)
    assert back.to_json() == text
    # Python calls a time that a clock shows twice, or never, equal to none in another zone.
    assert back.created_at.astimezone(UTC) == time.astimezone(UTC)


def test_missing_parts_get_their_defaults():
    empty = ContextSnapshot.from_json("{}")
    fields = ContextSnapshot(run_id=empty.run_id, created_at=empty.created_at)
    assert empty == fields
    assert empty.pipeline_run_id.version == 7
    said = ContextSnapshot.from_dict({"messages": [{"role": "user", "content": "hi"}]})
    assert said.messages[0].timestamp is not None


@pytest.mark.parametrize("form", [{"run_id": None}, {"pipeline_run_id": None}, {"run_id": {}}])
def test_ids_are_as_old_as_the_snapshot_where_nothing_else_is_said(form):
    read = ContextSnapshot.from_dict({**form, "created_at": THEN.isoformat()})
    assert read.run_id.created_at == read.created_at == THEN
