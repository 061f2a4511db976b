"""What a stage may be and return, and what becomes of it."""

from __future__ import annotations

import enum
import functools
import os
import threading

import pytest

from stageflow_actors import (
    Pipeline,
    RunStatus,
    StageArtifact,
    StageEvent,
    StageflowError,
    StageKind,
    StageOutput,
    StageStatus,
)
from tests.conformance.crossing import Journal
from tests.conformance.stages import ok


def one(runner, **options):
    return Pipeline("one").with_stage("only", runner, StageKind.WORK, **options)


async def test_stage_returning_none_is_ok_without_data(run):
    async def nothing(ctx):
        return None

    output = (await run(one(nothing))).outputs["only"]
    assert (output.status, output.data) == (StageStatus.OK, {})


async def test_stage_returning_a_dict_is_ok_with_that_data_and_whole_milliseconds(run):
    async def plain(ctx):
        return {"answer": 42}

    output = (await run(one(plain))).outputs["only"]
    assert (output.status, output.data) == (StageStatus.OK, {"answer": 42})
    assert type(output.duration_ms) is int


async def test_stage_returning_something_else_fails_with_a_type_error_that_names_it(run):
    async def number(ctx):
        return 5

    result = await run(one(number))
    failure = result.failures["only"]
    assert result.status is RunStatus.FAILED
    assert isinstance(failure.original, TypeError)
    assert failure.code == "STAGE-RETURN-TYPE"
    assert "int" in failure.message
    assert "only" in failure.message


async def test_data_that_is_no_mapping_fails_the_stage(run):
    async def odd(ctx):
        return StageOutput(StageStatus.OK, [1, 2])

    failure = (await run(one(odd))).failures["only"]
    assert (failure.code, failure.error_type) == ("STAGE-RETURN-TYPE", "StageReturnTypeError")


async def test_returned_failure_keeps_its_text_and_its_data(run):
    async def failing(ctx):
        return StageOutput.fail(error="", data={"tried": 2}, response="out of tea")

    result = await run(one(failing))
    assert result.failures["only"].message == "out of tea"
    assert isinstance(result.failures["only"].original, RuntimeError)
    assert result.outputs["only"].data == {"tried": 2}
    assert result.outputs["only"].error == "out of tea"


async def test_failure_without_text_says_unknown_error(run):
    async def failing(ctx):
        return StageOutput.fail()

    assert (await run(one(failing))).failures["only"].message == "Unknown error"


async def test_skipped_stage_keeps_the_callers_reason_and_lets_dependents_run(run):
    async def skipping(ctx):
        return StageOutput.skip("r", {"reason": "z"})

    pipeline = (
        Pipeline()
        .with_stage("a", skipping, StageKind.GUARD)
        .with_stage("b", ok, StageKind.WORK, dependencies="a")
    )
    result = await run(pipeline)
    assert result.status is RunStatus.OK
    assert result.outputs["a"].status is StageStatus.SKIP
    assert result.outputs["a"].data["reason"] == "z"
    assert result.skipped == {"a": "z"}
    assert result.outputs["b"].status is StageStatus.OK


async def test_version_and_artifacts_reach_the_result(run):
    async def making(ctx):
        output = StageOutput.ok({"n": 1}, version="v2")
        return output.with_artifacts(StageArtifact("picture", {"pixels": [1, 2]}))

    result = await run(one(making))
    assert result.outputs["only"].version == "v2"
    [artifact] = result.artifacts["only"]
    assert (artifact.type, artifact.payload) == ("picture", {"pixels": [1, 2]})


async def test_events_of_an_output_are_published(run, runtime):
    async def telling(ctx):
        ctx.try_emit_event("tea.poured", {"cups": 2})
        return StageOutput.ok().with_events(StageEvent("tea.drunk", {"cups": 2}))

    async with runtime.deploy(one(telling)) as app:
        handle = await app.start()
        await handle.result()
        events = [event async for event in handle.events()]
    told = [event for event in events if event.type.startswith("tea.")]
    assert [(e.type, e.stage, dict(e.data)) for e in told] == [
        ("tea.poured", "only", {"cups": 2}),
        ("tea.drunk", "only", {"cups": 2}),
    ]


class Greeter:
    kind = StageKind.TRANSFORM

    def __init__(self, greeting="Hello"):
        self.greeting = greeting

    async def execute(self, ctx):
        return StageOutput.ok(text=f"{self.greeting}, {ctx.snapshot.input_text}!")


class BlockingGreeter(Greeter):
    def execute(self, ctx):
        is_main = threading.current_thread() is threading.main_thread()
        return StageOutput.ok(text=f"{self.greeting}, {ctx.snapshot.input_text}!", main=is_main)


class CallableGreeter:
    async def __call__(self, ctx):
        return {"text": f"Hello, {ctx.snapshot.input_text}!"}


async def greet_async(ctx):
    return {"text": f"Hello, {ctx.snapshot.input_text}!"}


def greet_blocking(ctx):
    return {"text": f"Hello, {ctx.snapshot.input_text}!"}


async def greet_with(greeting, ctx):
    return {"text": f"{greeting}, {ctx.snapshot.input_text}!"}


@pytest.mark.parametrize(
    "runner",
    [
        Greeter,
        Greeter(),
        BlockingGreeter,
        CallableGreeter(),
        greet_async,
        greet_blocking,
        functools.partial(greet_with, "Hello"),
        lambda ctx: greet_async(ctx),
    ],
    ids=["class", "instance", "blocking", "callable", "async", "def", "partial", "lambda"],
)
async def test_every_form_of_runner_runs(run, runner):
    result = await run(one(runner), input_text="World")
    assert result.outputs["only"].data["text"] == "Hello, World!"


async def test_config_reaches_the_constructor(run):
    result = await run(one(Greeter, config={"greeting": "Good morning"}), input_text="Ada")
    assert result.outputs["only"].data["text"] == "Good morning, Ada!"


async def test_plain_def_runs_off_the_main_thread(run):
    assert (await run(one(BlockingGreeter))).outputs["only"].data["main"] is False


class Living:
    """Writes down its life."""

    kind = StageKind.WORK

    def __init__(self, folder):
        self.folder = folder
        self.executions = 0

    async def setup(self):
        Journal(self.folder).write(f"setup {os.getpid()}")

    async def execute(self, ctx):
        self.executions += 1
        return {"executions": self.executions, "pid": os.getpid()}

    async def teardown(self):
        Journal(self.folder).write(f"teardown {os.getpid()}")


async def test_setup_and_teardown_run_once_around_all_executions_of_one_instance(runtime, tmp_path):
    pipeline = one(Living, config={"folder": tmp_path})
    async with runtime.deploy(pipeline) as app:
        outputs = [(await app.run())["only"].data for _ in range(3)]
    pid = outputs[0]["pid"]
    assert [data["executions"] for data in outputs] == [1, 2, 3]
    assert Journal(tmp_path).lines == [f"setup {pid}", f"teardown {pid}"]


class StopsItself:
    """A stage that fails where the runtime reads what it made, not where it runs."""

    kind = StageKind.WORK

    def __init__(self, how):
        self.how = how

    async def execute(self, ctx):
        if self.how == "status as text":
            return StageOutput("ok", {"n": 1})
        if self.how == "event of no class":
            return StageOutput.ok(n=1).with_events({"type": "x"})
        if self.how == "event without a time":
            return StageOutput.ok(n=1).with_events(StageEvent("x", {}, 12.5))
        if self.how == "error without its parts":
            raise HalfMade("half made")
        return StageOutput.fail(Tea.GREEN)


class HalfMade(StageflowError):
    def __init__(self, text):
        Exception.__init__(self, text)


class Tea(enum.StrEnum):
    GREEN = "green tea"


@pytest.mark.parametrize(
    ("how", "status"),
    [
        ("status as text", "failed"),
        ("event of no class", "ok"),
        ("event without a time", "ok"),
        ("error without its parts", "failed"),
        ("error of a class of its own", "failed"),
    ],
)
async def test_stage_that_makes_something_odd_gets_a_verdict_all_the_same(run, how, status):
    result = await run(one(StopsItself, config={"how": how}))
    assert result.status == status
    if how == "error without its parts":
        assert isinstance(result.failures["only"].original, HalfMade)
        assert result.failures["only"].message == "half made"
    if how == "error of a class of its own":
        assert type(result.failures["only"].message) is str
        assert result.failures["only"].message == "green tea"


async def test_plain_def_that_raises_stop_iteration_fails_with_it(run):
    def exhausted(ctx):
        return next(iter([]))

    failure = (await run(one(exhausted))).failures["only"]
    assert type(failure.original) is StopIteration
