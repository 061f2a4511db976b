"""Nested, flat and both at once: what stageflow-core writes is read, contradictions are not."""

import copy
import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from uuid import uuid4

import pytest
import stageflow.context as core
from hypothesis import given, settings
from hypothesis import strategies as st

from stageflow_actors import ContextSnapshot, ExtensionBundle, SnapshotError

IDS = ["pipeline_run_id", "request_id", "session_id", "user_id", "org_id", "interaction_id"]
BUNDLES = ["run_id", "conversation", "enrichments"]
ALL_IDS = {name: uuid4() for name in IDS}
THEN = datetime(2024, 5, 6, 7, 8, 9, 10, tzinfo=UTC)


@dataclass(frozen=True)
class CoreDeal(core.ExtensionBundle):
    title: str = ""
    tags: list[str] = field(default_factory=list)


class CoreDealHere(ExtensionBundle):
    title: str = ""
    tags: list[str] = []


WHOLE = core.ContextSnapshot(
    run_id=core.RunIdentity(**ALL_IDS, created_at=THEN),
    enrichments=core.Enrichments(
        profile=core.ProfileEnrichment(
            user_id=uuid4(), display_name="Ada", preferences={"a": [1]}, goals=["learn"]
        ),
        memory=core.MemoryEnrichment(
            recent_topics=["tea"], key_facts=["likes tea"], interaction_history_summary="s"
        ),
        documents=[
            core.DocumentEnrichment(
                document_id="d", document_type="pdf", blocks=[{"t": "x"}], metadata={"p": 1}
            )
        ],
        web_results=[{"url": "u"}],
    ),
    conversation=core.Conversation(
        messages=[
            core.Message(role="user", content="hi", timestamp=THEN, metadata={"n": 1}),
            core.Message(role="assistant", content="hello"),
        ],
        routing_decision=core.RoutingDecision("a", "chat", "fast", "asked for"),
    ),
    extensions=CoreDeal(title="Tea", tags=["green"]),
    input_text="hi",
    input_audio_duration_ms=1200,
    topology="chat_fast",
    execution_mode="practice",
    created_at=THEN,
    metadata={"m": [1, None, "x"]},
)
SHAPES = {
    "whole": WHOLE,
    "ids": core.ContextSnapshot(run_id=core.RunIdentity(**ALL_IDS)),
    "empty": core.ContextSnapshot(),
    "empty bundles": core.ContextSnapshot(
        conversation=core.Conversation(), enrichments=core.Enrichments()
    ),
    "dict": core.ContextSnapshot(extensions={"a": 1}),
    "only messages": core.ContextSnapshot(
        conversation=core.Conversation(messages=[core.Message(role="user", content="hi")])
    ),
    "only documents": core.ContextSnapshot(
        enrichments=core.Enrichments(documents=[core.DocumentEnrichment()])
    ),
}
OF_CORE = pytest.mark.parametrize("written", SHAPES.values(), ids=SHAPES)


NUMBERS = st.integers() | st.floats(allow_nan=False, allow_infinity=False)
VALUES = st.none() | st.booleans() | st.text(max_size=4) | NUMBERS
DATA = st.dictionaries(st.text(max_size=4), VALUES | st.lists(VALUES, max_size=3), max_size=4)


def without(data, names):
    return {name: value for name, value in data.items() if name not in names}


def nested_of(data):
    return {name: data[name] for name in ContextSnapshot.model_fields}


def flat_of(data):
    return without(data, BUNDLES)


def separate_copies():
    """What core writes, with nothing shared between the two copies."""
    return json.loads(json.dumps(WHOLE.to_dict()))


def refusal_of(data):
    with pytest.raises(SnapshotError) as refused:
        ContextSnapshot.from_dict(data)
    return refused.value


def with_same_ids(data, snapshot):
    """``data`` with those ids that were null and had to be made."""
    made = {name: str(getattr(snapshot, name)) for name in IDS[:2]}
    data = copy.deepcopy(data)
    for part in (data, data.get("run_id", {})):
        part.update({name: made[name] for name in made if name in part})
    return data


# --- what stageflow-core writes -------------------------------------------------------------------


@OF_CORE
def test_what_core_writes_is_read_in_both_copies_at_once(written):
    data = json.loads(json.dumps(written.to_dict()))
    snapshot = ContextSnapshot.from_dict(data)
    assert snapshot.to_dict() == with_same_ids(nested_of(data), snapshot)
    assert ContextSnapshot.from_json(json.dumps(data)).created_at == snapshot.created_at


@OF_CORE
def test_either_copy_of_what_core_writes_is_enough(written):
    data = written.to_dict()
    nested = ContextSnapshot.from_dict(nested_of(data))
    flat = ContextSnapshot.from_dict(flat_of(data))
    assert nested.to_dict() == with_same_ids(nested_of(data), nested)
    assert flat.to_dict(flat=True) == with_same_ids(flat_of(data), flat)


def test_text_in_either_form_is_relayed_to_the_byte():
    data = WHOLE.to_dict()
    nested = json.dumps(nested_of(data))
    assert ContextSnapshot.from_json(nested).to_json() == nested
    bundled = ["messages", "routing_decision", "profile", "memory", "documents", "web_results"]
    shared = [name for name in ContextSnapshot.model_fields if name not in BUNDLES]
    flat = json.dumps({name: data[name] for name in [*IDS, *bundled, *shared]})
    assert ContextSnapshot.from_json(flat).to_json(flat=True) == flat


def test_an_id_of_a_run_or_request_that_is_null_is_made_anew_and_others_stay_null():
    data = core.ContextSnapshot().to_dict()
    first, second = ContextSnapshot.from_dict(data), ContextSnapshot.from_dict(data)
    assert first.pipeline_run_id != second.pipeline_run_id
    assert first.request_id.version == 7
    assert [getattr(first, name) for name in IDS[2:]] == [None] * 4


def test_extensions_of_core_become_a_bundle_of_that_name():
    data = WHOLE.to_dict()
    read = ContextSnapshot.from_dict(data, {"CoreDeal": CoreDealHere})
    assert read.extensions == CoreDealHere(title="Tea", tags=["green"])
    assert read.extensions_type == "CoreDealHere"
    unknown = ContextSnapshot.from_dict(data)
    assert unknown.extensions == {"title": "Tea", "tags": ["green"]}
    assert unknown.extensions_type == "CoreDeal"


@settings(deadline=None)
@given(DATA, st.text(), st.text())
def test_whatever_core_carries_is_read(data, role, content):
    written = core.ContextSnapshot(
        conversation=core.Conversation(messages=[core.Message(role, content, THEN, data)]),
        enrichments=core.Enrichments(web_results=[data]),
        extensions=data,
        metadata=data,
    )
    read = ContextSnapshot.from_dict(written.to_dict())
    assert (read.metadata, read.web_results, read.extensions) == (data, (data,), data)
    assert (read.messages[0].role, read.messages[0].content) == (role, content)


# --- copies that contradict each other ------------------------------------------------------------

OTHER = str(uuid4())
CHANGES = [
    (["pipeline_run_id"], OTHER, "run_id.pipeline_run_id"),
    (["interaction_id"], None, "run_id.interaction_id"),
    (["run_id", "user_id"], None, "run_id.user_id"),
    (["run_id"], None, "run_id.pipeline_run_id"),
    (["run_id"], {}, "run_id.pipeline_run_id"),
    (["messages", 1, "content"], "bye", "conversation.messages.1.content"),
    (["messages", 0, "metadata", "n"], True, "conversation.messages.0.metadata.n"),
    (["messages", 0, "metadata", "n"], 1.0, "conversation.messages.0.metadata.n"),
    (["messages", 0, "metadata"], {}, "conversation.messages.0.metadata.n"),
    (["messages", 0, "metadata", "more"], 1, "conversation.messages.0.metadata.more"),
    (["messages"], [], "conversation.messages.0"),
    (["conversation"], None, "conversation.messages.0"),
    (["conversation", "messages"], [], "conversation.messages.0"),
    (["routing_decision"], None, "conversation.routing_decision"),
    (["profile", "goals"], ["rest"], "enrichments.profile.goals.0"),
    (["memory", "key_facts"], [], "enrichments.memory.key_facts.0"),
    (["enrichments"], None, "enrichments.profile"),
    (["documents", 0, "blocks", 0], [], "enrichments.documents.0.blocks.0"),
    (["web_results"], {}, "enrichments.web_results"),
    (["web_results", 0, "url"], None, "enrichments.web_results.0.url"),
    (["identity_created_at"], "2024-01-01T00:00:00+00:00", "run_id.created_at"),
]


@pytest.mark.parametrize(
    ("place", "value", "path"), CHANGES, ids=[".".join(map(str, c[0])) for c in CHANGES]
)
def test_two_copies_that_differ_are_refused_with_the_path_of_the_difference(place, value, path):
    data = separate_copies()
    ContextSnapshot.from_dict(data)
    *way, last = place
    part = data
    for step in way:
        part = part[step]
    part[last] = value
    refusal = refusal_of(data)
    assert refusal.path == path
    assert "its copy" in refusal.message
    assert refusal.hint


def test_a_key_that_only_one_copy_has_is_shown_as_nothing():
    data = separate_copies()
    data["messages"][0]["metadata"]["more"] = 1
    expected = "nothing here, but 1 in its copy messages.0.metadata.more."
    assert expected in refusal_of(data).message


def test_the_order_of_keys_is_no_difference():
    data = separate_copies()
    data["profile"] = dict(reversed(data["profile"].items()))
    assert ContextSnapshot.from_dict(data).profile.display_name == "Ada"


def test_a_part_may_be_flat_while_another_is_nested():
    data = WHOLE.to_dict()
    mixed = without(data, [*IDS, "conversation"])
    mixed = without(mixed, ["profile", "memory", "documents", "web_results"])
    assert ContextSnapshot.from_dict(mixed).to_dict() == nested_of(data)


def test_both_copies_that_are_wrong_are_refused_with_the_nested_path():
    data = separate_copies()
    for part in (data, data["run_id"]):
        part["user_id"] = "somebody"
    assert refusal_of(data).path == "run_id.user_id"
    data["run_id"] = "none"
    assert refusal_of(data).path == "run_id"
