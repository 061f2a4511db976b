"""``Placement``: what it refuses, what it keeps, and which labels meet it."""

import math
import pickle
from dataclasses import replace

import pytest

from stageflow_actors import Placement, PolicyError
from stageflow_actors.model.policies.labels import is_met

ON_A = {"labels": {"zone": "a"}}
ON_B = Placement(labels={"zone": "b"})


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ({"num_cpus": -1}, "num_cpus=-1"),
        ({"num_cpus": math.nan}, "num_cpus=nan"),
        ({"num_gpus": math.inf}, "num_gpus=inf"),
        ({"num_gpus": True}, "num_gpus=True"),
        ({"num_gpus": 1.5}, "num_gpus=1.5"),
        ({"memory": "4 GB"}, "memory='4 GB'"),
        ({"resources": ["scanner"]}, "resources="),
        ({"resources": {"": 1}}, "named ''"),
        ({"resources": {3: 1}}, "named 3"),
        ({"resources": {"scanner": -1}}, "scanner"),
        ({"resources": {"scanner": None}}, "scanner"),
        ({"labels": ["zone"]}, "labels="),
        ({"labels": {3: "a"}}, "label=3"),
        ({"labels": {"-zone": "a"}}, "label='-zone'"),
        ({"labels": {"a..b/zone": "a"}}, "label='a..b/zone'"),
        ({"labels": {f"{'a.' * 126}ab/zone": "a"}}, "label='a.a."),
        ({"labels": {"z" * 64: "a"}}, "label='zzz"),
        ({"labels": {"zone": None}}, "labels['zone']=None"),
        ({"labels": {"zone": ""}}, "labels['zone']=''"),
        ({"labels": {"zone": "in()"}}, "labels['zone']='in()'"),
        ({"labels": {"zone": "in(a,!b)"}}, "labels['zone']='in(a,!b)'"),
        ({"labels": {"zone": "a,b"}}, "labels['zone']='a,b'"),
        ({"labels": {"zone": "!!a"}}, "labels['zone']='!!a'"),
        ({"cpu_fallback": 1}, "cpu_fallback=1"),
        ({"share": ""}, "share=''"),
        ({"share": 3}, "share=3"),
        ({"runtime_env": "numpy"}, "runtime_env='numpy'"),
        ({"runtime_env": {3: "numpy"}}, "runtime_env=3"),
        ({"runtime_env": {"pip": {"numpy"}}}, "runtime_env['pip']"),
        ({"runtime_env": {"config": {"x": math.nan}}}, "runtime_env['config']"),
        ({"runtime_env": {"env_vars": ["A"]}}, "runtime_env['env_vars']"),
        ({"runtime_env": {"env_vars": {"A": 1}}}, "['env_vars']['A']"),
        ({**ON_A, "fallbacks": Placement()}, "fallbacks="),
        ({**ON_A, "fallbacks": ["b"]}, "fallback='b'"),
        ({"fallbacks": [ON_B]}, "fallbacks="),
        ({**ON_A, "num_gpus": 1, "fallbacks": [ON_B]}, "num_gpus=0"),
        ({**ON_A, "memory": 5, "fallbacks": [Placement(memory=4)]}, "memory=4"),
        ({**ON_A, "fallbacks": [Placement(resources={"x": 1})]}, "resources="),
        ({**ON_A, "fallbacks": [Placement(share="x")]}, "share='x'"),
        ({**ON_A, "fallbacks": [Placement(**ON_A, fallbacks=[ON_B])]}, "with fallbacks="),
    ],
)
def test_what_makes_no_sense_is_refused_with_what_it_was(asked, told):
    with pytest.raises(PolicyError) as raised:
        Placement(**asked)
    assert told in raised.value.message


@pytest.mark.parametrize(
    ("name", "field"), [("CPU", "num_cpus"), ("GPU", "num_gpus"), ("memory", "memory")]
)
def test_what_has_a_field_of_its_own_is_asked_for_there(name, field):
    with pytest.raises(PolicyError) as raised:
        Placement(resources={name: 1})
    assert f"{field}=" in raised.value.hint


def test_what_is_wanted_is_what_is_not_zero():
    placement = Placement(num_cpus=0.5, num_gpus=2, memory=0, resources={"scanner": 1, "none": 0})
    assert placement.wanted == {"CPU": 0.5, "GPU": 2, "scanner": 1}
    assert Placement().wanted == {}


def test_the_resources_cannot_be_changed_afterwards():
    given = {"scanner": 1}
    placement = Placement(resources=given)
    given["scanner"] = 9
    assert placement.resources == {"scanner": 1}
    with pytest.raises(TypeError):
        placement.resources["scanner"] = 9


def test_an_error_does_not_tell_what_may_be_secret():
    """Nor does the placement itself, where it is shown."""
    secret = {"env_vars": {"TOKEN": "hidden"}}
    assert "hidden" not in repr(Placement(runtime_env=secret))
    for wrong in (
        {"runtime_env": {**secret, "config": {1, 2}}},
        {"runtime_env": {"config": {"TOKEN": ["hidden", object()]}}},
        {"runtime_env": {"env_vars": {"A": b"hidden"}}},
        {**ON_A, "fallbacks": [Placement(runtime_env=secret)]},
    ):
        with pytest.raises(PolicyError) as raised:
            Placement(**wrong)
        assert "hidden" not in str(raised.value)


def test_no_part_can_be_changed_afterwards_and_all_of_it_can_travel():
    labels, variables = {"zone": "a"}, {"A": "1"}
    given = {"runtime_env": {"env_vars": variables, "pip": ("numpy",)}, "share": "one"}
    placement = Placement(labels=labels, fallbacks=[ON_B], cpu_fallback=True, **given)
    labels["zone"] = variables["A"] = "9"
    assert placement.labels == {"zone": "a"}
    assert placement.runtime_env == {"env_vars": {"A": "1"}, "pip": ["numpy"]}
    assert placement.fallbacks == (ON_B,)
    with pytest.raises(TypeError):
        placement.labels["zone"] = "b"
    with pytest.raises(TypeError):
        placement.runtime_env["env_vars"]["A"] = "2"
    assert pickle.loads(pickle.dumps(placement)) == placement


def test_a_fallback_need_not_say_again_what_is_not_of_the_machine():
    whole = Placement(**ON_A, num_gpus=1, share="x", runtime_env={"pip": ["a"]}, cpu_fallback=True)
    again = replace(whole, labels={"zone": "b"})
    short = Placement(num_gpus=1, labels={"zone": "b"})
    for fallback in (again, short):
        choices = replace(whole, fallbacks=[fallback]).label_choices
        assert choices == ({"zone": "a"}, {"zone": "b"})


@pytest.mark.parametrize(
    ("wanted", "met_by", "not_by"),
    [
        ("a", ["a"], ["b", "A", "", None]),
        ("!a", ["b", "", None], ["a"]),
        ("in(a,b)", ["a", "b"], ["c", "a,b", None]),
        ("!in(a,b)", ["c", None], ["a", "b"]),
        ("in", ["in"], ["i", None]),
    ],
)
def test_a_label_is_met_as_it_is_by_ray(wanted, met_by, not_by):
    assert Placement(labels={"zone": wanted}).labels == {"zone": wanted}
    assert [is_met(wanted, label) for label in met_by] == [True] * len(met_by)
    assert [is_met(wanted, label) for label in not_by] == [False] * len(not_by)


@pytest.mark.parametrize("wanted", ["in(a, b)", "!in(a, b,c)"])
def test_a_blank_in_a_list_of_values_is_no_part_of_them(wanted):
    """Ray takes it for one, and then finds no node."""
    assert Placement(labels={"zone": wanted}).labels["zone"] == wanted.replace(" ", "")
