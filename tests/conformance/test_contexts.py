"""What a run carries to its stages beside inputs: the same questions, in and outside of a stage."""

from __future__ import annotations

import asyncio
import dataclasses
import threading

import numpy as np
import pytest

from stageflow_actors import (
    ContextSnapshot,
    CorePorts,
    InvalidRunInputError,
    LocalRuntime,
    Pipeline,
    PipelineContext,
    PipelineTimer,
    StageContext,
    StageInputs,
    StageKind,
    run_stage,
)
from tests.conformance.contexts_stages import (
    IDS,
    WaitAndRead,
    clock,
    look,
    missing,
    read_port,
    told,
)
from tests.conformance.crossing import Gate
from tests.conformance.isolation_stages import Box
from tests.conformance.test_isolation import cyclic, deep

GIVEN = {**IDS, "topology": "tea", "execution_mode": "practice", "data": {"cups": [1, 2]}}


def looking(**options):
    return Pipeline("looking").with_stage("look", look, StageKind.WORK, **options)


async def test_context_says_the_same_in_every_stage_as_to_its_caller(run):
    ctx = PipelineContext.create(**GIVEN)
    pipeline = looking().with_stage("again", look, StageKind.WORK, dependencies="look")
    pipeline = pipeline.build(interceptors=[])  # no limit of time either
    outputs = (await run(pipeline, ctx)).outputs
    assert missing(ctx) == []
    for output in outputs.values():
        assert output.data["missing"] == []
        assert output.data["told"] == told(ctx)
        assert output.data["clock"] == clock(ctx)
        assert output.data["limits"] == [ctx.deadline, ctx.remaining_ms()] == [None, None]
    assert {name: getattr(ctx, name) for name in IDS} == IDS
    assert (ctx.topology, ctx.execution_mode, ctx.data) == ("tea", "practice", {"cups": [1, 2]})


async def test_context_made_by_hand_answers_every_question(runtime):
    snapshot = ContextSnapshot()
    by_hand = StageContext(snapshot, StageInputs(snapshot), "s", PipelineTimer())
    async with runtime:
        for ctx in (PipelineContext(), PipelineContext(snapshot), by_hand):
            assert missing(ctx) == []
            assert (dict(ctx.data), ctx.artifacts, ctx.is_cancelled) == ({}, [], False)
            assert ctx.correlation_id == ctx.request_id
            assert (ctx.deadline, ctx.remaining_ms()) == (None, None)
            results = await looking().run(ctx, runtime=runtime)
            assert results["look"].data["missing"] == []
            assert results["look"].data["told"]["run"] == ctx.pipeline_run_id
            assert results["look"].data["told"]["labels"] == ["looking", None]


async def test_run_without_names_has_those_of_its_request_and_its_pipeline(runtime):
    async with runtime.deploy(looking()) as app:
        said = (await app.run())["look"].data["told"]
    assert said["ids"]["correlation_id"] == said["ids"]["request_id"]
    assert said["labels"] == ["looking", None]
    assert [said["ids"][name] for name in ("session_id", "user_id", "org_id")] == [None] * 3
    assert said["data"] == {}


async def test_one_stage_run_alone_sees_all_that_it_is_given(runtime):
    async with runtime:
        output = await run_stage("look", look, StageKind.WORK, runtime=runtime, **GIVEN)
    said = output.data["told"]
    assert output.data["missing"] == []
    assert (said["ids"], said["labels"]) == (IDS, ["tea", "practice"])
    assert said["data"] == GIVEN["data"]


async def test_run_that_a_stage_starts_sees_what_the_stage_saw(run):
    async def nest(ctx):
        results = await looking().run(ctx, runtime=LocalRuntime())
        return {"outer": told(ctx), "ports": ctx.inputs.ports.db, **results["look"].data}

    async def ports(ctx):
        inner = Pipeline().with_stage("port", read_port, StageKind.WORK)
        return dict((await inner.run(ctx, runtime=LocalRuntime()))["port"].data)

    pipeline = (
        Pipeline()
        .with_stage("nest", nest, StageKind.WORK)
        .with_stage("ports", ports, StageKind.WORK)
    )
    outputs = (await run(pipeline, **GIVEN, db="tea.sqlite")).outputs
    assert outputs["nest"].data["missing"] == []
    assert outputs["nest"].data["told"] == outputs["nest"].data["outer"]
    assert outputs["nest"].data["told"]["ids"] == IDS
    assert outputs["ports"].data == {"db": "tea.sqlite"}


async def test_stage_with_a_timeout_knows_how_much_of_it_is_left(run):
    deadline, remaining_ms = (await run(looking(timeout=3600))).outputs["look"].data["limits"]
    assert 0 < remaining_ms <= 3_600_000
    assert deadline.utcoffset().total_seconds() == 0


async def test_data_of_a_run_is_read_only_in_its_stages(run):
    async def write(ctx):
        refused = []
        for change in (
            lambda: ctx.data.update(n=2),
            lambda: ctx.data["list"].append(2),
            lambda: ctx.data["nested"].pop("x"),
        ):
            try:
                change()
            except TypeError as error:
                refused.append(error.code)
        return {"refused": refused, "n": ctx.data["n"]}

    pipeline = Pipeline().with_stage("write", write, StageKind.WORK)
    for more in ({}, {"box": Box([1])}):  # an object makes all of it travel in another way
        result = await run(pipeline, data={"n": 1, "list": [1], "nested": {"x": 1}, **more})
        assert result.outputs["write"].data == {"refused": ["DATA-FROZEN"] * 3, "n": 1}


async def test_data_is_taken_when_a_run_starts_and_is_no_other_runs(runtime, tmp_path):
    mine, others = {"list": [1], "box": Box([1])}, {"list": ["other"]}
    pipeline = Pipeline().with_stage("read", WaitAndRead, config={"folder": tmp_path})
    async with runtime.deploy(pipeline) as app:
        handles = [await app.start(data=mine), await app.start(data=others), await app.start()]
        mine["list"].append(2)
        mine["box"].items.append(2)
        mine["late"] = True
        Gate(tmp_path, "go").open()
        results = [await handle.result() for handle in handles]
    read, of_other, of_none = (result.outputs["read"].data for result in results)
    assert (read["list"], read["box"].items, "late" in read) == ([1], [1], False)
    assert (of_other, of_none) == ({"list": ["other"]}, {})


async def test_object_in_the_data_is_a_copy_for_each_stage_and_arrays_are_read_only(run):
    async def change(ctx):
        ctx.data["box"].items.append(2)
        return {"mine": ctx.data["box"].items, "writeable": ctx.data["array"].flags.writeable}

    pipeline = (
        Pipeline()
        .with_stage("a", change, StageKind.WORK)
        .with_stage("b", change, StageKind.WORK, dependencies="a")
    )
    box = Box([1])
    outputs = (await run(pipeline, data={"box": box, "array": np.arange(3)})).outputs
    assert outputs["a"].data == outputs["b"].data == {"mine": [1, 2], "writeable": False}
    assert box.items == [1]


async def test_input_that_cannot_travel_is_refused_before_the_run(runtime):
    lock = threading.Lock()
    async with runtime.deploy(looking()) as app:
        for parts, text in (
            ({"data": {"lock": lock}}, "lock"),
            ({"data": cyclic()}, "itself"),
            ({"data": deep(200)}, "100"),
            ({"data": ["a"]}, "list is no mapping"),
            ({"correlation_id": "abc"}, "'abc'"),
            ({"db": lock}, "Port 'db'"),
            ({"ports": CorePorts(llm=lock, db="fine")}, "Port 'llm'"),
            ({"ports": {"db": 1}}, "dict as its ports"),
            ({"ports": CorePorts(db=1), "db": 2}, "Got ports= and also db="),
        ):
            with pytest.raises(InvalidRunInputError) as raised:
                await app.start(**parts)
            assert raised.value.code == "RUN-INPUT"
            assert text in str(raised.value)
        assert (await app.run())["look"].data["missing"] == []


async def test_ports_reach_every_stage_by_name_and_are_read_only(run):
    async def use(ctx):
        ports, said = ctx.inputs.ports, []
        for wrong in (lambda: ports.cache, lambda: setattr(ports, "db", 1)):
            try:
                wrong()
            except AttributeError as error:
                said.append(str(error))
        ports.box.items.append(2)
        return {"db": ports.db, "mine": ports.box.items, "said": said}

    pipeline = (
        Pipeline()
        .with_stage("a", use, StageKind.WORK)
        .with_stage("b", use, StageKind.WORK, dependencies="a")
    )
    outputs = (await run(pipeline, ports=CorePorts(db="tea.sqlite", box=Box([1])))).outputs
    assert outputs["a"].data == outputs["b"].data
    assert (outputs["a"].data["db"], outputs["a"].data["mine"]) == ("tea.sqlite", [1, 2])
    unknown, refused = outputs["a"].data["said"]
    assert unknown == "This run has no port 'cache'; it has: db, box."
    assert "read-only" in refused


async def test_port_may_be_given_alone_and_is_none_without(runtime):
    async def read(ctx):
        return {"ports": None if ctx.inputs.ports is None else ctx.inputs.ports.db}

    async with runtime.deploy(Pipeline().with_stage("read", read, StageKind.WORK)) as app:
        with_port, without = await app.run(db={"path": "x"}), await app.run()
    assert with_port["read"].data == {"ports": {"path": "x"}}
    assert without["read"].data == {"ports": None}


async def test_artifacts_of_a_run_are_in_its_result_and_on_its_context(runtime):
    async def make(ctx):
        ctx.add_artifact("chart", {"points": [1, 2]})
        ctx.add_artifact("note", ctx.stage_name)
        return {"so_far": [each.type for each in ctx.artifacts]}

    pipeline = (
        Pipeline()
        .with_stage("a", make, StageKind.WORK)
        .with_stage("b", make, StageKind.WORK, dependencies="a")
    )
    ctx = PipelineContext.create()
    async with runtime.deploy(pipeline) as app:
        result = await (await app.start(ctx)).result()
    made = [(each.type, each.payload) for each in ctx.artifacts]
    chart = ("chart", {"points": [1, 2]})
    assert made == [chart, ("note", "a"), chart, ("note", "b")]
    assert [each for stage in "ab" for each in result.artifacts[stage]] == ctx.artifacts
    assert result.outputs["a"].data == {"so_far": ["chart", "note"]}
    assert all(dataclasses.is_dataclass(each) for each in ctx.artifacts)


async def test_runs_on_one_context_keep_their_own_clocks(runtime, tmp_path):
    async def wait(ctx):
        await Gate(tmp_path, "go").opened()
        return {"start": ctx.timer.pipeline_start_ms}

    ctx = PipelineContext.create()
    async with runtime.deploy(Pipeline().with_stage("wait", wait, StageKind.WORK)) as app:
        first = await app.start(ctx)
        began = ctx.timer.pipeline_start_ms
        while PipelineTimer.now_ms() == began:
            await asyncio.sleep(0)
        second = await app.start(ctx)
        Gate(tmp_path, "go").open()
        starts = [(await each.result()).outputs["wait"].data["start"] for each in (first, second)]
    assert starts == [began, ctx.timer.pipeline_start_ms]
    assert began < ctx.timer.pipeline_start_ms
