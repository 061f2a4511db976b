import copy
import pickle

import cloudpickle
import pytest

from stageflow_actors.errors import StageOutputError
from stageflow_actors.model.frozen import DEFAULT_MAX_DEPTH, freeze
from tests.model.counting import calls_made_by, peak_bytes_of


def nested(depth, wrap):
    value = wrap(0)
    for _ in range(depth - 1):
        value = wrap(value)
    return value


WRAPS = {
    "list": lambda inner: [inner],
    "tuple": lambda inner: (inner,),
    "dict": lambda inner: {"k": inner},
}


@pytest.mark.parametrize("wrap", WRAPS.values(), ids=WRAPS)
def test_data_exactly_as_deep_as_the_limit_is_frozen(wrap):
    frozen, is_plain = freeze(nested(7, wrap), max_depth=7)
    assert frozen == nested(7, wrap)
    assert is_plain


@pytest.mark.parametrize("wrap", WRAPS.values(), ids=WRAPS)
def test_data_one_level_deeper_than_the_limit_is_refused(wrap):
    with pytest.raises(StageOutputError, match="deeper than 7 levels") as refused:
        freeze(nested(8, wrap), max_depth=7)
    assert refused.value.code == "OUTPUT-DEPTH"


def test_depth_of_a_dictionary_key_counts_too():
    with pytest.raises(StageOutputError) as refused:
        freeze({nested(3, WRAPS["tuple"]): 1}, max_depth=3)
    assert refused.value.code == "OUTPUT-DEPTH"
    assert freeze({nested(2, WRAPS["tuple"]): 1}, max_depth=3)[1]


@pytest.mark.parametrize("wrap", WRAPS.values(), ids=WRAPS)
def test_data_as_deep_as_the_limit_survives_pickling_and_copying(wrap):
    value = nested(DEFAULT_MAX_DEPTH, wrap)
    frozen, _ = freeze(value)
    assert pickle.loads(pickle.dumps(frozen)) == value
    assert pickle.loads(cloudpickle.dumps(frozen)) == value
    assert copy.deepcopy(frozen) == value


def test_data_far_deeper_than_the_recursion_limit_is_refused_without_recursion():
    with pytest.raises(StageOutputError) as refused:
        freeze(nested(5_000, WRAPS["list"]))
    assert refused.value.code == "OUTPUT-DEPTH"


def refuse(value):
    with pytest.raises(StageOutputError):
        freeze(value, max_depth=20)


def test_refusing_very_deep_data_takes_memory_linear_in_its_depth():
    short, long = (nested(depth, WRAPS["list"]) for depth in (1_000, 8_000))
    assert peak_bytes_of(lambda: refuse(long)) < 24 * peak_bytes_of(lambda: refuse(short))


def test_a_list_in_itself_is_refused_and_the_path_leads_to_it():
    rows = [1]
    rows.append(rows)
    with pytest.raises(StageOutputError, match=r"contains itself at data\[1\]") as refused:
        freeze(rows)
    assert refused.value.code == "OUTPUT-CYCLE"


def test_the_path_to_a_circle_has_no_step_into_what_was_looked_at_before():
    rows = [["deep", [1]], {"n": [[2]]}, [3]]
    rows.append(rows)
    with pytest.raises(StageOutputError, match=r"contains itself at data\[3\]\."):
        freeze(rows)


def test_a_longer_circle_is_refused_and_the_path_leads_to_where_it_closes():
    parent = {"name": "p", "children": []}
    parent["children"].append({"parent": parent})
    with pytest.raises(StageOutputError) as refused:
        freeze({"tree": parent})
    assert refused.value.code == "OUTPUT-CYCLE"
    assert "data['tree']['children'][0]['parent']." in refused.value.message


def test_the_same_part_twice_is_no_circle():
    part = {"n": [1]}
    deep = nested(60, WRAPS["list"])
    frozen, is_plain = freeze({"a": part, "b": part, "c": [part, part]})
    assert frozen == {"a": part, "b": part, "c": [part, part]}
    assert is_plain
    with pytest.raises(StageOutputError) as refused:
        freeze([part, part, [deep, deep]], max_depth=50)
    assert refused.value.code == "OUTPUT-DEPTH"


@pytest.mark.parametrize("deep_first", [True, False], ids=["deep first", "shallow first"])
def test_a_part_in_two_places_counts_where_it_is_deepest(deep_first):
    part = nested(4, WRAPS["list"])
    fits, too_deep = [[[part]]], [[[[part]]]]
    both = [too_deep, part] if deep_first else [part, too_deep]
    assert freeze([part, fits], max_depth=8)[1]
    with pytest.raises(StageOutputError) as refused:
        freeze(both, max_depth=8)
    assert refused.value.code == "OUTPUT-DEPTH"


def test_refusing_parts_shared_on_many_levels_looks_at_each_once():
    value = nested(20, WRAPS["list"])
    for _ in range(14):
        value = [value, value]
    assert calls_made_by(lambda: refuse(value)) < 1_000


def test_parts_shared_on_many_levels_cost_what_they_hold_not_what_they_unfold_to():
    value = ["leaf"]
    for _ in range(14):
        value = [value, value]
    assert calls_made_by(lambda: freeze(value)) < 1_000
