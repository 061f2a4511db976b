import pickle
import random

import pytest
from hypothesis import given, settings

from stageflow_actors import (
    CycleDetectedError,
    PipelineValidationError,
    PolicyError,
    StageGraph,
    stage,
)
from stageflow_actors.model.plan import make_plan
from stageflow_actors.model.policies.effects import Effects
from stageflow_actors.model.policies.execution import ExecutionConfig, ExecutionMode
from stageflow_actors.model.policies.guard import GuardRetryPolicy
from stageflow_actors.model.policies.retry import RetryPolicy
from stageflow_actors.model.policies.timeouts import Timeouts
from tests.model.counting import calls_made_by
from tests.model.runners import WORK, AsyncStage, BlockingStage, async_function
from tests.model.strategies import random_dags


def specs_of(graph):
    """Specs of a graph given as name -> dependencies."""
    return [stage(name, AsyncStage, dependencies=needs) for name, needs in graph.items()]


def order_of(graph):
    return list(make_plan("p", specs_of(graph))[0].stage_names)


def cycle_in(graph):
    with pytest.raises(CycleDetectedError) as refused:
        make_plan("p", specs_of(graph))
    assert refused.value.code == "CONTRACT-004-CYCLE"
    return refused.value.cycle_path


# --- order ----------------------------------------------------------------------------------------


@settings(deadline=None)
@given(random_dags())
def test_any_acyclic_graph_declared_in_any_order_is_planned_dependencies_first(graph):
    plan, specs = make_plan("p", specs_of(graph))
    position = {name: index for index, name in enumerate(plan.stage_names)}
    assert set(position) == set(graph)
    for planned, spec in zip(plan.stages, specs, strict=True):
        assert planned.name == spec.name
        assert planned.dependencies == tuple(position[name] for name in graph[spec.name])
        assert all(position[name] < position[spec.name] for name in graph[spec.name])
        assert planned.dependents == tuple(
            position[name] for name in plan.stage_names if spec.name in graph[name]
        )


@settings(deadline=None)
@given(random_dags())
def test_the_plan_of_the_same_declarations_is_always_the_same(graph):
    assert make_plan("p", specs_of(graph))[0] == make_plan("p", specs_of(graph))[0]


def test_stages_without_dependencies_stay_in_the_order_of_their_declaration():
    assert order_of({"c": (), "a": (), "b": ()}) == ["c", "a", "b"]


def test_stages_without_dependencies_stay_in_order_whoever_names_them_first():
    assert order_of({"join": ("b", "a"), "a": (), "b": ()}) == ["a", "b", "join"]


def test_stages_with_the_same_dependencies_stay_in_the_order_of_their_declaration():
    graph = {"join": ("z", "y"), "z": ("root",), "y": ("root",), "root": ()}
    assert order_of(graph) == ["root", "z", "y", "join"]


def test_stages_that_wait_for_different_ones_stay_in_the_order_of_their_declaration():
    assert order_of({"a": (), "b": (), "x": ("b",), "y": ("a",)}) == ["a", "b", "x", "y"]


def test_a_plan_says_everything_about_a_stage_but_its_code():
    specs = [
        stage("a", AsyncStage),
        stage("b", async_function, "guard", dependencies="a", timeout=2),
    ]
    plan, _ = make_plan("p", specs)
    assert plan.name == "p"
    first, second = plan.stages
    assert (first.name, first.kind, first.timeout_s) == ("a", "transform", None)
    assert (second.name, second.kind, second.timeout_s) == ("b", "guard", 2.0)
    assert (first.dependents, second.dependencies) == ((1,), (0,))


def test_a_plan_is_data_that_pickles_without_the_code_of_its_stages():
    plan, _ = make_plan("p", [stage("a", lambda ctx: None, WORK)])
    assert pickle.loads(pickle.dumps(plan)) == plan


def test_a_dependency_named_twice_counts_once():
    plan, _ = make_plan("p", specs_of({"a": (), "b": ("a", "a")}))
    assert plan.stages[1].dependencies == (0,)
    assert plan.stages[0].dependents == (1,)


def test_a_plan_says_what_its_policies_are():
    specs = [
        stage("a", AsyncStage, fallback={"rows": []}, effects="keyed"),
        stage("b", AsyncStage, dependencies="a", timeout=Timeouts(attempt=2, total=5)),
        stage(
            "c", async_function, WORK, dependencies=("a", "b"), optional="b", retry=RetryPolicy()
        ),
        stage("d", BlockingStage, dependencies="a", guard_retry=GuardRetryPolicy("a")),
    ]
    plan, _ = make_plan("p", specs)
    a, b, c, d = (plan.stages[plan.stage_names.index(name)] for name in "abcd")
    assert (a.fallback, a.effects, b.effects) == ({"rows": []}, Effects.KEYED, Effects.UNKNOWN)
    assert (a.total_s, b.timeout_s, b.total_s) == (None, 2.0, 5.0)
    assert (c.retry, b.retry) == (RetryPolicy().schedule, None)
    assert [plan.stage_names[index] for index in c.optional] == ["b"]
    assert [plan.stage_names[index] for index in d.guard.region] == ["a", "d"]
    assert [each.is_blocking for each in (a, b, c, d)] == [False, False, False, True]


def test_what_comes_strictly_before_a_stage_are_its_dependencies_its_after_and_its_gates():
    specs = [
        stage("a", AsyncStage),
        stage("b", AsyncStage),
        stage("c", AsyncStage),
        stage("guard", AsyncStage, dependencies="b", guard_retry=GuardRetryPolicy("b")),
        stage("d", AsyncStage, dependencies="a", after="b", after_any="c"),
    ]
    plan, _ = make_plan("p", specs)
    assert [plan.stage_names[index] for index in plan.stages[-1].strict] == ["a", "b", "guard"]


def test_every_stage_has_the_mode_of_its_pipeline_unless_it_has_its_own():
    tolerant, strict = ExecutionMode.CONTINUE_ON_ERROR, ExecutionMode.FAIL_FAST_ASYNC
    execution = ExecutionConfig(strict, error_policy={"b": tolerant})
    plan, _ = make_plan("p", specs_of({"a": (), "b": ()}), execution)
    assert [each.mode for each in plan.stages] == [strict, tolerant]
    plain, _ = make_plan("p", specs_of({"a": ()}))
    assert plain.stages[0].mode is ExecutionMode.FAIL_FAST_BLOCKING


@pytest.mark.parametrize(
    ("named", "hint"),
    [("gret", "Did you mean 'greet'?"), ("elsewhere", "Name a stage of this pipeline.")],
)
def test_an_error_policy_for_a_stage_that_does_not_exist_is_refused(named, hint):
    execution = ExecutionConfig(error_policy={named: ExecutionMode.CONTINUE_ON_ERROR})
    with pytest.raises(PolicyError, match=f"'{named}', which does not exist") as refused:
        make_plan("p", specs_of({"greet": ()}), execution)
    assert (refused.value.code, refused.value.hint) == ("POLICY-STAGE", hint)


# --- what is no pipeline --------------------------------------------------------------------------


def test_no_stages_are_no_pipeline():
    with pytest.raises(PipelineValidationError, match="'mine' has no stages") as refused:
        make_plan("mine", [])
    assert refused.value.code == "CONTRACT-004-EMPTY"
    assert refused.value.stages == []


def test_a_graph_of_no_stages_is_a_value_error():
    with pytest.raises(ValueError, match="no stages"):
        StageGraph([])


def test_a_graph_of_two_stages_of_one_name_is_refused():
    with pytest.raises(ValueError, match="'a'"):
        StageGraph([stage("a", AsyncStage), stage("a", async_function, WORK)])


def test_a_missing_dependency_is_refused_and_both_are_named():
    with pytest.raises(PipelineValidationError, match="'a' depends on 'elsewhere'") as refused:
        make_plan("p", specs_of({"a": ("elsewhere",)}))
    error = refused.value
    assert error.code == "CONTRACT-004-MISSING_DEP"
    assert error.stages == ["a", "elsewhere"]
    assert error.error_info.context == {"stage": "a", "dependency": "elsewhere"}
    assert "remove it from dependencies=" in error.hint


def test_a_misspelt_dependency_is_refused_with_the_nearest_name():
    with pytest.raises(PipelineValidationError, match=r"Did you mean 'greet'\?"):
        make_plan("p", specs_of({"greet": (), "grind": (), "shout": ("gret",)}))


def test_a_missing_dependency_is_reported_before_a_cycle():
    with pytest.raises(PipelineValidationError) as refused:
        make_plan("p", specs_of({"a": ("b",), "b": ("a", "elsewhere")}))
    assert refused.value.code == "CONTRACT-004-MISSING_DEP"


# --- circles --------------------------------------------------------------------------------------


def test_two_stages_that_wait_for_each_other_are_a_circle():
    assert cycle_in({"a": ("b",), "b": ("a",)}) == ["a", "b", "a"]


def test_a_stage_that_waits_for_itself_is_a_circle():
    assert cycle_in({"a": ("a",)}) == ["a", "a"]


def test_the_path_of_a_circle_follows_the_dependencies():
    assert cycle_in({"a": ("b",), "b": ("c",), "c": ("a",)}) == ["a", "b", "c", "a"]


@pytest.mark.parametrize("first", "abc")
def test_the_path_of_a_circle_begins_at_its_first_declared_stage(first):
    needs = {"a": ("b",), "b": ("c",), "c": ("a",)}
    graph = {first: needs[first], **needs}
    path = cycle_in(graph)
    assert path[0] == path[-1] == first
    assert all(after in needs[before] for before, after in zip(path, path[1:], strict=False))


def test_the_path_of_a_circle_has_only_the_circle():
    graph = {"root": (), "into": ("root", "b"), "a": ("b", "root"), "b": ("a",), "out": ("into",)}
    assert cycle_in(graph) == ["a", "b", "a"]


def test_the_error_about_a_circle_names_its_stages_and_says_what_to_do():
    with pytest.raises(CycleDetectedError, match="a -> b -> a. Remove one") as refused:
        make_plan("p", specs_of({"a": ("b",), "b": ("a",)}))
    assert refused.value.stages == ["a", "b"]


@settings(deadline=None)
@given(random_dags())
def test_one_edge_back_makes_a_circle_that_is_reported_as_one_closed_walk(graph):
    plan, _ = make_plan("p", specs_of(graph))
    last = plan.stages[-1]
    if not last.dependencies:
        return
    root = plan.stages[last.dependencies[0]].name
    closed = {**graph, root: (*graph[root], last.name)}
    path = cycle_in(closed)
    assert path[0] == path[-1]
    assert len(set(path)) == len(path) - 1
    assert all(after in closed[before] for before, after in zip(path, path[1:], strict=False))
    assert path[0] == min(path, key=list(closed).index)


# --- size -----------------------------------------------------------------------------------------


def chain(length):
    return {f"s{n}": (f"s{n - 1}",) if n else () for n in range(length)}


def declared(graph, how):
    items = list(graph.items())
    if how == "last first":
        items.reverse()
    elif how == "shuffled":
        random.Random(7).shuffle(items)
    return dict(items)


@pytest.mark.parametrize("how", ["first first", "last first", "shuffled"])
def test_a_very_long_chain_is_planned_in_whatever_order_it_was_declared(how):
    assert order_of(declared(chain(5_000), how)) == [f"s{n}" for n in range(5_000)]


@pytest.mark.parametrize("how", ["first first", "last first", "shuffled"])
def test_a_very_long_circle_is_reported_in_whatever_order_it_was_declared(how):
    circle = {**chain(2_000), "s0": ("s1999",)}
    assert len(cycle_in(declared(circle, how))) == 2_001


@pytest.mark.parametrize("how", ["first first", "last first", "shuffled"])
def test_planning_twice_as_many_stages_makes_about_twice_as_many_calls(how):
    short, long = (specs_of(declared(chain(length), how)) for length in (200, 400))
    calls = [calls_made_by(lambda specs=specs: make_plan("p", specs)) for specs in (short, long)]
    assert calls[1] <= 2.1 * calls[0]


def test_planning_a_wide_graph_makes_calls_in_proportion_to_its_edges():
    def layers(width):
        first = {f"a{n}": () for n in range(width)}
        return specs_of(first | {f"b{n}": tuple(first) for n in range(width)})

    narrow, wide = layers(20), layers(40)
    calls = [calls_made_by(lambda specs=specs: make_plan("p", specs)) for specs in (narrow, wide)]
    assert calls[1] <= 4.2 * calls[0]
