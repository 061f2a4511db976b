import copy
import json
import pickle
from collections.abc import Mapping, MutableMapping, MutableSequence, Sequence
from enum import Enum
from typing import NamedTuple

import cloudpickle
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stageflow_actors.errors import FrozenDataError
from stageflow_actors.model.frozen import FrozenDict, FrozenList, freeze
from tests.model.strategies import ATOMS, JSON_DATA, PLAIN_DATA

DICT_MUTATORS = {
    "__setitem__": ("k", 1),
    "__delitem__": ("k",),
    "__ior__": ({"k": 1},),
    "clear": (),
    "pop": ("k",),
    "popitem": (),
    "setdefault": ("new", 1),
    "update": ({"k": 2},),
}
LIST_MUTATORS = {
    "__setitem__": (0, 1),
    "__delitem__": (0,),
    "__iadd__": ([1],),
    "__imul__": (2,),
    "append": (1,),
    "clear": (),
    "extend": ([1],),
    "insert": (0, 1),
    "pop": (),
    "remove": (2,),
    "reverse": (),
    "sort": (),
}


def parts_of(value):
    """``value`` and every container inside it."""
    yield value
    if isinstance(value, dict):
        for item in value.values():
            yield from parts_of(item)
    elif isinstance(value, (list, tuple, set, frozenset)):
        for item in value:
            yield from parts_of(item)


def mutable_parts(value):
    return [part for part in parts_of(value) if type(part) in (dict, list, set)]


@settings(deadline=None)
@given(PLAIN_DATA)
def test_plain_data_freezes_to_an_equal_value_that_may_be_shared(value):
    frozen, is_plain = freeze(value)
    assert frozen == value
    assert is_plain


@settings(deadline=None)
@given(PLAIN_DATA)
def test_plain_data_once_frozen_holds_nothing_mutable_at_any_depth(value):
    frozen, _ = freeze(value)
    assert mutable_parts(frozen) == []


@settings(deadline=None)
@given(PLAIN_DATA)
def test_freezing_frozen_data_again_changes_nothing(value):
    frozen, _ = freeze(value)
    again, is_plain = freeze(frozen)
    assert again == frozen
    assert is_plain
    assert mutable_parts(again) == []


@settings(deadline=None)
@given(st.lists(PLAIN_DATA) | st.dictionaries(st.text(max_size=3), PLAIN_DATA))
def test_freezing_leaves_the_original_as_it_was(value):
    before = copy.deepcopy(value)
    parts = [id(part) for part in parts_of(value)]
    freeze(value)
    assert value == before
    assert [id(part) for part in parts_of(value)] == parts


@settings(deadline=None)
@given(PLAIN_DATA)
def test_frozen_data_survives_pickling_and_stays_frozen(value):
    frozen, _ = freeze(value)
    for dumps in (pickle.dumps, cloudpickle.dumps):
        back = pickle.loads(dumps(frozen))
        assert back == value
        assert mutable_parts(back) == []


@settings(deadline=None)
@given(JSON_DATA)
def test_frozen_data_is_the_same_json_as_the_plain_data(value):
    frozen, _ = freeze(value)
    assert json.dumps(frozen) == json.dumps(value)


@settings(deadline=None)
@given(JSON_DATA)
def test_deepcopy_of_frozen_data_is_plain_and_mutable_at_every_depth(value):
    frozen, _ = freeze(value)
    thawed = copy.deepcopy(frozen)
    assert thawed == value
    assert not [part for part in parts_of(thawed) if isinstance(part, (FrozenDict, FrozenList))]


@pytest.mark.parametrize(("name", "arguments"), DICT_MUTATORS.items())
def test_frozen_dict_refuses_every_mutator_and_stays_as_it_was(name, arguments):
    frozen, _ = freeze({"k": 0})
    with pytest.raises(FrozenDataError, match="read-only"):
        getattr(frozen, name)(*arguments)
    assert frozen == {"k": 0}


@pytest.mark.parametrize(("name", "arguments"), LIST_MUTATORS.items())
def test_frozen_list_refuses_every_mutator_and_stays_as_it_was(name, arguments):
    frozen, _ = freeze([3, 2])
    with pytest.raises(FrozenDataError, match="read-only"):
        getattr(frozen, name)(*arguments)
    assert frozen == [3, 2]


def test_the_mutators_tried_are_all_that_python_knows():
    in_place = {"__iadd__", "__imul__", "__ior__"}
    of_dict = set(dir(MutableMapping)) - set(dir(Mapping)) | in_place
    of_list = set(dir(MutableSequence)) - set(dir(Sequence)) | in_place | {"sort"}
    assert of_dict & set(dir(dict)) == set(DICT_MUTATORS)
    assert of_list & set(dir(list)) == set(LIST_MUTATORS)


def test_in_place_operators_on_frozen_data_are_refused_at_any_depth():
    frozen, _ = freeze({"rows": [{"n": 1}]})
    with pytest.raises(FrozenDataError):
        frozen["rows"] += [1]
    with pytest.raises(FrozenDataError):
        frozen["rows"][0]["n"] += 1
    with pytest.raises(FrozenDataError):
        frozen |= {"x": 1}
    with pytest.raises(FrozenDataError):
        frozen["rows"][0] |= {"x": 1}
    assert frozen == {"rows": [{"n": 1}]}


def test_frozen_data_takes_no_new_attributes():
    for frozen in (freeze({})[0], freeze([])[0]):
        with pytest.raises(AttributeError):
            frozen.extra = 1


@pytest.mark.parametrize("take", [dict, copy.copy, copy.deepcopy, FrozenDict.copy])
def test_a_copy_of_a_frozen_dict_is_a_plain_dict_of_its_own(take):
    frozen, _ = freeze({"a": 1})
    mine = take(frozen)
    mine["b"] = 2
    assert type(mine) is dict
    assert frozen == {"a": 1}


@pytest.mark.parametrize("take", [list, copy.copy, copy.deepcopy, FrozenList.copy])
def test_a_copy_of_a_frozen_list_is_a_plain_list_of_its_own(take):
    frozen, _ = freeze([1])
    mine = take(frozen)
    mine.append(2)
    assert type(mine) is list
    assert frozen == [1]


def test_operators_that_build_something_new_give_plain_data():
    mapping, items = freeze({"a": 1})[0], freeze([1])[0]
    assert type(mapping | {"b": 2}) is dict
    assert type(items + [2]) is type(items * 2) is type(items[:]) is list


def test_frozen_data_behaves_as_dict_and_list_for_readers():
    frozen, _ = freeze({"a": [2, 1]})
    assert isinstance(frozen, dict)
    assert isinstance(frozen["a"], list)
    assert sorted(frozen["a"]) == [1, 2]
    assert {**frozen} == {"a": [2, 1]}


def test_a_set_becomes_a_frozenset_at_any_depth():
    frozen, is_plain = freeze({"ids": [{1, 2}]})
    assert type(frozen["ids"][0]) is frozenset
    assert is_plain


def test_later_changes_to_the_original_do_not_reach_the_frozen_data():
    original = {"rows": [[1], {2}]}
    frozen, _ = freeze(original)
    original["rows"][0].append(9)
    original["rows"][1].add(9)
    original["new"] = 1
    assert frozen == {"rows": [[1], {2}]}


# --- what is not plain ----------------------------------------------------------------------------


class Colour(Enum):
    RED = 1


class Point(NamedTuple):
    x: int


class Text(str):
    pass


class Bag(dict):
    pass


class Thing:
    pass


OPAQUE = [
    Thing(),
    Colour.RED,
    Point(1),
    Text("t"),
    Bag(a=1),
    bytearray(b"x"),
    memoryview(b"x"),
    len,
]


@pytest.mark.parametrize("opaque", OPAQUE, ids=lambda value: type(value).__name__)
def test_anything_but_plain_data_is_left_in_place_and_reported(opaque):
    frozen, is_plain = freeze({"deep": [{"inside": opaque}], "n": 1})
    assert frozen["deep"][0]["inside"] is opaque
    assert not is_plain
    assert type(frozen["deep"]) is FrozenList


def test_an_opaque_key_or_set_item_is_reported():
    assert not freeze({Thing(): 1})[1]
    assert not freeze({(1, Thing()): 1})[1]
    assert not freeze({Thing()})[1]


def test_a_circle_through_an_opaque_object_is_not_followed():
    thing = Thing()
    thing.me = [thing]
    assert freeze([thing]) == ([thing], False)


@settings(deadline=None)
@given(ATOMS)
def test_an_atom_stays_the_identical_object(atom):
    assert freeze(atom)[0] is atom
