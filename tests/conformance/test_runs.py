"""The ways to run a pipeline."""

from __future__ import annotations

import asyncio

import pytest

from stageflow_actors import (
    ContextSnapshot,
    InvalidRunInputError,
    Pipeline,
    PipelineContext,
    PipelineTimer,
    RunIdentity,
    RunStatus,
    StageContext,
    StageInputs,
    StageKind,
    run_stage,
    stage,
)
from tests.conformance.crossing import Gate, Journal
from tests.conformance.runs_stages import (
    AfterInput,
    CountTogether,
    GreetStage,
    ShoutStage,
    greeting,
)
from tests.conformance.stages import After


async def test_pipeline_runs_from_text(runtime):
    results = await greeting().run(input_text="World", runtime=runtime)
    assert results["shout"].data["shouted"] == "HELLO, WORLD!"
    assert results.ok


async def test_graph_runs_from_a_stage_context(runtime):
    snapshot = ContextSnapshot(run_id=RunIdentity(), input_text="World")
    ctx = StageContext(
        snapshot=snapshot,
        inputs=StageInputs(snapshot=snapshot),
        stage_name="pipeline_entry",
        timer=PipelineTimer(),
    )
    results = await greeting().build().run(ctx, runtime=runtime)
    assert results["shout"].data["shouted"] == "HELLO, WORLD!"


@pytest.mark.parametrize("make", [PipelineContext, lambda snapshot: snapshot])
async def test_graph_runs_from_a_context_or_a_snapshot(runtime, make):
    ctx = make(ContextSnapshot(input_text="Ada"))
    results = await greeting().build().run(ctx, runtime=runtime)
    assert results["shout"].data["shouted"] == "HELLO, ADA!"


def test_pipeline_runs_from_a_script(runtime):
    for name in ("Ada", "Grace"):
        results = greeting().run_sync(input_text=name, runtime=runtime)
        assert results["shout"].data["shouted"] == f"HELLO, {name.upper()}!"
    asyncio.run(runtime.close())


async def test_run_sync_inside_a_loop_says_what_to_do(runtime):
    with pytest.raises(InvalidRunInputError, match="await run"):
        greeting().run_sync(runtime=runtime)


async def test_one_stage_runs_alone(runtime):
    output = await run_stage("greet", GreetStage, runtime=runtime, input_text="Ada")
    assert output.data["greeting"] == "Hello, Ada!"


async def test_composed_pipelines_run_as_one(runtime):
    greet = Pipeline("greet").with_stage("greet", GreetStage)
    shout = Pipeline("shout").with_stage("shout", ShoutStage, dependencies="greet")
    both = greet.compose(shout)
    results = await both.run(input_text="x", runtime=runtime)
    assert (both.name, results["shout"].data["shouted"]) == ("greet+shout", "HELLO, X!")


async def test_declared_stages_run(runtime):
    @stage(kind=StageKind.TRANSFORM)
    async def greet(ctx):
        return {"greeting": "Hello"}

    @stage("shout", kind="transform", dependencies="greet")
    def loudly(ctx):
        return {"shouted": ctx.inputs.require_from("greet", "greeting").upper()}

    results = await Pipeline.from_stages(loudly, greet).run(runtime=runtime)
    assert results["shout"].data["shouted"] == "HELLO"


async def test_started_run_is_watched_through_its_handle(runtime):
    async with runtime.deploy(greeting()) as app:
        handle = await app.start(input_text="x")
        result = await handle.result()
        assert handle.is_done
        assert result is await handle.result()
    assert (result.status, result.pipeline) == (RunStatus.OK, "pipeline")
    assert result.pipeline_run_id == handle.run_id
    assert not result.failures
    assert not result.skipped
    assert not result.cancelled
    assert result.raise_for_status() is result


async def test_map_yields_every_run_with_the_position_of_its_input(runtime):
    async with runtime.deploy(greeting()) as app:
        inputs = ["a", {"input_text": "b"}, PipelineContext.create(input_text="c")]
        results = {index: result async for index, result in app.map(inputs, concurrency=2)}
    shouted = [results[index].outputs["shout"].data["shouted"] for index in range(3)]
    assert shouted == ["HELLO, A!", "HELLO, B!", "HELLO, C!"]


async def test_map_yields_runs_as_they_end(runtime, tmp_path):
    config = {"folder": tmp_path, "gate": "", "then": ""}
    pipeline = Pipeline().with_stage("wait", AfterInput, config=config)
    order = []
    Gate(tmp_path, "second").open()
    async with runtime.deploy(pipeline) as app:
        async for index, _result in app.map(["first", "second"], concurrency=2):
            order.append(index)
            Gate(tmp_path, "first").open()
    assert order == [1, 0]


async def test_map_goes_on_after_a_failure_and_takes_an_async_source(runtime):
    async def fussy(ctx):
        if ctx.snapshot.input_text == "bad":
            raise ValueError("bad")
        return {"n": 1}

    async def source():
        for text in ("good", "bad", "good"):
            yield text

    async with runtime.deploy(Pipeline().with_stage("a", fussy, StageKind.WORK)) as app:
        results = {index: result async for index, result in app.map(source(), concurrency=1)}
    assert [results[index].status for index in range(3)] == ["ok", "failed", "ok"]


async def test_leaving_map_early_cancels_what_still_runs(runtime, tmp_path):
    config = {"folder": tmp_path, "gate": "", "then": ""}
    pipeline = Pipeline().with_stage("wait", AfterInput, config=config)
    Gate(tmp_path, "quick").open()
    async with runtime.deploy(pipeline) as app:
        runs = app.map(["never", "quick"], concurrency=2)
        async for index, _result in runs:
            assert index == 1
            break
        await runs.aclose()  # returns only when the other run has been cancelled to its end
        described = await app.describe()
    assert described["live_runs"] == 0


async def test_map_refuses_a_concurrency_below_one(runtime):
    async with runtime.deploy(greeting()) as app:
        with pytest.raises(ValueError, match="concurrency"):
            [item async for item in app.map(["a"], concurrency=0)]


async def test_two_runs_may_share_one_context(runtime):
    ctx = PipelineContext.create(input_text="x")
    async with runtime.deploy(greeting()) as app:
        first, second = await asyncio.gather(app.run(ctx), app.run(ctx))
    assert first["shout"].data == second["shout"].data


async def test_cancelling_one_of_two_runs_on_one_context_leaves_the_other(runtime, tmp_path):
    config = {"folder": tmp_path, "gate": "go", "then": "ok"}
    ctx = PipelineContext.create()
    async with runtime.deploy(Pipeline().with_stage("wait", After, config=config)) as app:
        one, other = await app.start(ctx), await app.start(ctx)
        await one.cancel("only this one")
        assert (await one.result()).status is RunStatus.CANCELLED
        Gate(tmp_path, "go").open()
        assert (await other.result()).status is RunStatus.OK
    assert not ctx.is_cancelled


async def test_cancelling_a_context_cancels_every_run_on_it(runtime, tmp_path):
    config = {"folder": tmp_path, "gate": "never", "then": "ok"}
    ctx = PipelineContext.create()
    async with runtime.deploy(Pipeline().with_stage("wait", After, config=config)) as app:
        runs = [await app.start(ctx) for _ in range(2)]
        ctx.mark_cancelled()
        results = [await run.result() for run in runs]
        late = await (await app.start(ctx)).result()
    assert [result.status for result in (*results, late)] == ["cancelled"] * 3
    assert not late.cancelled["wait"].started


async def test_map_yields_an_ended_run_while_its_source_keeps_the_next_input_back(runtime):
    seen = asyncio.Event()

    async def source():
        yield "first"
        await seen.wait()  # ends only because the first result was handed out
        yield "second"

    texts = []
    async with runtime.deploy(greeting()) as app:
        async for _index, result in app.map(source(), concurrency=4):
            texts.append(result.outputs["shout"].data["shouted"])
            seen.set()
    assert texts == ["HELLO, FIRST!", "HELLO, SECOND!"]


async def test_map_runs_no_more_at_once_than_it_may(runtime, tmp_path):
    config = {"folder": tmp_path, "gate": "", "then": ""}
    pipeline = Pipeline().with_stage("count", CountTogether, config=config)
    async with runtime.deploy(pipeline) as app:
        inputs = [str(number) for number in range(12)]
        results = [result async for _index, result in app.map(inputs, concurrency=2)]
    together = [result.outputs["count"].data["together"] for result in results]
    assert len(together) == 12
    assert max(together) == 2


async def test_input_that_cannot_start_a_run_ends_the_map_after_the_runs_before_it(runtime):
    yielded = []
    async with runtime.deploy(greeting()) as app:
        with pytest.raises(TypeError, match="colour"):
            async for index, result in app.map(["a", {"colour": 1}, "c"], concurrency=3):
                yielded.append((index, result.status))
    assert yielded == [(0, "ok")]


async def test_opening_twice_opens_once_and_every_close_waits_for_the_one(runtime, tmp_path):
    class Note:
        kind = StageKind.WORK

        async def setup(self):
            Journal(tmp_path).write("setup")

        async def execute(self, ctx):
            return None

        async def teardown(self):
            Journal(tmp_path).write("teardown")

    async with await runtime.deploy(Pipeline().with_stage("note", Note)).open() as app:
        await asyncio.gather(app.close(), app.close())
        assert Journal(tmp_path).lines == ["setup", "teardown"]
    assert Journal(tmp_path).lines == ["setup", "teardown"]


class Order(ContextSnapshot):
    cups: int


async def test_snapshot_of_a_class_of_its_own_reaches_the_stages(runtime):
    async def read(ctx):
        return {"cups": ctx.snapshot.cups}

    async with runtime.deploy(Pipeline().with_stage("read", read, StageKind.WORK)) as app:
        results = await app.run(Order(cups=3))
    assert results["read"].data == {"cups": 3}
