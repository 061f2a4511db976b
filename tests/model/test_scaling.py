"""How many processes a stage has, and how much one of them does at a time."""

import math
import pickle
from dataclasses import FrozenInstanceError, fields

import pytest

from stageflow_actors import (
    Autoscaling,
    Batching,
    Placement,
    PolicyError,
    StageDefinitionError,
    stage,
)
from stageflow_actors.model.plan import make_plan
from tests.model.attributes import Batched
from tests.model.runners import WORK, AsyncStage


def planned(**options):
    return make_plan("p", [stage("only", AsyncStage, **options)])[0].stages[0]


def refused(**given):
    with pytest.raises(PolicyError) as raised:
        Autoscaling(**given)
    assert raised.value.code == "POLICY-INVALID"
    assert raised.value.hint
    return raised.value.message


# --- autoscaling ----------------------------------------------------------------------------------


def test_the_defaults_of_autoscaling():
    assert Autoscaling() == Autoscaling(1, 4, None, 2.0, 1.0, 30.0)


@pytest.mark.parametrize("value", [0, -1, 1.5, True, "2", math.nan], ids=repr)
@pytest.mark.parametrize("name", ["min_replicas", "max_replicas", "initial_replicas"])
def test_a_number_of_processes_below_1_or_of_another_type_is_refused(name, value):
    assert refused(**{name: value}) == f"Autoscaling has {name}={value!r}."


@pytest.mark.parametrize("name", ["min_replicas", "max_replicas"])
def test_both_bounds_are_needed(name):
    assert refused(**{name: None}) == f"Autoscaling has {name}=None."


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"min_replicas": 3, "max_replicas": 2}, "max_replicas=2"),
        ({"min_replicas": 2, "initial_replicas": 1}, "initial_replicas=1"),
        ({"max_replicas": 2, "initial_replicas": 3}, "initial_replicas=3"),
    ],
    ids=repr,
)
def test_numbers_of_processes_that_contradict_each_other_are_refused(given, told):
    assert refused(**given) == f"Autoscaling has {told}."


@pytest.mark.parametrize("value", [0, -1, math.nan, math.inf, True, "2", None], ids=repr)
def test_a_target_that_nothing_can_have_is_refused(value):
    told = refused(target_ongoing_requests=value)
    assert told == f"Autoscaling has target_ongoing_requests={value!r}."


@pytest.mark.parametrize("value", [-1, math.nan, math.inf, 366 * 24 * 3600.0 + 1, None], ids=repr)
@pytest.mark.parametrize("name", ["upscale_delay_s", "downscale_delay_s"])
def test_a_delay_that_is_no_length_of_time_is_refused(name, value):
    assert refused(**{name: value}) == f"Autoscaling has {name}={value!r}."


def test_no_delay_at_all_and_a_fraction_of_a_request_are_taken():
    at_once = Autoscaling(upscale_delay_s=0, downscale_delay_s=0, target_ongoing_requests=0.5)
    assert (at_once.upscale_delay_s, at_once.downscale_delay_s) == (0, 0)
    assert at_once.target_ongoing_requests == 0.5


def test_at_first_there_are_the_fewest_unless_it_is_said():
    assert Autoscaling(min_replicas=2).first_replicas == 2
    assert Autoscaling(initial_replicas=3).first_replicas == 3
    assert Autoscaling(min_replicas=4, initial_replicas=4).first_replicas == 4


def test_autoscaling_is_read_only_hashable_and_picklable():
    policy = Autoscaling(2, 3)
    assert pickle.loads(pickle.dumps(policy)) == policy
    assert {policy: 1}[Autoscaling(2, 3)] == 1
    for each in fields(policy):
        with pytest.raises(FrozenInstanceError):
            setattr(policy, each.name, 1)


# --- options of a stage ---------------------------------------------------------------------------


def test_a_stage_has_one_process_without_a_limit_unless_it_is_said():
    spec = stage("only", AsyncStage)
    scaling = (spec.replicas, spec.autoscaling, spec.concurrency, spec.batching)
    assert scaling == (1, None, None, None)
    alone = planned()
    scaling = (alone.replicas, alone.autoscaling, alone.concurrency, alone.is_batching)
    assert scaling == (1, None, None, False)


def test_what_is_said_is_in_the_plan():
    assert planned(replicas=3).replicas == 3
    assert planned(concurrency=5).concurrency == 5
    assert planned(autoscaling=Autoscaling(2, 3)).autoscaling == Autoscaling(2, 3)


def test_the_plan_knows_who_batches_and_nothing_else_of_it():
    """A function that weighs items is of the user: what is planned has to do without it."""
    batching = Batching(batch_size_fn=len, max_batch_weight=8)
    spec = stage("only", Batched, WORK, config={"size": 1}, batching=batching)
    assert spec.batching is batching
    alone = make_plan("p", [spec])[0].stages[0]
    assert alone.is_batching
    assert b"batch_size_fn" not in pickle.dumps(alone)


@pytest.mark.parametrize("value", [0, -1, 1.5, True, "2"], ids=repr)
@pytest.mark.parametrize("option", ["replicas", "concurrency"])
def test_a_count_of_a_stage_that_is_none_is_refused_and_the_stage_named(option, value):
    with pytest.raises(StageDefinitionError) as raised:
        stage("only", AsyncStage, **{option: value})
    assert raised.value.message == f"Stage 'only' has {option}={value!r}."
    assert raised.value.hint


def test_how_many_processes_there_are_is_said_once():
    with pytest.raises(StageDefinitionError, match="replicas=2 and autoscaling") as raised:
        stage("only", AsyncStage, replicas=2, autoscaling=Autoscaling())
    assert "initial_replicas" in raised.value.hint
    assert stage("only", AsyncStage, replicas=1, autoscaling=Autoscaling()).replicas == 1


@pytest.mark.parametrize("option", ["autoscaling", "batching", "placement"])
def test_an_option_of_another_kind_is_refused_and_the_stage_named(option):
    with pytest.raises(StageDefinitionError, match=f"'only' has {option}=3"):
        stage("only", AsyncStage, **{option: 3})


# --- sharing --------------------------------------------------------------------------------------


def sharing(first, second):
    """A plan of two stages that share a process, and say this of it."""
    specs = []
    for name, given in (("left", first), ("right", second)):
        options = {key: given[key] for key in given if key in OF_THE_STAGE}
        asked = {key: given[key] for key in given if key not in OF_THE_STAGE}
        specs.append(
            stage(name, AsyncStage, placement=Placement(**{"share": "gpu", **asked}), **options)
        )
    return make_plan("p", specs)


OF_THE_STAGE = ("restart", "replicas", "autoscaling")
ONE_PLACE = {"labels": {"zone": "a"}, "fallbacks": [Placement(labels={"zone": "b"})]}
OTHER_PLACE = {"labels": {"zone": "a"}, "fallbacks": [Placement(labels={"zone": "c"})]}


@pytest.mark.parametrize(
    ("option", "first", "second"),
    [
        ("num_gpus", {"num_gpus": 1}, {"num_gpus": 2}),
        ("memory", {"memory": 1}, {"memory": 2}),
        ("resources", {"resources": {"x": 1}}, {"resources": {"x": 2}}),
        ("labels", {"labels": {"zone": "a"}}, {"labels": {"zone": "b"}}),
        ("fallbacks", ONE_PLACE, OTHER_PLACE),
        ("runtime_env", {"runtime_env": {"pip": ["a"]}}, {"runtime_env": {"pip": ["b"]}}),
        ("restart", {}, {"restart": "temporary"}),
        ("replicas", {"replicas": 2}, {}),
        ("autoscaling", {}, {"autoscaling": Autoscaling()}),
    ],
    ids=lambda each: each if isinstance(each, str) else "",
)
def test_stages_that_share_and_differ_are_refused_and_both_named(option, first, second):
    with pytest.raises(PolicyError) as raised:
        sharing(first, second)
    assert raised.value.message == (
        f"Stages 'left' and 'right' share the process 'gpu', and differ in {option}."
    )


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({"num_gpus": 1}, {}),
        ({}, {"num_gpus": 1, "cpu_fallback": True}),
        ({"num_gpus": 1}, {"memory": 5}),
        ({"num_gpus": 1}, {"num_gpus": 1.0}),
        ({"num_gpus": 1}, {"num_gpus": 2, "share": "another"}),
        (ONE_PLACE, ONE_PLACE | {"memory": 0}),
        ({"replicas": 2}, {"replicas": 2}),
        ({"restart": "transient"}, {"restart": "transient"}),
        ({"autoscaling": Autoscaling(2, 3)}, {"autoscaling": Autoscaling(2, 3)}),
    ],
    ids=repr,
)
def test_stages_that_share_may_leave_unset_what_another_says(first, second):
    plan, _specs = sharing(first, second)
    assert plan.stage_names == ("left", "right")
