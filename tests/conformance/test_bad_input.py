"""Stages and callers that misbehave get a clear error, and cost nobody else a result."""

from __future__ import annotations

import asyncio
import sys

import pytest

from stageflow_actors import (
    DeploymentClosedError,
    DeploymentError,
    InvalidRunInputError,
    Pipeline,
    PipelineContext,
    RunStatus,
    Settings,
    StageKind,
)
from tests.conformance.bad_input_stages import (
    Anything,
    BrokenSetup,
    CancelledSetup,
    HoldsALock,
    ManyArguments,
    NeverReady,
    Noted,
    UnprintableError,
)
from tests.conformance.crossing import Journal
from tests.conformance.stages import ok


def raising(make_error):
    async def bad(ctx):
        raise make_error()

    return (
        Pipeline("raising")
        .with_stage("first", ok, StageKind.WORK)
        .with_stage("bad", bad, StageKind.WORK, dependencies="first")
    )


async def test_raised_exception_arrives_with_type_args_text_and_traceback(run):
    result = await run(raising(lambda: ValueError("bad value", 7)))
    failure = result.failures["bad"]
    assert type(failure.original) is ValueError
    assert failure.original.args == ("bad value", 7)
    assert str(failure.original) == failure.message == "('bad value', 7)"
    assert failure.error_type == "ValueError"
    assert "in bad" in failure.traceback
    assert result.outputs["first"].data == {"stage": "first"}


async def test_exception_with_its_own_constructor_arrives_whole(run):
    failure = (await run(raising(lambda: ManyArguments(5, detail="x")))).failures["bad"]
    assert type(failure.original).__name__ == "ManyArguments"
    assert isinstance(failure.original, ManyArguments)
    assert (failure.original.code, failure.original.detail) == (5, "x")
    assert failure.original.args == ("code 5",)


@pytest.mark.parametrize(
    "make_error",
    [
        lambda: FileNotFoundError(2, "No such file", "tea.txt"),
        lambda: UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid start byte"),
        lambda: ExceptionGroup("several", [ValueError("a"), KeyError("b")]),
        lambda: TimeoutError("mine"),
    ],
    ids=["os", "unicode", "group", "timeout"],
)
async def test_builtin_exceptions_arrive_as_they_were_raised(run, make_error):
    failure = (await run(raising(make_error))).failures["bad"]
    assert type(failure.original) is type(make_error())
    assert str(failure.original) == str(make_error())


async def test_exception_about_an_object_without_a_text_of_its_own_arrives_with_its_type(run):
    failure = (await run(raising(lambda: ValueError("bad", Anything())))).failures["bad"]
    assert type(failure.original) is ValueError
    assert isinstance(failure.original.args[1], Anything)


async def test_exception_that_cannot_be_pickled_keeps_its_type_name_and_text(run):
    failure = (await run(raising(lambda: HoldsALock("locked")))).failures["bad"]
    assert (failure.error_type, failure.message) == ("HoldsALock", "locked")
    assert "locked" in str(failure.original)


async def test_exception_whose_text_raises_is_described(run):
    failure = (await run(raising(UnprintableError))).failures["bad"]
    assert failure.error_type == "UnprintableError"
    assert "RuntimeError" in failure.message


@pytest.mark.parametrize("kind", ["async", "def"])
@pytest.mark.parametrize("error", [SystemExit, KeyboardInterrupt, GeneratorExit])
async def test_stage_that_tries_to_end_the_process_fails_and_the_stage_lives_on(
    runtime, kind, error
):
    class Leave:
        kind = StageKind.WORK

        async def execute(self, ctx):
            if ctx.snapshot.input_text == "leave":
                raise error("bye")
            return {"stayed": True}

    class LeaveThread(Leave):
        def execute(self, ctx):
            if ctx.snapshot.input_text == "leave":
                raise error("bye")
            return {"stayed": True}

    pipeline = Pipeline().with_stage("bad", Leave if kind == "async" else LeaveThread)
    async with runtime.deploy(pipeline) as app:
        result = await (await app.start(input_text="leave")).result()
        again = await app.run(input_text="stay")
    assert result.status is RunStatus.FAILED
    assert type(result.failures["bad"].original) is error
    assert again["bad"].data == {"stayed": True}


async def test_sys_exit_fails_the_stage(run):
    async def leave(ctx):
        sys.exit(3)

    failure = (await run(Pipeline().with_stage("bad", leave, StageKind.WORK))).failures["bad"]
    assert isinstance(failure.original, SystemExit)
    assert failure.original.code == 3


async def test_closed_deployment_refuses_runs(runtime):
    app = runtime.deploy(Pipeline("tea").with_stage("a", ok, StageKind.WORK))
    with pytest.raises(DeploymentClosedError, match="tea"):
        await app.run()
    with pytest.raises(DeploymentClosedError):
        await app.describe()
    await app.open()
    assert (await app.run())["a"].data == {"stage": "a"}
    await app.close()
    with pytest.raises(DeploymentClosedError) as raised:
        await app.start()
    assert raised.value.code == "DEPLOYMENT-CLOSED"
    await app.close()


@pytest.mark.parametrize("where", ["constructor", "setup"])
async def test_stage_that_cannot_be_set_up_fails_the_deployment_and_is_named(runtime, where):
    pipeline = (
        Pipeline("tea")
        .with_stage("good", ok, StageKind.WORK)
        .with_stage("broken", BrokenSetup, config={"where": where})
    )
    with pytest.raises(DeploymentError, match="no model") as raised:
        await runtime.deploy(pipeline).open()
    assert (raised.value.stage, raised.value.code) == ("broken", "DEPLOYMENT-SETUP")
    assert isinstance(raised.value.__cause__, ValueError)


async def test_setup_that_never_ends_fails_the_deployment_in_time(runtime, enough_s):
    settings = Settings(deploy_timeout_s=2 * enough_s, stop_timeout_s=enough_s)
    impatient = type(runtime)(settings=settings)
    pipeline = Pipeline().with_stage("stuck", NeverReady).with_stage("a", ok, StageKind.WORK)
    with pytest.raises(DeploymentError, match="deploy_timeout_s") as raised:
        await impatient.deploy(pipeline).open()
    assert (raised.value.stage, raised.value.code) == ("stuck", "DEPLOYMENT-TIMEOUT")


@pytest.mark.parametrize("error", [SystemExit, KeyboardInterrupt])
async def test_setup_that_tries_to_end_the_process_fails_the_deployment(runtime, error):
    class Leave(NeverReady):
        async def setup(self):
            raise error("bye")

    with pytest.raises(DeploymentError, match="bye") as raised:
        await runtime.deploy(Pipeline().with_stage("leaver", Leave)).open()
    assert raised.value.stage == "leaver"


async def test_setup_that_raises_a_cancel_of_its_own_fails_the_deployment(runtime):
    with pytest.raises(DeploymentError) as raised:
        await runtime.deploy(Pipeline().with_stage("odd", CancelledSetup)).open()
    assert (raised.value.stage, raised.value.code) == ("odd", "DEPLOYMENT-SETUP")


async def test_deployment_given_up_while_it_opens_tears_down_what_was_set_up(runtime, tmp_path):
    hasty = type(runtime)(settings=Settings(stop_timeout_s=1.0))
    pipeline = (
        Pipeline()
        .with_stage("noted", Noted, config={"folder": tmp_path})
        .with_stage("stuck", NeverReady)
    )
    opening = asyncio.ensure_future(hasty.deploy(pipeline).open())
    while not Journal(tmp_path).lines:
        await asyncio.sleep(0.005)
    opening.cancel()
    with pytest.raises(asyncio.CancelledError):
        await opening
    assert Journal(tmp_path).lines == ["setup", "teardown"]


async def test_wrong_constructor_arguments_name_the_stage(runtime):
    pipeline = Pipeline().with_stage("broken", BrokenSetup, config={"colour": "red"})
    with pytest.raises(DeploymentError, match="colour") as raised:
        await runtime.deploy(pipeline).open()
    assert raised.value.stage == "broken"


async def test_context_and_parts_together_are_refused(runtime):
    async with runtime.deploy(Pipeline().with_stage("a", ok, StageKind.WORK)) as app:
        with pytest.raises(InvalidRunInputError, match="input_text") as raised:
            await app.run(PipelineContext.create(), input_text="x")
        assert isinstance(raised.value, ValueError)
        with pytest.raises(TypeError):
            await app.run(colour="red")
        with pytest.raises(InvalidRunInputError, match="int"):
            await app.run(5)


async def test_input_that_cannot_be_pickled_is_refused_before_the_run(runtime):
    async with runtime.deploy(Pipeline().with_stage("a", ok, StageKind.WORK)) as app:
        with pytest.raises(InvalidRunInputError, match="metadata") as raised:
            await app.run(metadata={"generator": (n for n in range(3))})
        assert raised.value.code == "RUN-INPUT"
        assert (await app.run())["a"].data == {"stage": "a"}


@pytest.mark.parametrize(
    ("parts", "named"),
    [
        ({"user_id": "somebody"}, "user_id"),
        ({"input_text": 5}, "input_text"),
        ({"metadata": {"itself": None}}, "metadata"),
    ],
    ids=["id", "text", "metadata"],
)
async def test_part_of_the_wrong_type_is_refused_and_named(runtime, parts, named):
    if named == "metadata":
        parts["metadata"]["itself"] = parts["metadata"]
    async with runtime.deploy(Pipeline().with_stage("a", ok, StageKind.WORK)) as app:
        with pytest.raises(InvalidRunInputError, match=named) as raised:
            await app.run(**parts)
    assert raised.value.code == "RUN-INPUT"
