import functools

import pytest

from stageflow_actors import Pipeline, StageDefinitionError, StageKind, StageSpec, stage
from stageflow_actors.model.declaration import spec_of
from tests.model.runners import WORK, AsyncCallable, AsyncStage, BlockingStage, async_function


def test_a_marked_function_is_still_that_function():
    async def greet(ctx):
        return {}

    assert stage(kind=WORK)(greet) is greet


def test_a_marked_function_is_a_stage_of_its_own_name():
    @stage(kind="guard", dependencies=("a", "b", "a"), timeout=2)
    async def shout(ctx):
        return {}

    spec = spec_of(shout)
    expected = StageSpec("shout", shout, StageKind.GUARD, ("a", "b"), None, 2.0)
    assert spec == expected


def test_a_marked_class_is_a_stage_with_its_config():
    @stage("sized", kind=WORK, config={"size": 3})
    class Sized:
        def __init__(self, size):
            self.size = size

        def execute(self, ctx):
            return {}

    spec = spec_of(Sized)
    assert (spec.name, spec.runner, spec.config) == ("sized", Sized, {"size": 3})


def test_name_and_kind_of_a_marked_class_come_from_the_class_where_not_given():
    assert spec_of(stage()(type("Sub", (BlockingStage,), {}))).name == "blocking"
    assert spec_of(stage()(type("Sub", (BlockingStage,), {}))).kind is StageKind.ENRICH
    assert spec_of(stage()(type("Sub", (AsyncStage,), {}))).name == "Sub"


def test_what_is_given_later_wins_over_the_mark():
    @stage("marked", kind=WORK, dependencies="a", timeout=2)
    async def body(ctx):
        return {}

    pipeline = Pipeline().with_stage("given", body, "agent", "b", timeout=3)
    assert pipeline.get_stage("given") == StageSpec("given", body, StageKind.AGENT, ("b",), None, 3)
    kept = Pipeline().with_stage("given", body).get_stage("given")
    assert kept == StageSpec("given", body, WORK, ("a",), None, 2)


def test_a_spec_is_its_own_spec():
    spec = stage("s", AsyncStage)
    assert spec_of(spec) is spec


def test_marked_stages_and_specs_build_a_pipeline_together():
    @stage(kind=WORK, dependencies="a")
    async def second(ctx):
        return {}

    pipeline = Pipeline.from_stages(stage("a", AsyncStage), second, name="both")
    assert pipeline.name == "both"
    assert pipeline.stage_names() == ["a", "second"]


@pytest.mark.parametrize(
    "unmarked",
    [async_function, AsyncStage, AsyncStage(), "a", 5],
    ids=["function", "class", "instance", "text", "number"],
)
def test_what_was_not_marked_is_refused_with_a_hint(unmarked):
    with pytest.raises(StageDefinitionError, match=r"no.* a declared stage.*@stage\(kind"):
        Pipeline().with_stages(unmarked)


def test_an_unknown_kind_is_refused_where_it_is_written():
    with pytest.raises(StageDefinitionError, match="'greet' has the unknown kind 'wrok'"):

        @stage(kind="wrok")
        async def greet(ctx):
            return {}


def test_a_marked_function_without_a_kind_is_refused_when_it_becomes_a_stage():
    @stage()
    async def greet(ctx):
        return {}

    with pytest.raises(StageDefinitionError, match="'greet' has no kind"):
        Pipeline.from_stages(greet)


def test_an_unmarked_subclass_of_a_marked_class_does_not_take_its_name():
    @stage(kind=WORK)
    class Greet:
        def execute(self, ctx):
            return {}

    class Loud(Greet):
        name = "loud"

    with pytest.raises(StageDefinitionError, match="not a declared stage"):
        Pipeline.from_stages(Loud)


def test_an_instance_of_a_class_marked_with_config_is_configured_already():
    @stage(kind=WORK, config={"size": 3})
    class Sized:
        def __init__(self, size):
            self.size = size

        def execute(self, ctx):
            return {}

    instance = Sized(5)
    assert Pipeline().with_stage("mine", instance).get_stage("mine").runner is instance


@pytest.mark.parametrize(
    "runner", [functools.partial(async_function), AsyncCallable()], ids=["partial", "callable"]
)
def test_a_callable_without_a_name_can_be_marked_with_one(runner):
    assert spec_of(stage("given", kind=WORK)(runner)).name == "given"


def test_the_decorator_without_parentheses_is_refused_where_it_is_written():
    with pytest.raises(StageDefinitionError):

        @stage
        async def greet(ctx):
            return {}
