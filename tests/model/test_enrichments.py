import copy
import pickle
from datetime import UTC, date, datetime
from enum import Enum
from uuid import uuid4

import pytest
from pydantic import ValidationError

from stageflow_actors import (
    DocumentEnrichment,
    Enrichments,
    FrozenDataError,
    MemoryEnrichment,
    ProfileEnrichment,
)
from tests.model.counting import calls_made_by

NAIVE = datetime.fromisoformat("2024-05-06")
WHOLE = Enrichments(
    profile=ProfileEnrichment(
        user_id=uuid4(), display_name="Ada", preferences={"theme": {"dark": [1]}}, goals=["learn"]
    ),
    memory=MemoryEnrichment(
        recent_topics=["tea"], key_facts=["likes tea"], interaction_history_summary="short"
    ),
    documents=[
        DocumentEnrichment(
            document_id="d", document_type="pdf", blocks=[{"rows": [[1]]}], metadata={"p": [1]}
        )
    ],
    web_results=[{"url": "https://example.org", "hits": [1]}],
)


class Colour(Enum):
    RED = 1


class Thing:
    pass


def path_of(refused):
    return refused.value.errors()[0]["loc"]


def test_everything_is_empty_unless_given():
    assert Enrichments().model_dump() == {
        "profile": None,
        "memory": None,
        "documents": (),
        "web_results": (),
    }
    assert ProfileEnrichment().model_dump() == {
        "user_id": None,
        "display_name": None,
        "preferences": {},
        "goals": (),
    }
    assert (MemoryEnrichment().recent_topics, MemoryEnrichment().key_facts) == ((), ())
    assert (DocumentEnrichment().blocks, DocumentEnrichment().metadata) == ((), {})


@pytest.mark.parametrize(
    ("fields", "has_any"),
    [
        ({}, False),
        ({"documents": [], "web_results": []}, False),
        ({"profile": ProfileEnrichment()}, True),
        ({"memory": MemoryEnrichment()}, True),
        ({"documents": [DocumentEnrichment()]}, True),
        ({"web_results": [{}]}, True),
    ],
)
def test_there_is_any_where_one_of_the_four_is_there(fields, has_any):
    assert Enrichments(**fields).has_any is has_any


@pytest.mark.parametrize(
    "container",
    [
        WHOLE.profile.preferences["theme"]["dark"],
        WHOLE.documents[0].blocks[0]["rows"][0],
        WHOLE.documents[0].metadata["p"],
        WHOLE.web_results[0]["hits"],
    ],
    ids=["preferences", "blocks", "metadata", "web_results"],
)
def test_data_is_frozen_at_every_depth(container):
    with pytest.raises(FrozenDataError):
        container.append(2)


def test_data_is_frozen_where_none_was_given():
    for data in (ProfileEnrichment().preferences, DocumentEnrichment().metadata):
        with pytest.raises(FrozenDataError):
            data["new"] = 1


def test_lists_become_tuples_and_later_changes_do_not_reach_them():
    goals, blocks = ["learn"], [{"rows": [1]}]
    profile, document = ProfileEnrichment(goals=goals), DocumentEnrichment(blocks=blocks)
    goals.append("more")
    blocks[0]["rows"].append(2)
    assert profile.goals == ("learn",)
    assert document.blocks == ({"rows": [1]},)


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({"profile": {"user_id": "somebody"}}, ("profile", "user_id")),
        ({"profile": {"user_id": True}}, ("profile", "user_id")),
        ({"profile": {"goals": "learn"}}, ("profile", "goals")),
        ({"profile": {"goals": ["a", 1]}}, ("profile", "goals", 1)),
        ({"profile": {"preferences": [1]}}, ("profile", "preferences")),
        ({"profile": {"preferences": {1: 1}}}, ("profile", "preferences", 1, "[key]")),
        ({"memory": {"key_facts": "tea"}}, ("memory", "key_facts")),
        ({"memory": {"summary": "old name"}}, ("memory", "summary")),
        ({"documents": {"document_id": "d"}}, ("documents",)),
        ({"documents": [{"doc_id": "old name"}]}, ("documents", 0, "doc_id")),
        ({"documents": [{"blocks": [{}, "text"]}]}, ("documents", 0, "blocks", 1)),
        ({"web_results": ["https://example.org"]}, ("web_results", 0)),
        ({"web": []}, ("web",)),
    ],
)
def test_a_wrong_type_or_name_is_refused_with_its_path(fields, path):
    with pytest.raises(ValidationError) as refused:
        Enrichments(**fields)
    assert path_of(refused) == path


@pytest.mark.parametrize("opaque", [Thing(), Colour.RED, bytearray(b"x"), len], ids=repr)
def test_an_opaque_object_is_refused_with_its_path_at_any_depth(opaque):
    deep = {"a": [1, {"b": (0, opaque)}]}
    for fields, path in [
        ({"profile": {"preferences": deep}}, ("profile", "preferences")),
        ({"documents": [{"blocks": [{}, deep]}]}, ("documents", 0, "blocks", 1)),
        ({"documents": [{"metadata": deep}]}, ("documents", 0, "metadata")),
        ({"web_results": [deep]}, ("web_results", 0)),
    ]:
        with pytest.raises(ValidationError, match="no " + type(opaque).__name__) as refused:
            Enrichments(**fields)
        assert path_of(refused) == (*path, "a", 1, "b", 1)


def test_an_opaque_object_in_a_key_or_a_set_is_refused():
    for data in ({"a": {(1, Thing()): 1}}, {"a": {Thing()}}):
        with pytest.raises(ValidationError, match="no Thing") as refused:
            DocumentEnrichment(metadata=data)
        assert path_of(refused)[:2] == ("metadata", "a")


def test_a_time_without_a_zone_is_refused_with_its_path_at_any_depth():
    with pytest.raises(ValidationError, match="needs its zone") as refused:
        Enrichments(web_results=[{}, {"seen": [{"at": NAIVE}]}])
    assert path_of(refused) == ("web_results", 1, "seen", 0, "at")
    kept = {"at": datetime(2024, 5, 6, tzinfo=UTC), "on": date(2024, 5, 6)}
    assert Enrichments(web_results=[kept]).web_results == (kept,)


def test_data_that_contains_itself_or_is_too_deep_is_refused():
    loop, deep = {}, {}
    loop["me"] = loop
    for _ in range(5_000):
        deep = {"k": deep}
    for data, problem in ((loop, "contains itself"), (deep, "deeper than")):
        with pytest.raises(ValidationError, match=problem) as refused:
            DocumentEnrichment(blocks=[data])
        assert path_of(refused) == ("blocks", 0)


def test_parts_shared_on_many_levels_cost_what_they_hold_not_what_they_unfold_to():
    value = ["leaf"]
    for _ in range(14):
        value = [value, value]
    assert calls_made_by(lambda: DocumentEnrichment(metadata={"a": value})) < 2_000


class Loose(ProfileEnrichment):
    cache: list[int] = []


def test_an_instance_of_a_subclass_cannot_bring_in_what_could_change():
    with pytest.raises(ValidationError) as refused:
        Enrichments(profile=Loose())
    assert path_of(refused) == ("profile", "cache")


def test_a_copy_with_changes_is_validated():
    assert WHOLE.model_copy(update={"web_results": []}).web_results == ()
    with pytest.raises(ValidationError):
        WHOLE.model_copy(update={"documents": [Thing()]})
    with pytest.raises(ValidationError):
        WHOLE.profile.model_copy(update={"preferences": {"a": Thing()}})


@pytest.mark.parametrize(
    "copied",
    [copy.deepcopy, lambda made: pickle.loads(pickle.dumps(made))],
    ids=["deepcopy", "pickle"],
)
def test_a_copy_is_equal_and_just_as_frozen(copied):
    twin = copied(WHOLE)
    assert twin == WHOLE
    with pytest.raises(FrozenDataError):
        twin.documents[0].blocks[0]["rows"][0].append(2)
