import copy
import pickle
from datetime import UTC, datetime
from decimal import Decimal
from enum import Enum
from typing import Any
from uuid import UUID, uuid4

import pytest
from pydantic import BaseModel, Field, PrivateAttr, ValidationError, computed_field

from stageflow_actors import (
    ContextSnapshot,
    ExtensionBundle,
    FrozenDataError,
    SnapshotError,
)


class Stage(Enum):
    WON = "won"


class Line(BaseModel):
    item: str
    count: int = 1


class Deal(ExtensionBundle):
    title: str
    value: Decimal = Decimal(0)
    lines: list[Line] = []
    stage: Stage | None = None
    owner: UUID | None = None
    due: datetime | None = None
    odds: float | None = None
    tags: frozenset[int] = frozenset()
    raw: bytes = b""
    notes: Any = None


class Other(ExtensionBundle):
    pass


WHOLE = Deal(
    title="Tea",
    value=Decimal("12.50"),
    lines=[Line(item="green", count=2)],
    stage=Stage.WON,
    owner=uuid4(),
    due=datetime(2024, 5, 6, tzinfo=UTC),
    odds=0.5,
    tags={3, 1},
    raw=b"abc",
    notes={"a": [1, None, "x"]},
)
TYPES = {"Deal": Deal}


def refusal_of(read):
    with pytest.raises(SnapshotError) as refused:
        read()
    return refused.value


def nested(depth):
    value = 0
    for _ in range(depth):
        value = [value]
    return value


# --- in a snapshot --------------------------------------------------------------------------------


def test_a_bundle_is_carried_as_it_is_and_named_by_its_class():
    snapshot = ContextSnapshot(extensions=WHOLE)
    assert snapshot.extensions is WHOLE
    assert snapshot.extensions_type == "Deal"
    assert snapshot.extension(Deal) is WHOLE
    assert snapshot.extension(ExtensionBundle) is WHOLE


def test_a_dict_is_frozen_and_named_dict_unless_it_has_a_name():
    given = {"a": [1]}
    snapshot = ContextSnapshot(extensions=given)
    given["a"].append(2)
    assert snapshot.extensions == {"a": [1]}
    assert snapshot.extensions_type == "dict"
    with pytest.raises(FrozenDataError):
        snapshot.extensions["a"].append(2)
    for name in ("Deal", ""):
        assert ContextSnapshot(extensions={}, extensions_type=name).extensions_type == name


def test_without_extensions_there_is_no_type():
    assert ContextSnapshot().extensions_type is None


@pytest.mark.parametrize(
    "fields",
    [{"extensions_type": "Deal"}, {"extensions": WHOLE, "extensions_type": "Other"}],
    ids=["no extensions", "of another class"],
)
def test_a_type_that_the_extensions_contradict_is_refused(fields):
    with pytest.raises(ValidationError, match="name the extensions") as refused:
        ContextSnapshot(**fields)
    assert refused.value.errors()[0]["loc"] == ("extensions_type",)


@pytest.mark.parametrize("wrong", [[], "Deal", 5, Line(item="x"), Deal], ids=repr)
def test_what_is_neither_a_bundle_nor_a_dict_is_refused(wrong):
    with pytest.raises(ValidationError, match="ExtensionBundle") as refused:
        ContextSnapshot(extensions=wrong)
    assert [error["loc"] for error in refused.value.errors()] == [("extensions",)]


def test_a_dict_with_an_opaque_object_is_refused_with_its_path():
    with pytest.raises(ValidationError, match="no Line") as refused:
        ContextSnapshot(extensions={"lines": [Line(item="x")]})
    assert refused.value.errors()[0]["loc"] == ("extensions", "lines", 0)


def test_other_extensions_bring_their_own_type():
    snapshot = ContextSnapshot(extensions=WHOLE)
    assert snapshot.with_extensions({"a": 1}).extensions_type == "dict"
    assert snapshot.with_extensions(Other()).extensions_type == "Other"
    assert snapshot.with_extensions(None).extensions_type is None
    named = snapshot.model_copy(update={"extensions": {}, "extensions_type": "Deal"})
    assert named.extensions_type == "Deal"


def test_a_bundle_is_frozen_and_refuses_what_it_does_not_know():
    with pytest.raises(ValidationError, match="frozen"):
        WHOLE.title = "Coffee"
    with pytest.raises(ValidationError, match="colour"):
        Deal(title="Tea", colour="red")
    with pytest.raises(ValidationError):
        WHOLE.model_copy(update={"value": "much"})


class Session(ExtensionBundle):
    user: str
    _seen: list[str] = PrivateAttr(default_factory=list)


def test_a_copy_with_changes_keeps_private_attributes():
    session = Session(user="ada")
    session._seen.append("page")
    renamed = session.model_copy(update={"user": "bob"})
    assert (renamed.user, renamed._seen) == ("bob", ["page"])


@pytest.mark.parametrize(
    "copied",
    [copy.deepcopy, lambda made: pickle.loads(pickle.dumps(made))],
    ids=["deepcopy", "pickle"],
)
def test_what_a_copy_of_a_bundle_holds_is_its_own(copied):
    snapshot = ContextSnapshot(extensions=WHOLE)
    twin = copied(snapshot)
    assert twin == snapshot
    twin.extensions.lines.append(Line(item="black"))
    assert len(snapshot.extensions.lines) == 1


# --- from a dict to a bundle ----------------------------------------------------------------------


def test_a_dict_that_names_the_class_becomes_its_bundle():
    snapshot = ContextSnapshot(
        extensions={"title": "Tea", "value": "1.5", "lines": [{"item": "green"}]},
        extensions_type="Deal",
    )
    assert snapshot.extension(Deal) == Deal(
        title="Tea", value=Decimal("1.5"), lines=[Line(item="green")]
    )


@pytest.mark.parametrize(
    "snapshot",
    [
        ContextSnapshot(),
        ContextSnapshot(extensions={"title": "Tea"}),
        ContextSnapshot(extensions={}, extensions_type="Other"),
        ContextSnapshot(extensions=Other()),
    ],
    ids=["none", "unnamed", "other name", "other class"],
)
def test_extensions_of_another_type_are_refused(snapshot):
    refusal = refusal_of(lambda: snapshot.extension(Deal))
    assert refusal.path == "extensions"
    assert "no Deal" in refusal.message
    assert "with_extensions" in refusal.hint


@pytest.mark.parametrize(
    ("data", "path"),
    [
        ({}, "extensions.title"),
        ({"title": 5}, "extensions.title"),
        ({"title": "", "odds": True}, "extensions.odds"),
        ({"title": "", "lines": [{"item": "", "count": "2"}]}, "extensions.lines.0.count"),
        ({"title": "", "lines": "none"}, "extensions.lines"),
        ({"title": "", "extra": 1}, "extensions.extra"),
        ({"title": "", "notes": ["\ud800"]}, "extensions.notes.0"),
        ({"title": "", "notes": [{"\ud800": 1}]}, "extensions.notes.0"),
    ],
)
def test_a_dict_that_does_not_fit_is_refused_with_its_path(data, path):
    snapshot = ContextSnapshot(extensions=data, extensions_type="Deal")
    assert refusal_of(lambda: snapshot.extension(Deal)).path == path
    refusal = refusal_of(lambda: ContextSnapshot.from_dict(snapshot.to_dict(), TYPES))
    assert (refusal.path, refusal.code) == (path, "SNAPSHOT-INVALID")


def test_a_class_that_is_no_bundle_is_refused():
    snapshot = ContextSnapshot(extensions={"item": "x"}, extensions_type="Line")
    assert "no ExtensionBundle" in refusal_of(lambda: snapshot.extension(Line)).message
    refusal = refusal_of(lambda: ContextSnapshot.from_dict(snapshot.to_dict(), {"Line": Line}))
    assert "no ExtensionBundle" in refusal.message


# --- JSON -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("flat", [False, True], ids=["nested", "flat"])
def test_a_bundle_comes_back_from_json(flat):
    text = ContextSnapshot(extensions=WHOLE).to_json(flat=flat)
    back = ContextSnapshot.from_json(text, TYPES)
    assert back.extensions == WHOLE
    assert back.to_json(flat=flat) == text


@pytest.mark.parametrize("flat", [False, True], ids=["nested", "flat"])
def test_a_bundle_of_an_unknown_class_is_relayed_as_it_is(flat):
    text = ContextSnapshot(extensions=WHOLE).to_json(flat=flat)
    relayed = ContextSnapshot.from_json(text, {"Other": Other})
    assert type(relayed.extensions) is not Deal
    assert relayed.extensions_type == "Deal"
    assert relayed.to_json(flat=flat) == text
    assert relayed.extension(Deal) == WHOLE


class Odd:
    pass


class Derived(ExtensionBundle):
    count: int = Field(alias="numberOf")
    secret: str = Field(default="", exclude=True)

    @computed_field
    @property
    def twice(self) -> int:
        return 2 * self.count


def test_aliases_and_what_is_derived_or_excluded_stay_out_of_json():
    snapshot = ContextSnapshot(extensions=Derived(numberOf=2, secret="s"))
    assert snapshot.to_dict()["extensions"] == {"count": 2}
    back = ContextSnapshot.from_json(snapshot.to_json(), {"Derived": Derived})
    assert back.extensions == Derived(numberOf=2)
    assert back.extensions.model_copy(update={"count": 3}).count == 3


class Special(Line):
    colour: str = "red"


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({"odds": float("nan")}, "extensions.odds"),
        ({"notes": float("inf")}, "extensions.notes"),
        ({"notes": [Odd()]}, "extensions.notes"),
        ({"notes": uuid4()}, "extensions.notes"),
        ({"notes": ("a", "tuple")}, "extensions.notes"),
        ({"notes": ["\ud800"]}, "extensions.notes.0"),
        ({"notes": nested(300)}, "extensions.notes"),
        ({"notes": nested(120)}, "extensions"),
        ({"raw": b"\xff"}, "extensions.raw"),
        ({"lines": [Special(item="x")]}, "extensions.lines"),
    ],
    ids=lambda value: value if isinstance(value, str) else next(iter(value)),
)
def test_what_would_not_come_back_as_it_was_is_refused_with_its_path(fields, path):
    snapshot = ContextSnapshot(extensions=Deal(title="Tea", **fields))
    for flat in (False, True):
        refusal = refusal_of(lambda flat=flat: snapshot.to_json(flat=flat))
        assert (refusal.path, refusal.code) == (path, "SNAPSHOT-JSON")
        assert len(str(refusal)) < 500
