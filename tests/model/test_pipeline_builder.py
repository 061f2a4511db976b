import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stageflow_actors import (
    InvalidRunInputError,
    LocalRuntime,
    Pipeline,
    PipelineContext,
    PipelineValidationError,
    StageDefinitionError,
    StageKind,
    StageSpec,
    run_stage,
    stage,
)
from tests.model.attributes import DIFFERENT, SAME
from tests.model.counting import bytes_kept_by, calls_made_by
from tests.model.runners import WORK, AsyncStage, BlockingStage, Configured, async_function


def names(pipeline):
    return pipeline.stage_names()


# --- adding stages --------------------------------------------------------------------------------


def test_adding_a_stage_gives_a_new_pipeline_and_leaves_the_old_one():
    empty = Pipeline("p")
    one = empty.with_stage("a", AsyncStage)
    two = one.with_stage("b", BlockingStage, dependencies="a")
    assert (names(one), names(two)) == (["a"], ["a", "b"])
    assert not empty.has_stage("a")
    assert one.get_stage("b") is None
    assert {empty.name, one.name, two.name} == {"p"}


def test_two_pipelines_grown_from_one_do_not_see_each_other():
    parent = Pipeline().with_stage("a", AsyncStage)
    left = parent.with_stage("left", AsyncStage, dependencies="a")
    right = parent.with_stage("right", AsyncStage, dependencies="a")
    left_again = left.with_stage("end", AsyncStage, dependencies="left")
    right_again = right.with_stage("end", BlockingStage, dependencies="right")
    assert names(parent) == ["a"]
    assert names(left) == ["a", "left"]
    assert names(right) == ["a", "right"]
    assert names(left_again) == ["a", "left", "end"]
    assert names(right_again) == ["a", "right", "end"]
    assert left_again.get_stage("end").runner is AsyncStage
    assert right_again.get_stage("end").runner is BlockingStage


def test_the_same_name_may_be_added_to_two_pipelines_grown_from_one():
    parent = Pipeline().with_stage("a", AsyncStage)
    first = parent.with_stage("b", AsyncStage, timeout=1)
    second = parent.with_stage("b", AsyncStage, timeout=2)
    assert (first.get_stage("b").timeout, second.get_stage("b").timeout) == (1, 2)


def test_a_pipeline_that_was_built_can_still_grow():
    parent = Pipeline().with_stage("a", AsyncStage)
    graph = parent.build()
    grown = parent.with_stage("b", AsyncStage)
    assert (graph.stage_names(), names(grown)) == (["a"], ["a", "b"])
    assert parent.build().stage_names() == ["a"]


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 30), st.integers(0, 5)), max_size=30))
def test_pipelines_that_grow_from_one_another_in_any_way_keep_their_own_stages(steps):
    family = [(Pipeline(), [])]
    for parent, number in steps:
        pipeline, known = family[parent % len(family)]
        name = f"s{number}"
        if name in known:
            with pytest.raises(StageDefinitionError):
                pipeline.with_stage(name, AsyncStage)
        else:
            family.append((pipeline.with_stage(name, AsyncStage), [*known, name]))
    for pipeline, known in family:
        assert [f"s{n}" for n in range(6) if pipeline.has_stage(f"s{n}")] == sorted(known)
        assert not known or names(pipeline) == known


def test_a_name_that_is_taken_is_refused_with_a_code():
    pipeline = Pipeline("p").with_stage("a", AsyncStage)
    with pytest.raises(StageDefinitionError, match="'p' has a stage 'a' already") as refused:
        pipeline.with_stage("a", BlockingStage)
    assert refused.value.code == "STAGE-DUPLICATE"
    with pytest.raises(StageDefinitionError):
        pipeline.with_stages(stage("a", AsyncStage))
    with pytest.raises(StageDefinitionError):
        Pipeline.from_stages(stage("a", AsyncStage), stage("a", AsyncStage))


@pytest.mark.parametrize("name", ["", "  ", None, 3], ids=repr)
def test_a_pipeline_without_a_name_is_refused(name):
    with pytest.raises(StageDefinitionError, match="pipeline needs a name"):
        Pipeline(name)


@pytest.mark.parametrize("name", ["", "  ", None, 3], ids=repr)
def test_a_stage_without_a_name_is_refused_however_it_is_added(name):
    with pytest.raises(StageDefinitionError):
        Pipeline().with_stage(name, AsyncStage)
    with pytest.raises(StageDefinitionError):
        Pipeline().with_stages(StageSpec(name, AsyncStage, WORK))


def test_what_is_declared_is_what_the_pipeline_has():
    pipeline = Pipeline().with_stage(
        "c", Configured, "agent", ["a", "b"], config={"size": 1}, timeout=3
    )
    expected = StageSpec("c", Configured, StageKind.AGENT, ("a", "b"), {"size": 1}, 3.0)
    assert pipeline.get_stage("c") == expected


def test_the_config_of_a_stage_cannot_be_changed_through_its_pipeline():
    pipeline = Pipeline().with_stage("c", Configured, config={"size": 1})
    graph = pipeline.build()
    with pytest.raises(TypeError):
        pipeline.get_stage("c").config["size"] = 2
    assert graph.specs[0].config == {"size": 1}


# --- building -------------------------------------------------------------------------------------


def test_a_missing_dependency_is_no_matter_until_the_pipeline_is_built():
    pipeline = Pipeline().with_stage("b", AsyncStage, dependencies="a")
    with pytest.raises(PipelineValidationError):
        pipeline.build()
    assert names(pipeline.with_stage("a", AsyncStage)) == ["a", "b"]


@pytest.mark.parametrize("ask", [Pipeline.build, names, lambda p: p.plan, lambda p: p.specs])
def test_whatever_needs_a_valid_pipeline_refuses_another(ask):
    with pytest.raises(PipelineValidationError) as refused:
        ask(Pipeline("p"))
    assert refused.value.code == "CONTRACT-004-EMPTY"


def test_building_twice_gives_the_same_graph():
    pipeline = Pipeline("p").with_stage("a", AsyncStage)
    assert pipeline.build() is pipeline.build()
    assert pipeline.build().name == "p"
    assert pipeline.plan is pipeline.build().plan


def grown(length, order):
    pipeline = Pipeline()
    for n in order(range(length)):
        pipeline = pipeline.with_stage(f"s{n}", AsyncStage, dependencies=f"s{n - 1}" if n else ())
    return pipeline


def shuffled(numbers):
    return random.Random(7).sample(numbers, len(numbers))


@pytest.mark.parametrize("order", [list, reversed, shuffled])
def test_a_very_long_chain_builds_in_whatever_order_it_was_added(order):
    assert names(grown(2_000, order)) == [f"s{n}" for n in range(2_000)]


def test_growing_stage_by_stage_keeps_memory_in_proportion_to_the_stages():
    def every_step(length):
        steps = [Pipeline()]
        for n in range(length):
            steps.append(steps[-1].with_stage(f"s{n}", AsyncStage))
        return steps

    assert bytes_kept_by(lambda: every_step(2_000)) < 24 * bytes_kept_by(lambda: every_step(250))


def test_growing_to_twice_as_many_stages_makes_about_twice_as_many_calls():
    short, long = (calls_made_by(lambda n=n: grown(n, list).build()) for n in (200, 400))
    assert long <= 2.1 * short


# --- composing ------------------------------------------------------------------------------------


def test_composing_gives_the_stages_of_both_and_both_names():
    left = Pipeline("left").with_stage("a", AsyncStage)
    right = Pipeline("right").with_stage("b", AsyncStage, dependencies="a")
    both = left.compose(right)
    assert both.name == "left+right"
    assert names(both) == ["a", "b"]
    assert names(left) == ["a"]
    assert not right.has_stage("a")


def test_composing_pipelines_of_one_name_keeps_that_name():
    assert Pipeline("same").compose(Pipeline("same")).name == "same"


def test_composing_with_nothing_or_with_itself_adds_nothing():
    pipeline = Pipeline("p").with_stage("a", AsyncStage)
    assert names(pipeline.compose(Pipeline("p"))) == ["a"]
    assert names(Pipeline("p").compose(pipeline)) == ["a"]
    assert names(pipeline.compose(pipeline)) == ["a"]


def test_composing_pipelines_that_grew_from_one_keeps_what_they_share_once():
    parent = Pipeline("p").with_stage("a", AsyncStage)
    left = parent.with_stage("b", AsyncStage)
    right = parent.with_stage("c", AsyncStage)
    assert names(left.compose(right)) == ["a", "b", "c"]


def test_composing_with_an_identical_stage_of_the_same_name_is_fine():
    left = Pipeline("l").with_stages(stage("a", **SAME))
    right = Pipeline("r").with_stages(stage("a", **SAME))
    assert left.compose(right).get_stage("a") == left.get_stage("a")


@pytest.mark.parametrize("attribute", DIFFERENT)
def test_composing_with_a_different_stage_of_the_same_name_is_refused(attribute):
    left = Pipeline("l").with_stages(stage("a", **SAME))
    right = Pipeline("r").with_stages(stage("a", **SAME | {attribute: DIFFERENT[attribute]}))
    with pytest.raises(PipelineValidationError, match="'l' and 'r'.*'a'") as refused:
        left.compose(right)
    assert refused.value.code == "CONTRACT-004-CONFLICT"
    assert refused.value.stages == ["a"]


def test_every_attribute_of_a_stage_matters_when_composing():
    assert {"name", *SAME} == {"name", *DIFFERENT} == set(StageSpec.__dataclass_fields__)


def test_composing_may_close_a_gap_or_a_circle_and_building_says_so():
    left = Pipeline("l").with_stage("a", AsyncStage, dependencies="b")
    assert names(left.compose(Pipeline("r").with_stage("b", AsyncStage))) == ["b", "a"]
    circle = left.compose(Pipeline("r").with_stage("b", AsyncStage, dependencies="a"))
    with pytest.raises(PipelineValidationError) as refused:
        circle.build()
    assert refused.value.code == "CONTRACT-004-CYCLE"


# --- asking for a run -----------------------------------------------------------------------------


@pytest.fixture
def one_stage():
    return Pipeline("p").with_stage("a", async_function, WORK)


@pytest.mark.parametrize("build", [lambda p: p, Pipeline.build], ids=["pipeline", "graph"])
async def test_a_run_from_a_context_and_parts_is_a_value_error(one_stage, build):
    with pytest.raises(ValueError, match="a context and also input_text") as refused:
        await build(one_stage).run(PipelineContext(), input_text="x", runtime=LocalRuntime())
    assert type(refused.value) is InvalidRunInputError


async def test_a_run_with_an_unknown_keyword_is_a_type_error(one_stage):
    with pytest.raises(TypeError, match="inptu_text"):
        await one_stage.run(inptu_text="x", runtime=LocalRuntime())


async def test_a_run_from_plain_text_is_refused_and_says_what_to_pass(one_stage):
    with pytest.raises(InvalidRunInputError, match="cannot start from str"):
        await one_stage.run("hello", runtime=LocalRuntime())


async def test_a_run_of_what_is_no_pipeline_is_refused():
    with pytest.raises(PipelineValidationError):
        await Pipeline().run(runtime=LocalRuntime())


async def test_a_blocking_run_inside_an_event_loop_is_refused_and_names_the_other(one_stage):
    with pytest.raises(InvalidRunInputError, match="await run"):
        one_stage.run_sync(runtime=LocalRuntime())


def test_a_blocking_run_without_an_event_loop_gives_the_results(one_stage):
    assert one_stage.run_sync(runtime=LocalRuntime()).require("a").data == {}


async def test_one_stage_can_be_run_on_its_own():
    output = await run_stage("c", Configured, config={"size": 3}, runtime=LocalRuntime())
    assert output.data == {"size": 3}
