import copy
import pickle
from datetime import UTC, datetime
from uuid import UUID, uuid4

import pytest
from pydantic import ValidationError

from stageflow_actors import (
    ContextSnapshot,
    Conversation,
    ConversationRouting,
    DocumentEnrichment,
    Enrichments,
    FrozenDataError,
    InvalidRunInputError,
    MemoryEnrichment,
    Message,
    PipelineContext,
    ProfileEnrichment,
    RunIdentity,
)
from stageflow_actors.model.identity import new_id

NAIVE = datetime.fromisoformat("2024-05-06")
IDS = ["pipeline_run_id", "request_id", "session_id", "user_id", "org_id", "interaction_id"]


def test_ids_of_run_and_request_are_generated_as_uuid7_and_differ():
    identity = RunIdentity()
    assert identity.pipeline_run_id != identity.request_id
    for generated in (identity.pipeline_run_id, identity.request_id):
        assert type(generated) is UUID
        assert generated.version == 7
        assert generated.variant == "specified in RFC 4122"


def test_every_run_has_ids_of_its_own():
    assert len({PipelineContext.create().pipeline_run_id for _ in range(1_000)}) == 1_000


def test_ids_sort_by_the_time_of_their_creation():
    ids = [new_id() for _ in range(1_000)]
    assert ids == sorted(ids)


def test_the_other_ids_are_none_unless_given():
    identity = RunIdentity()
    assert [getattr(identity, name) for name in IDS[2:]] == [None] * 4


@pytest.mark.parametrize("name", IDS)
def test_a_given_id_is_kept_and_readable_on_the_snapshot(name):
    given = uuid4()
    context = PipelineContext.create(**{name: given})
    assert getattr(context.snapshot.run_id, name) == given
    assert getattr(context.snapshot, name) == given


def test_an_id_that_is_none_is_generated_where_one_is_needed():
    assert PipelineContext.create(pipeline_run_id=None).pipeline_run_id.version == 7


def test_an_id_that_is_no_uuid_is_refused():
    with pytest.raises(InvalidRunInputError, match="user_id"):
        PipelineContext.create(user_id="somebody")
    with pytest.raises(ValidationError, match="user_id"):
        RunIdentity(user_id="somebody")


def test_an_unknown_field_is_refused():
    with pytest.raises(ValidationError, match="inptu_text"):
        ContextSnapshot(inptu_text="x")
    with pytest.raises(ValidationError, match="tenant"):
        RunIdentity(tenant=uuid4())


def test_times_of_creation_have_their_zone():
    snapshot = ContextSnapshot()
    assert snapshot.created_at.tzinfo is UTC
    assert snapshot.run_id.created_at.tzinfo is UTC


@pytest.mark.parametrize("name", [*ContextSnapshot.model_fields, *RunIdentity.model_fields])
def test_no_field_of_a_snapshot_can_be_assigned(name):
    snapshot = ContextSnapshot(input_text="x")
    for target in (snapshot, snapshot.run_id):
        if name in type(target).model_fields:
            with pytest.raises(ValidationError, match="frozen"):
                setattr(target, name, None)


def test_metadata_is_frozen_at_every_depth():
    snapshot = ContextSnapshot(metadata={"tags": ["a"], "who": {"name": "n"}})
    with pytest.raises(FrozenDataError):
        snapshot.metadata["new"] = 1
    with pytest.raises(FrozenDataError):
        snapshot.metadata["tags"].append("b")
    with pytest.raises(FrozenDataError):
        snapshot.metadata["who"]["name"] = "m"


@pytest.mark.parametrize(
    "snapshot",
    [
        ContextSnapshot(),
        ContextSnapshot(input_text="x"),
        ContextSnapshot(metadata={}),
        PipelineContext().snapshot,
        PipelineContext.create().snapshot,
    ],
    ids=["default", "only text", "empty", "context", "created"],
)
def test_metadata_is_frozen_where_none_was_given(snapshot):
    assert snapshot.metadata == {}
    with pytest.raises(FrozenDataError):
        snapshot.metadata["new"] = 1


def test_changing_the_given_metadata_later_does_not_reach_the_snapshot():
    given = {"tags": ["a"]}
    snapshots = [ContextSnapshot(metadata=given), PipelineContext.create(metadata=given).snapshot]
    given["tags"].append("b")
    given["new"] = 1
    assert [snapshot.metadata for snapshot in snapshots] == [{"tags": ["a"]}] * 2


def test_metadata_that_contains_itself_is_refused():
    loop = {}
    loop["me"] = loop
    with pytest.raises(ValueError, match="contains itself"):
        ContextSnapshot(metadata=loop)
    with pytest.raises(InvalidRunInputError, match="metadata.*contains itself"):
        PipelineContext.create(metadata=loop)


@pytest.mark.parametrize("copy_of", [lambda s: pickle.loads(pickle.dumps(s)), copy.deepcopy])
def test_a_snapshot_survives_pickling_and_copying(copy_of):
    snapshot = PipelineContext.create(
        input_text="hi", topology="t", execution_mode="m", metadata={"n": [1]}, user_id=uuid4()
    ).snapshot
    assert copy_of(snapshot) == snapshot


def test_a_pickled_snapshot_is_still_frozen():
    back = pickle.loads(pickle.dumps(ContextSnapshot(metadata={"tags": []})))
    with pytest.raises(FrozenDataError):
        back.metadata["tags"].append("b")


def test_a_snapshot_is_ready_for_json():
    snapshot = ContextSnapshot(input_text="hi", metadata={"tags": ["a", {"n": 1}]})
    assert ContextSnapshot.model_validate_json(snapshot.model_dump_json()) == snapshot


def test_a_time_given_is_kept():
    then = datetime(2024, 1, 2, tzinfo=UTC)
    assert ContextSnapshot(created_at=then).created_at == then


# --- conversation, enrichments, audio -------------------------------------------------------------

ROUTED = Conversation(
    messages=[Message(role="user", content="hi")],
    routing_decision=ConversationRouting(agent_id="a"),
)
ENRICHED = Enrichments(
    profile=ProfileEnrichment(display_name="Ada"),
    memory=MemoryEnrichment(key_facts=["likes tea"]),
    documents=[DocumentEnrichment(document_id="d")],
    web_results=[{"url": "u"}],
)
SHORTCUTS = {
    "messages": (ROUTED, ()),
    "routing_decision": (ROUTED, None),
    "profile": (ENRICHED, None),
    "memory": (ENRICHED, None),
    "documents": (ENRICHED, ()),
    "web_results": (ENRICHED, ()),
}


@pytest.mark.parametrize(("name", "part"), SHORTCUTS.items(), ids=SHORTCUTS)
def test_what_is_in_a_bundle_can_be_read_on_the_snapshot(name, part):
    bundle, nothing = part
    snapshot = ContextSnapshot(conversation=ROUTED, enrichments=ENRICHED)
    assert getattr(snapshot, name) is getattr(bundle, name)
    assert getattr(ContextSnapshot(), name) == nothing
    assert (
        getattr(ContextSnapshot(conversation=Conversation(), enrichments=Enrichments()), name)
        == nothing
    )


def test_bundles_may_be_given_as_dicts():
    snapshot = ContextSnapshot(
        conversation={"messages": [{"role": "user", "content": "hi"}]},
        enrichments={"profile": {"display_name": "Ada"}},
        run_id={"user_id": str(new_id())},
    )
    assert type(snapshot.messages[0]) is Message
    assert snapshot.profile == ENRICHED.profile
    assert snapshot.user_id.version == 7


def test_the_length_of_the_audio_is_kept():
    assert ContextSnapshot().input_audio_duration_ms is None
    assert ContextSnapshot(input_audio_duration_ms=0).input_audio_duration_ms == 0


@pytest.mark.parametrize("wrong", [-1, True, 1.0, "1"], ids=repr)
def test_a_length_of_audio_that_is_no_count_is_refused(wrong):
    with pytest.raises(ValidationError, match="input_audio_duration_ms"):
        ContextSnapshot(input_audio_duration_ms=wrong)


class Thing:
    pass


def test_metadata_may_hold_anything():
    thing, naive = Thing(), NAIVE
    snapshot = ContextSnapshot(metadata={"thing": [thing], "at": naive})
    assert snapshot.metadata["thing"][0] is thing
    assert snapshot.metadata["at"] is naive


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({"created_at": NAIVE}, ("created_at",)),
        ({"run_id": {"created_at": NAIVE}}, ("run_id", "created_at")),
        ({"extensions": {"at": NAIVE}}, ("extensions", "at")),
        (
            {
                "conversation": {
                    "messages": [{"role": "", "content": "", "timestamp": "2024-05-06"}]
                }
            },
            ("conversation", "messages", 0, "timestamp"),
        ),
        (
            {"enrichments": {"profile": {"preferences": {"at": NAIVE}}}},
            ("enrichments", "profile", "preferences", "at"),
        ),
    ],
    ids=lambda value: ".".join(map(str, value)) if isinstance(value, tuple) else "",
)
def test_a_time_without_a_zone_is_refused_with_its_path(fields, path):
    with pytest.raises(ValidationError, match="needs its zone") as refused:
        ContextSnapshot(**fields)
    assert [error["loc"] for error in refused.value.errors()] == [path]


def test_an_error_about_very_deep_data_can_be_printed():
    deep = []
    for _ in range(10_000):
        deep = [deep]
    for fields in ({"metadata": {"a": deep}}, {"conversation": deep}, {"extensions": {"a": deep}}):
        with pytest.raises(ValidationError) as refused:
            ContextSnapshot(**fields)
        assert len(str(refused.value)) < 500
