import math
from types import SimpleNamespace

import pytest

from stageflow_actors import Pipeline, Stage, StageDefinitionError, StageKind, StageSpec, stage
from stageflow_actors.model.stage import body_of, instantiate, is_blocking
from tests.model.runners import (
    ASYNC,
    BLOCKING,
    WORK,
    AsyncStage,
    BlockingStage,
    Configured,
    async_function,
)

FORMS = {f"async {form}": runner for form, runner in ASYNC.items()} | {
    f"blocking {form}": runner for form, runner in BLOCKING.items()
}


# --- runners --------------------------------------------------------------------------------------


@pytest.mark.parametrize("runner", FORMS.values(), ids=FORMS)
def test_every_form_of_a_runner_can_be_declared(runner):
    spec = stage("greet", runner, WORK)
    assert (spec.name, spec.kind) == ("greet", WORK)
    assert spec.runner is runner


@pytest.mark.parametrize("runner", ASYNC.values(), ids=ASYNC)
def test_a_runner_whose_body_is_async_does_not_block(runner):
    assert not is_blocking(runner)


@pytest.mark.parametrize("runner", BLOCKING.values(), ids=BLOCKING)
def test_a_runner_whose_body_is_a_plain_def_blocks(runner):
    assert is_blocking(runner)


class NothingToRun:
    kind = StageKind.WORK


class ExecuteIsNoMethod:
    execute = "not callable"


@pytest.mark.parametrize(
    "runner",
    [5, "greet", NothingToRun, NothingToRun(), ExecuteIsNoMethod, dict],
    ids=["number", "text", "class", "instance", "execute is no method", "builtin class"],
)
def test_what_cannot_run_is_refused_and_the_stage_named(runner):
    with pytest.raises(StageDefinitionError, match="'greet' cannot run"):
        stage("greet", runner, WORK)


def test_the_body_of_an_instance_is_its_execute_and_of_a_function_itself():
    instance = AsyncStage()
    assert body_of(instance) == instance.execute
    assert body_of(async_function) is async_function


def test_a_class_is_instantiated_anew_each_time_with_its_config():
    spec = stage("c", Configured, config={"size": 3})
    first, second = instantiate(spec), instantiate(spec)
    assert first is not second
    assert (first.size, first.colour) == (3, "red")


def test_a_class_without_config_is_instantiated_without_arguments():
    assert isinstance(instantiate(stage("a", AsyncStage)), AsyncStage)


def test_an_instance_and_a_function_run_as_they_are():
    instance = AsyncStage()
    assert instantiate(stage("i", instance)) is instance
    assert instantiate(stage("f", async_function, WORK)) is async_function


def test_a_stage_needs_nothing_inherited():
    assert isinstance(BlockingStage(), Stage)
    assert not isinstance(async_function, Stage)


# --- name -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["", "   ", "\n", 5, None, ["a"]], ids=repr)
def test_a_name_that_is_empty_or_no_string_is_refused(name):
    with pytest.raises(StageDefinitionError, match="needs a name"):
        Pipeline().with_stage(name, AsyncStage)


@pytest.mark.parametrize("name", ["größe", "段階", "a b", "x" * 1_000, "🙂"])
def test_any_other_name_is_taken_as_it_is(name):
    assert stage(name, AsyncStage).name == name


# --- kind -----------------------------------------------------------------------------------------


def test_kind_comes_from_the_runner_where_none_is_given():
    assert stage("a", AsyncStage).kind is StageKind.TRANSFORM
    assert stage("a", AsyncStage()).kind is StageKind.TRANSFORM
    assert stage("b", BlockingStage).kind is StageKind.ENRICH


@pytest.mark.parametrize("kind", list(StageKind))
def test_kind_given_by_value_or_name_of_the_value_wins_over_the_runners(kind):
    assert stage("a", AsyncStage, kind).kind is kind
    assert stage("a", AsyncStage, kind.value).kind is kind


def test_a_function_without_a_kind_is_refused_and_told_how_to_give_one():
    with pytest.raises(ValueError, match="'greet' has no kind.*StageKind") as refused:
        stage("greet", async_function)
    assert type(refused.value) is StageDefinitionError


@pytest.mark.parametrize("kind", ["wrok", "WORK", 7], ids=repr)
def test_an_unknown_kind_is_refused_and_the_known_ones_listed(kind):
    with pytest.raises(StageDefinitionError, match="unknown kind.*transform, enrich, route"):
        stage("greet", async_function, kind)


def test_an_unknown_kind_on_the_runner_is_refused_too():
    runner = SimpleNamespace(kind="wrok", execute=async_function)
    with pytest.raises(StageDefinitionError, match="unknown kind 'wrok'"):
        stage("greet", runner)


# --- config ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("config", [{}, {"size": 1}], ids=repr)
@pytest.mark.parametrize("runner", [AsyncStage(), async_function], ids=["instance", "function"])
def test_config_for_anything_but_a_class_is_refused(runner, config):
    with pytest.raises(ValueError, match="'c' has config= but is no class") as refused:
        stage("c", runner, WORK, config=config)
    assert type(refused.value) is StageDefinitionError


@pytest.mark.parametrize("config", [5, "size", [1]], ids=repr)
def test_config_that_is_no_mapping_is_refused(config):
    with pytest.raises(StageDefinitionError, match="'c'"):
        stage("c", Configured, config=config)


def test_changing_the_given_config_later_does_not_reach_the_stage():
    config = {"size": 1}
    spec = stage("c", Configured, config=config)
    config["size"] = 2
    assert spec.config == {"size": 1}
    assert instantiate(spec).size == 1


# --- dependencies ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("a", ("a",)),
        (["a", "b"], ("a", "b")),
        (("b", "a"), ("b", "a")),
        ((), ()),
        (("a", "a", "b", "a"), ("a", "b")),
    ],
    ids=repr,
)
def test_dependencies_are_one_name_or_several_each_counted_once(given, meant):
    assert stage("s", AsyncStage, dependencies=given).dependencies == meant


@pytest.mark.parametrize(
    "dependencies",
    [async_function, [async_function], 5, [5], [AsyncStage], [["a"]], [None], [""]],
    ids=["function", "[function]", "5", "[5]", "[class]", "[list]", "[None]", "[empty]"],
)
def test_dependencies_that_are_no_names_are_refused_and_the_stage_named(dependencies):
    with pytest.raises(ValueError, match="'s'"):
        Pipeline().with_stage("s", AsyncStage, dependencies=dependencies).build()


# --- timeout --------------------------------------------------------------------------------------


@pytest.mark.parametrize("seconds", [1, 0.5, 1e-9, 10**6])
def test_a_timeout_is_kept_in_seconds(seconds):
    spec = stage("s", AsyncStage, timeout=seconds)
    assert spec.timeout == seconds
    assert type(spec.timeout) is float


def test_a_stage_without_a_timeout_has_none():
    assert stage("s", AsyncStage).timeout is None
    assert stage("s", AsyncStage, timeout=None).timeout is None


@pytest.mark.parametrize("seconds", [0, -1, -0.5, math.nan, True, "1", [1]], ids=repr)
def test_a_timeout_that_is_no_positive_number_of_seconds_is_refused(seconds):
    with pytest.raises(StageDefinitionError, match="'s' has timeout="):
        stage("s", AsyncStage, timeout=seconds)


# --- the spec -------------------------------------------------------------------------------------


def test_a_spec_cannot_be_changed():
    spec = stage("s", AsyncStage)
    for field in StageSpec.__dataclass_fields__:
        with pytest.raises(AttributeError):
            setattr(spec, field, None)


def test_equal_declarations_are_equal_specs():
    def declare(**changed):
        given = {"dependencies": "a", "config": {"size": 1}, "timeout": 2} | changed
        return stage("s", Configured, WORK, **given)

    assert declare() == declare()
    assert declare() != declare(timeout=3)
    assert declare() != declare(config={"size": 2})


@pytest.mark.parametrize(
    "change",
    [
        {"name": ""},
        {"runner": 5},
        {"kind": "wrok"},
        {"dependencies": ("a", 5)},
        {"dependencies": "ab"},
        {"config": 5},
        {"timeout": -1},
    ],
    ids=str,
)
def test_a_spec_made_by_hand_is_checked_like_a_declared_one(change):
    usable = {"name": "s", "runner": AsyncStage, "kind": WORK}
    assert StageSpec(**usable).name == "s"
    with pytest.raises(StageDefinitionError):
        StageSpec(**usable | change)
