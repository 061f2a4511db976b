"""Reads that the stage has not declared, however they are written."""

import asyncio
import enum
import inspect

import pytest

from stageflow_actors import StageInputs
from tests.lint.checking import found_in, noted, pipeline_with, undeclared

FAR = "b"
SEVERAL = ("a", "b")
TABLE = {"a": 1, "b": 2}


class Names(enum.StrEnum):
    NEAR = "a"
    FAR = "b"


# --- accessors ------------------------------------------------------------------------------------


def reads_of(expression):
    async def read(ctx):
        return None

    scope = {}
    source = f"async def read(ctx):\n    return {expression}\n"
    exec(compile(source, f"<{expression}>", "exec"), scope)
    import linecache

    linecache.cache[f"<{expression}>"] = (len(source), None, source.splitlines(True), "")
    return scope["read"]


ACCESSORS = [
    name
    for name, method in vars(StageInputs).items()
    if inspect.isfunction(method) and "stage" in inspect.signature(method).parameters
    if not name.startswith("_")
]


def test_the_accessors_are_known():
    assert {"get_from", "require_from", "get_output", "has_output"} <= set(ACCESSORS)


@pytest.mark.parametrize("accessor", ACCESSORS)
def test_undeclared_read_is_found_through_every_accessor(accessor):
    assert undeclared(reads_of(f"ctx.inputs.{accessor}('b', 'k')")) == ["b"]
    assert undeclared(reads_of(f"ctx.inputs.{accessor}(stage='b')")) == ["b"]
    assert undeclared(reads_of(f"ctx.inputs.{accessor}('a', 'k')")) == []


@pytest.mark.parametrize(
    "expression",
    [
        "ctx.inputs.outputs['b']",
        "ctx.inputs.outputs.get('b')",
        "'b' in ctx.inputs.outputs",
        "'b' not in ctx.inputs.outputs",
    ],
)
def test_undeclared_read_is_found_in_the_mapping_of_outputs(expression):
    assert undeclared(reads_of(expression)) == ["b"]
    assert undeclared(reads_of(expression.replace("'b'", "'a'"))) == []


def test_reads_by_key_alone_say_nothing():
    assert found_in(pipeline_with(reads_of("ctx.inputs.get('b')"))) == []


# --- aliases --------------------------------------------------------------------------------------


async def through_an_alias(ctx):
    inputs = ctx.inputs
    read = inputs.get_from
    return read("b", "k")


async def through_a_tuple(ctx):
    inputs, text = ctx.inputs, ctx.snapshot.input_text
    return inputs.get_from("b", text)


async def through_a_walrus(ctx):
    if (found := ctx.inputs).has_output("a"):
        return found.get_output("b")


async def through_getattr(ctx):
    return getattr(ctx.inputs, "get_from")("b", "k")


async def through_a_lambda(ctx):
    later = lambda name: ctx.inputs.get_from(name, "k")  # noqa: E731
    return later("b")


async def through_an_inner_function(ctx):
    def text_of(source):
        return inputs.get_from(source, "k")

    inputs = ctx.inputs
    return text_of("b")


async def in_a_function_that_is_not_called_here(ctx):
    inputs = ctx.inputs

    async def later():
        return inputs.get_from("b", "k")

    return await asyncio.gather(later())


async def in_case_the_loop_does_not_run(ctx):
    source = "b"
    for _ in ctx.data:
        source = "a"
    ctx.inputs.get_from(source, "k")


async def in_one_branch(ctx):
    match ctx.attempt:
        case 1:
            inputs = None
        case _:
            inputs = ctx.inputs
    try:
        return inputs.get_from("b", "k")
    except KeyError:
        return None


async def after_one_round_of_a_loop(ctx):
    source = "a"
    for _ in range(2):
        ctx.inputs.get_from(source, "k")
        source = "b"


@pytest.mark.parametrize(
    "runner",
    [
        through_an_alias,
        through_a_tuple,
        through_a_walrus,
        through_getattr,
        through_a_lambda,
        through_an_inner_function,
        in_a_function_that_is_not_called_here,
        in_one_branch,
        in_case_the_loop_does_not_run,
        after_one_round_of_a_loop,
    ],
    ids=lambda runner: runner.__name__,
)
def test_undeclared_read_is_found(runner):
    assert undeclared(runner) == ["b"]


async def under_another_name(context):
    async with context.lock as inputs:
        return inputs.get_from("b", "k"), context.other.get_from("b", "k")


def test_an_object_that_only_looks_like_inputs_is_left_alone():
    assert undeclared(under_another_name) == []


async def reused_name(ctx):
    inputs = ctx.inputs
    inputs.get_from("a", "k")
    inputs = {}
    return inputs.get_from("b", "k")


def test_a_name_that_was_given_to_something_else_is_left_alone():
    assert undeclared(reused_name) == []


# --- names of stages ------------------------------------------------------------------------------


async def by_a_constant(ctx):
    return ctx.inputs.get_from(FAR, "k")


async def by_an_enum(ctx):
    return ctx.inputs.get_from(Names.FAR, "k")


async def by_the_value_of_an_enum(ctx):
    return ctx.inputs.get_from(Names.FAR.value, "k")


async def by_either_of_two(ctx):
    return ctx.inputs.get_from("a" if ctx.attempt == 1 else "b", "k")


async def by_one_of_several(ctx):
    return [ctx.inputs.get_from(name, "k") for name in SEVERAL]


async def by_the_keys_of_a_table(ctx):
    for name in TABLE:
        ctx.inputs.get_from(name, "k")


async def by_a_text_put_together(ctx):
    prefix = ""
    return ctx.inputs.get_from(f"{prefix}b", "k"), ctx.inputs.get_from(prefix + "b", "k")


@pytest.mark.parametrize(
    "runner",
    [
        by_a_constant,
        by_an_enum,
        by_the_value_of_an_enum,
        by_either_of_two,
        by_one_of_several,
        by_the_keys_of_a_table,
        by_a_text_put_together,
    ],
    ids=lambda runner: runner.__name__,
)
def test_a_name_that_can_be_known_is_known(runner):
    assert set(undeclared(runner)) == {"b"}
    assert noted(runner) == []
