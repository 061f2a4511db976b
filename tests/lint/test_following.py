"""Reads in functions and methods that a stage hands its context to, and what is said of them."""

import asyncio
import dataclasses
import functools

import pytest

from stageflow_actors import StageKind
from stageflow_actors.model.payloads import payload_from_inputs
from tests.lint.checking import mistakes, noted, pipeline_with, undeclared

# --- functions that get the context ---------------------------------------------------------------


def text_of(ctx, source, *, key="k"):
    return ctx.inputs.get_from(source, key)


def deeper(inputs, source="b"):
    return next_one(inputs, source=source)


def next_one(given, *, source):
    return given.require_from(source, "k")


def inputs_of(ctx):
    return ctx.inputs


def forever(ctx, source):
    ctx.inputs.get_from(source, "k")
    return forever(ctx, source)


def any_of(*args, **kwargs):
    return text_of(*args, **kwargs)


async def calls_a_function(ctx):
    return text_of(ctx, "b")


async def calls_through_two_functions(ctx):
    return deeper(ctx.inputs)


async def uses_what_a_function_returns(ctx):
    return inputs_of(ctx).get_from("b", "k")


async def calls_in_a_thread(ctx):
    return await asyncio.to_thread(text_of, ctx, "b")


async def calls_an_accessor_in_a_thread(ctx):
    return await asyncio.to_thread(ctx.inputs.get_from, "b", "k")


async def calls_a_partial(ctx):
    return functools.partial(text_of, source="b")(ctx)


async def calls_in_circles(ctx):
    return forever(ctx, "b")


async def calls_with_any_arguments(ctx):
    return any_of(ctx, "b")


async def calls_the_library(ctx):
    return payload_from_inputs(ctx, "b")


@pytest.mark.parametrize(
    "runner",
    [
        calls_a_function,
        calls_through_two_functions,
        uses_what_a_function_returns,
        calls_in_a_thread,
        calls_an_accessor_in_a_thread,
        calls_a_partial,
        calls_in_circles,
        calls_with_any_arguments,
        calls_the_library,
    ],
    ids=lambda runner: runner.__name__,
)
def test_functions_that_get_the_context_are_followed(runner):
    assert undeclared(runner) == ["b"]
    assert noted(runner) == []


def test_a_read_in_the_library_is_placed_where_the_stage_calls_it():
    (finding,) = mistakes(pipeline_with(calls_the_library))
    assert finding.place.file == __file__
    assert finding.place.line == calls_the_library.__code__.co_firstlineno + 1


# --- classes, instances, other runners ------------------------------------------------------------


class Reader:
    kind = StageKind.WORK
    FROM = "b"

    def __init__(self, source="a"):
        self.source = source

    async def execute(self, ctx):
        return self._read(ctx), self.static(ctx.inputs), ctx.inputs.get_from(self.FROM, "k")

    def _read(self, ctx):
        return ctx.inputs.get_from("b", "1")

    @staticmethod
    def static(inputs):
        return inputs.get_from("b", "2")


class Child(Reader):
    async def execute(self, ctx):
        return await super().execute(ctx)


class Callable:
    async def __call__(self, ctx):
        return ctx.inputs.get_from("b", "k")


class BySource(Reader):
    async def execute(self, ctx):
        return ctx.inputs.get_from(self.source, "k")


def wrapped(function):
    @functools.wraps(function)
    async def wrapper(*args, **kwargs):
        return await function(*args, **kwargs)

    return wrapper


def hidden(function):
    async def wrapper(*args, **kwargs):
        return await function(*args, **kwargs)

    return wrapper


def registered(function):
    registry = {"it": function}

    @functools.wraps(function)
    async def wrapper(*args, **kwargs):
        return await registry[kwargs.pop("name", "it")](*args, **kwargs)

    return wrapper


async def plain(ctx):
    return ctx.inputs.get_from("b", "k")


@pytest.mark.parametrize("runner", [Reader, Reader(), Child, Reader().execute], ids=repr)
def test_methods_are_followed(runner):
    assert undeclared(runner) == ["b", "b", "b"]


@pytest.mark.parametrize(
    "runner",
    [
        Callable(),
        wrapped(plain),
        registered(plain),
        hidden(plain),
        functools.partial(text_of, source="b"),
        lambda ctx: ctx.inputs.get_from("b", "k"),
    ],
    ids=["callable", "wrapped", "registered", "hidden", "partial", "lambda"],
)
def test_other_runners_are_read(runner):
    assert undeclared(runner) == ["b"]


def test_what_an_instance_was_given_is_known_and_what_a_class_will_be_given_is_not():
    assert undeclared(BySource("b")) == ["b"]
    assert noted(BySource("b")) == []
    assert undeclared(BySource) == []
    assert noted(BySource) == ["computed-name"]


class Overwritten:
    kind = StageKind.WORK
    source = "b"

    def __init__(self, source="a"):
        self.source = source

    async def execute(self, ctx):
        return ctx.inputs.get_from(self.source, "k")


@dataclasses.dataclass(frozen=True)
class Fielded:
    kind = StageKind.WORK
    source: str = "b"

    async def execute(self, ctx):
        return ctx.inputs.get_from(self.source, "k")


class Computed:
    kind = StageKind.WORK

    @property
    def source(self):
        return "b"

    async def execute(self, ctx):
        return ctx.inputs.get_from(self.source, "k")


@pytest.mark.parametrize("runner", [Overwritten, Fielded, Computed])
def test_an_attribute_that_each_instance_may_have_differently_is_not_known(runner):
    assert undeclared(runner) == []
    assert noted(runner) == ["computed-name"]


def test_no_stage_is_run_and_no_class_instantiated():
    class Refuses:
        kind = StageKind.WORK

        def __init__(self):
            raise AssertionError

        async def execute(self, ctx):
            raise AssertionError(ctx.inputs.get_from("b", "k"))

    assert undeclared(Refuses) == ["b"]


# --- what is said ---------------------------------------------------------------------------------


async def reads_a_stage_that_is_not_there(ctx):
    return ctx.inputs.get_from("bb", "k")


async def reads_itself(ctx):
    return ctx.inputs.get_from(ctx.stage_name, "k")


def said(runner, **options):
    finding = mistakes(pipeline_with(runner, **options))[0]
    return finding.message, finding.hint


def test_an_undeclared_read_says_what_to_do():
    assert said(plain) == (
        "'read' reads 'b' (get_from), which it does not depend on.",
        "Add 'b' to dependencies= of 'read'.",
    )


@pytest.mark.parametrize("parameter", ["after", "after_any"])
def test_a_read_of_a_stage_that_only_comes_before_says_so(parameter):
    message, hint = said(plain, **{parameter: "b"})
    assert "for order, not for data" in message
    assert hint == f"Move 'b' from {parameter}= to dependencies= of 'read'."


def test_a_read_of_a_stage_that_does_not_exist_suggests_a_near_one():
    message, hint = said(reads_a_stage_that_is_not_there, dependencies="b")
    assert message.endswith("but there is no such stage.")
    assert hint == "Did you mean 'b'?"


def test_a_read_of_itself_says_so():
    assert "which is itself" in said(reads_itself)[0]


def test_a_finding_has_its_line():
    (finding,) = mistakes(pipeline_with(plain))
    assert (finding.place.file, finding.place.line) == (
        __file__,
        plain.__code__.co_firstlineno + 1,
    )
