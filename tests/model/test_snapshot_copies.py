"""Copies of a snapshot: with changes, deep, and in other processes."""

import copy
import pickle
import subprocess
import sys
from typing import Any
from uuid import UUID, uuid4

import cloudpickle
import pytest
from pydantic import PrivateAttr, ValidationError

from stageflow_actors import (
    ContextSnapshot,
    Conversation,
    Enrichments,
    FrozenDataError,
    Message,
    ProfileEnrichment,
    RunIdentity,
)

WHOLE = ContextSnapshot(
    run_id=RunIdentity(user_id=uuid4()),
    conversation=Conversation(messages=[Message(role="user", content="hi")]),
    enrichments=Enrichments(profile=ProfileEnrichment(preferences={"a": [1]})),
    extensions={"b": [2]},
    input_text="hi",
    input_audio_duration_ms=5,
    topology="chat",
    execution_mode="practice",
    metadata={"c": [3]},
)
CHANGES = {
    "run_id": RunIdentity(),
    "enrichments": Enrichments(),
    "conversation": Conversation(),
    "topology": "other",
}


class Thing:
    def __init__(self):
        self.notes = []


def frozen_lists_of(snapshot):
    return [
        snapshot.profile.preferences["a"],
        snapshot.extensions["b"],
        snapshot.metadata["c"],
    ]


@pytest.mark.parametrize(("name", "value"), CHANGES.items(), ids=CHANGES)
def test_a_copy_has_the_one_change_and_leaves_the_snapshot_as_it_was(name, value):
    before = WHOLE.to_json()
    changed = getattr(WHOLE, f"with_{name}")(value)
    others = [other for other in ContextSnapshot.model_fields if other != name]
    assert getattr(changed, name) is value
    assert [getattr(changed, other) for other in others] == [
        getattr(WHOLE, other) for other in others
    ]
    assert WHOLE.to_json() == before


@pytest.mark.parametrize("name", [*CHANGES, "extensions"])
def test_a_copy_with_what_does_not_fit_is_refused(name):
    with pytest.raises(ValidationError, match=name):
        getattr(WHOLE, f"with_{name}")(5)


def test_a_copy_without_a_part_has_none():
    bare = WHOLE.with_enrichments(None).with_conversation(None).with_extensions(None)
    assert (bare.enrichments, bare.conversation, bare.extensions) == (None, None, None)


def test_an_identity_for_another_run_keeps_the_rest():
    other = uuid4()
    moved = WHOLE.run_id.with_pipeline_run_id(other)
    assert moved.pipeline_run_id == other
    assert moved.model_dump(exclude={"pipeline_run_id"}) == WHOLE.run_id.model_dump(
        exclude={"pipeline_run_id"}
    )
    with pytest.raises(ValidationError):
        WHOLE.run_id.with_pipeline_run_id(None)


@pytest.mark.parametrize(
    "change",
    [
        {"input_text": 5},
        {"colour": "red"},
        {"metadata": None},
        {"run_id": None},
        {"extensions": {"a": Thing()}},
        {"input_audio_duration_ms": -1},
    ],
    ids=str,
)
def test_no_copy_gets_around_validation(change):
    for deep in (False, True):
        with pytest.raises(ValidationError):
            WHOLE.model_copy(update=change, deep=deep)
    with pytest.raises(ValidationError):
        ContextSnapshot.model_construct(**change)
    with pytest.raises(FrozenDataError, match="model_copy"):
        WHOLE.copy(update=change)


def test_what_a_copy_changes_is_frozen_too():
    given = {"c": [3]}
    changed = WHOLE.model_copy(update={"metadata": given})
    given["c"].append(4)
    assert changed.metadata == {"c": [3]}
    with pytest.raises(FrozenDataError):
        changed.metadata["c"].append(4)


def test_a_copy_knows_which_fields_were_given():
    assert ContextSnapshot(input_text="x").with_topology("t").model_dump(exclude_unset=True) == {
        "input_text": "x",
        "topology": "t",
    }


@pytest.mark.parametrize(
    "copied",
    [
        copy.copy,
        copy.deepcopy,
        lambda made: made.model_copy(deep=True),
        lambda made: made.with_topology(made.topology),
        lambda made: pickle.loads(pickle.dumps(made)),
        lambda made: pickle.loads(pickle.dumps(made, protocol=2)),
        lambda made: pickle.loads(cloudpickle.dumps(made)),
    ],
    ids=["copy", "deepcopy", "deep model_copy", "with", "pickle", "old pickle", "cloudpickle"],
)
def test_a_copy_is_equal_and_frozen_at_every_depth(copied):
    twin = copied(WHOLE)
    assert twin == WHOLE
    assert twin.to_json() == WHOLE.to_json()
    assert repr(twin) == repr(WHOLE)
    for items in frozen_lists_of(twin):
        with pytest.raises(FrozenDataError):
            items.append(9)


def test_a_deep_copy_has_opaque_metadata_of_its_own():
    snapshot = ContextSnapshot(metadata={"thing": Thing()})
    twin = copy.deepcopy(snapshot)
    twin.metadata["thing"].notes.append("mine")
    assert snapshot.metadata["thing"].notes == []


def test_what_was_pickled_has_ids_and_times_of_the_same_types():
    back = pickle.loads(pickle.dumps(WHOLE))
    assert type(back.user_id) is type(back.pipeline_run_id) is UUID
    assert back.session_id is None
    assert back.created_at.tzinfo is WHOLE.created_at.tzinfo
    assert back.model_fields_set == set(ContextSnapshot.model_fields)


def test_a_pickled_snapshot_is_small():
    ids = dict.fromkeys(RunIdentity.model_fields, uuid4())
    ids["created_at"] = WHOLE.created_at
    snapshot = ContextSnapshot(run_id=ids, topology="chat", input_text="Hello!")
    assert len(pickle.dumps(snapshot, protocol=5)) < 600

    said = [Message(role="user", content="") for _ in range(100)]
    talked = snapshot.with_conversation(Conversation(messages=said))
    assert len(pickle.dumps(talked, protocol=5)) < 600 + 100 * 60


# --- subclasses -----------------------------------------------------------------------------------


class Order(ContextSnapshot):
    cups: int = 1
    items: list[str] = []
    _seen: list[str] = PrivateAttr(default_factory=list)


class Ticket(RunIdentity):
    tenant: UUID


class Open(ContextSnapshot):
    model_config = {"extra": "allow"}


def test_a_subclass_survives_copies_and_pickling_with_all_its_fields():
    order = Order(cups=2, items=["tea"], input_text="x")
    order._seen.append("page")
    changed = order.with_topology("t")
    assert (type(changed), changed.cups, changed.topology) == (Order, 2, "t")
    assert changed._seen == ["page"]
    for twin in (pickle.loads(pickle.dumps(order)), copy.deepcopy(order)):
        assert twin == order
        assert twin._seen == ["page"]
    with pytest.raises(ValidationError, match="cups"):
        order.model_copy(update={"cups": "many"})


def test_an_identity_of_a_subclass_survives_pickling_with_all_its_fields():
    ticket = Ticket(tenant=uuid4())
    assert pickle.loads(pickle.dumps(ticket)) == ticket


def test_a_subclass_that_takes_more_fields_survives_pickling_with_them():
    assert pickle.loads(pickle.dumps(Open(colour="red"))).colour == "red"


class LooseIdentity(RunIdentity):
    cache: dict[str, Any] = {}


class LooseConversation(Conversation):
    cache: dict[str, Any] = {}


class LooseEnrichments(Enrichments):
    cache: dict[str, Any] = {}


@pytest.mark.parametrize(
    ("name", "loose"),
    [
        ("run_id", LooseIdentity()),
        ("conversation", LooseConversation()),
        ("enrichments", LooseEnrichments()),
    ],
)
def test_a_part_of_a_subclass_cannot_bring_in_what_could_change(name, loose):
    with pytest.raises(ValidationError, match="Extra inputs") as refused:
        ContextSnapshot(**{name: loose})
    assert refused.value.errors()[0]["loc"] == (name, "cache")


# --- threads --------------------------------------------------------------------------------------

IN_MANY_THREADS = """
import threading
from concurrent.futures import ThreadPoolExecutor
from stageflow_actors import ContextSnapshot

THREADS = 8
start = threading.Barrier(THREADS)

def make(index):
    start.wait()
    fields = {"conversation": {"messages": [{"role": "user", "content": str(index)}]}}
    return ContextSnapshot.from_json(ContextSnapshot(**fields).to_json())

with ThreadPoolExecutor(THREADS) as pool:
    made = list(pool.map(make, range(THREADS)))
assert [snapshot.messages[0].content for snapshot in made] == [str(n) for n in range(THREADS)]
"""


def test_the_first_snapshots_of_a_process_may_be_made_in_many_threads():
    subprocess.run([sys.executable, "-c", IN_MANY_THREADS], check=True, timeout=60)
