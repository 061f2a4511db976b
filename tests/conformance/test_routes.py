"""Routers and their branches: which run, which are passed by, and what is said about it."""

from __future__ import annotations

import asyncio
import enum

import numpy as np

from stageflow_actors import (
    Pipeline,
    RoutingDecision,
    RoutingError,
    RunStatus,
    StageKind,
    StageOutput,
)
from tests.conformance.crossing import Journal
from tests.conformance.isolation_stages import Box
from tests.conformance.routes_stages import Decide, DecideOnStop, Note
from tests.conformance.stages import After
from tests.conformance.test_events import events_of


async def play(runtime, pipeline, *texts):
    """The results of one run per text, all at the same time, by text."""
    async with runtime.deploy(pipeline) as app:
        handles = [await app.start(input_text=text) for text in texts]
        results = await asyncio.gather(*(handle.result() for handle in handles))
    return dict(zip(texts, results, strict=True))


def fork(folder, routes=("fast", "slow"), **decisions):
    """``router``, and a branch of the same name on each of ``routes``."""
    pipeline = Pipeline("fork").with_stage("router", Decide, config=decisions)
    for route in routes:
        pipeline = pipeline.with_stage(
            route, Note, dependencies="router", route=route, config={"folder": folder}
        )
    return pipeline


async def test_decision_takes_its_branch_and_no_other_however_it_is_returned(runtime, tmp_path):
    pipeline = fork(
        tmp_path,
        alone=RoutingDecision("fast"),
        output=StageOutput.ok(route=RoutingDecision("fast"), n=1),
        inside={"route": RoutingDecision("fast"), "n": 2},
        other=RoutingDecision("slow"),
    )
    results = await play(runtime, pipeline, "alone", "output", "inside", "other")
    ran = ["alone: fast", "inside: fast", "other: slow", "output: fast"]
    assert sorted(Journal(tmp_path).lines) == ran
    assert all(result.ok for result in results.values())
    routers = {text: result.outputs["router"] for text, result in results.items()}
    data = [routers[text].data for text in ("alone", "output", "inside")]
    assert data == [{"route": "fast"}, {"route": "fast", "n": 1}, {"route": "fast", "n": 2}]
    assert {each.routing.selected_route for each in routers.values()} == {"fast", "slow"}


async def test_branch_reads_the_name_of_the_route_and_the_whole_decision(run):
    async def decide(ctx):
        return RoutingDecision("fast", 0.9, "slow", {"scores": [1, 2]})

    async def read(ctx):
        decision = ctx.inputs.get_output("router").routing
        try:
            decision.metadata["scores"].append(3)
        except TypeError as error:
            refused = error.code
        route = ctx.inputs.get_from("router", "route")
        parts = [decision.selected_route, decision.confidence, decision.fallback_route]
        return {"route": route, "parts": parts, "meta": decision.metadata, "refused": refused}

    pipeline = (
        Pipeline()
        .with_stage("router", decide, StageKind.ROUTE)
        .with_stage("fast", read, StageKind.WORK, dependencies="router", route="fast")
    )
    assert (await run(pipeline)).outputs["fast"].data == {
        "route": "fast",
        "parts": ["fast", 0.9, "slow"],
        "meta": {"scores": [1, 2]},
        "refused": "DATA-FROZEN",
    }


async def test_decision_is_told_in_an_event_before_anything_of_its_branches(runtime, tmp_path):
    decision = RoutingDecision("nowhere", 0.25, "slow", {"scores": {"a": 1}})
    events, result = await events_of(runtime, fork(tmp_path, go=decision), input_text="go")
    types = [event.type for event in events]
    [told] = [event for event in events if event.type == "pipeline.route"]
    assert told.stage == "router"
    assert dict(told.data) == {
        "route": "slow",
        "selected_route": "nowhere",
        "fallback_route": "slow",
        "confidence": 0.25,
        "metadata": {"scores": {"a": 1}},
    }
    first_of_a_branch = min(types.index("stage.slow.started"), types.index("stage.fast.skipped"))
    assert types.index("stage.router.completed") < types.index("pipeline.route") < first_of_a_branch
    assert result.outputs["slow"].status == "ok"  # the fallback was taken


async def test_branch_that_is_passed_by_is_a_skip_that_says_why(runtime, tmp_path):
    pipeline = fork(tmp_path, go=RoutingDecision("fast"))
    events, result = await events_of(runtime, pipeline, input_text="go")
    why = "'router' took route 'fast'"
    assert (result.status, result.skipped) == (RunStatus.OK, {"slow": why})
    assert (result.outputs["slow"].status, result.outputs["slow"].data) == ("skip", {"reason": why})
    [told] = [event for event in events if event.stage == "slow"]
    assert (told.type, told.data["reason"]) == ("stage.slow.skipped", why)


async def test_route_without_a_branch_fails_the_run_and_lists_those_there_are(runtime, tmp_path):
    pipeline = fork(
        tmp_path,
        one=RoutingDecision("nowhere"),
        both=RoutingDecision("nowhere", fallback_route="elsewhere"),
    )
    for text, result in (await play(runtime, pipeline, "one", "both")).items():
        failure = result.failures["router"]
        assert (result.status, result.stage) == (RunStatus.FAILED, "router")
        assert failure.code == "ROUTE-UNMATCHED"
        assert isinstance(failure.original, RoutingError)
        assert failure.original.routes == ("fast", "slow")
        assert "'nowhere'" in failure.message
        assert "fast, slow" in failure.message
        assert ("'elsewhere'" in failure.message) is (text == "both")
        assert "router" not in result.outputs
        assert [each.started for each in result.cancelled.values()] == [False, False]
    assert Journal(tmp_path).lines == []


async def test_router_that_ends_without_a_decision_fails_the_run(runtime, tmp_path):
    pipeline = fork(tmp_path, nothing=None, data={"route": "fast"}, output=StageOutput.ok(n=1))
    for result in (await play(runtime, pipeline, "nothing", "data", "output")).values():
        failure = result.failures["router"]
        assert (result.status, failure.code) == (RunStatus.FAILED, "ROUTE-UNDECIDED")
        assert failure.original.routes == ("fast", "slow")
    assert Journal(tmp_path).lines == []


async def test_router_that_skips_passes_all_its_branches_by(runtime, tmp_path):
    pipeline = fork(tmp_path, go=StageOutput.skip("nothing to decide"))
    result = (await play(runtime, pipeline, "go"))["go"]
    why = "'router' was skipped and took no route"
    assert result.ok
    assert result.skipped == {"router": "nothing to decide", "fast": why, "slow": why}
    assert Journal(tmp_path).lines == []


async def test_decision_that_cannot_be_made_fails_its_stage_and_says_what_is_wrong(run):
    async def decide(ctx):
        return RoutingDecision("fast", confidence=1.5)

    result = await run(Pipeline().with_stage("router", decide, StageKind.ROUTE))
    assert result.failures["router"].code == "ROUTE-INVALID"
    assert "confidence must be a number from 0 to 1, got 1.5" in result.failures["router"].message


async def test_branch_may_have_other_inputs_and_be_on_several_routes(runtime, tmp_path):
    note = {"folder": tmp_path}
    pipeline = (
        fork(tmp_path, ["fast"], **{name: RoutingDecision(name) for name in ("fast", "any", "b")})
        .with_stage("load", Note, config=note)
        .with_stage(
            "both", Note, dependencies=("load", "router"), route="b", router="router", config=note
        )
        .with_stage("several", Note, dependencies="router", route=("fast", "any"), config=note)
    )
    results = await play(runtime, pipeline, "fast", "any", "b")
    skipped = {text: sorted(result.skipped) for text, result in results.items()}
    assert skipped == {"fast": ["both"], "any": ["both", "fast"], "b": ["fast", "several"]}
    ran = {line for line in Journal(tmp_path).lines if not line.endswith("load")}
    assert ran == {"fast: fast", "fast: several", "any: several", "b: both"}


async def test_join_runs_with_one_live_input_and_is_passed_by_with_none(runtime, tmp_path):
    note = {"folder": tmp_path}
    pipeline = (
        fork(tmp_path, ("fast", "slow", "slower"), go=RoutingDecision("fast"))
        .with_stage("join", Note, dependencies=("slow", "fast"), config=note)
        .with_stage("idle", Note, dependencies=("slow", "slower"), config=note)
        .with_stage("far", Note, dependencies="idle", config=note)
        .with_stage("next", Note, after="idle", config=note)
    )
    result = (await play(runtime, pipeline, "go"))["go"]
    why = "'router' took route 'fast'"
    assert result.ok
    assert result.outputs["join"].data == {"saw": {"slow": why, "fast": ""}}
    assert result.skipped == dict.fromkeys(["slow", "slower", "idle", "far"], why)
    assert sorted(Journal(tmp_path).lines) == ["go: fast", "go: join", "go: next"]


async def test_router_on_a_branch_decides_only_where_its_branch_is_taken(runtime, tmp_path):
    inner = {"in_left": RoutingDecision("left"), "in_right": RoutingDecision("right")}
    note = {"folder": tmp_path}
    pipeline = (
        Pipeline()
        .with_stage(
            "outer",
            Decide,
            config={"out": RoutingDecision("out"), **dict.fromkeys(inner, RoutingDecision("in"))},
        )
        .with_stage("out", Note, dependencies="outer", route="out", config=note)
        .with_stage("inner", Decide, dependencies="outer", route="in", config=inner)
        .with_stage("left", Note, dependencies="inner", route="left", config=note)
        .with_stage("right", Note, dependencies="inner", route="right", config=note)
    )
    results = await play(runtime, pipeline, "out", "in_left", "in_right")
    took_out, took_in = "'outer' took route 'out'", "'outer' took route 'in'"
    assert results["out"].skipped == dict.fromkeys(["inner", "left", "right"], took_out)
    assert results["in_left"].skipped == {"out": took_in, "right": "'inner' took route 'left'"}
    assert results["in_right"].skipped == {"out": took_in, "left": "'inner' took route 'right'"}
    assert sorted(Journal(tmp_path).lines) == ["in_left: left", "in_right: right", "out: out"]


async def test_decision_without_branches_is_data_and_an_event(runtime):
    async def read(ctx):
        return {"route": ctx.inputs.get("route")}

    pipeline = (
        Pipeline()
        .with_stage("router", Decide, config={"go": RoutingDecision("any", fallback_route="x")})
        .with_stage("read", read, StageKind.WORK, dependencies="router")
    )
    events, result = await events_of(runtime, pipeline, input_text="go")
    assert result.outputs["read"].data == {"route": "any"}
    assert not result.skipped
    [told] = [event for event in events if event.type == "pipeline.route"]
    assert (told.data["route"], told.data["selected_route"]) == ("any", "any")


async def test_stage_of_any_kind_may_decide(runtime, tmp_path):
    note, pipeline = {"folder": tmp_path}, Pipeline()
    for kind in StageKind:
        router, taken = f"r-{kind}", {"go": RoutingDecision("taken")}
        pipeline = pipeline.with_stage(router, Decide, kind, config=taken).with_stage(
            kind, Note, kind, dependencies=router, route="taken", config=note
        )
    pipeline = pipeline.with_stage(
        "other", Note, dependencies="r-guard", route="other", config=note
    )
    result = (await play(runtime, pipeline, "go"))["go"]
    assert list(result.skipped) == ["other"]
    assert sorted(Journal(tmp_path).lines) == sorted(f"go: {kind}" for kind in StageKind)


async def test_object_in_a_decision_is_a_copy_for_each_reader_and_text_in_the_event(runtime):
    async def decide(ctx):
        return RoutingDecision("all", metadata={"box": Box([1]), "n": 1})

    async def change(ctx):
        box = ctx.inputs.get_output("router").routing.metadata["box"]
        box.items.append(2)
        return {"mine": box.items}

    branch = {"dependencies": "router", "route": "all"}
    pipeline = (
        Pipeline()
        .with_stage("router", decide, StageKind.ROUTE)
        .with_stage("left", change, StageKind.WORK, **branch)
        .with_stage("right", change, StageKind.WORK, **branch)
    )
    events, result = await events_of(runtime, pipeline)
    assert result.outputs["left"].data == result.outputs["right"].data == {"mine": [1, 2]}
    assert result.outputs["router"].routing.metadata["box"].items == [1]
    [told] = [event for event in events if event.type == "pipeline.route"]
    assert told.data["metadata"] == {"box": "Box(items=[1])", "n": 1}


async def test_route_and_confidence_of_classes_of_their_own_arrive_plain(runtime):
    async def decide(ctx):
        class Route(enum.StrEnum):
            FAST = "fast"
            SLOW = "slow"

        return RoutingDecision(Route.FAST, np.float64(0.5), Route.SLOW)

    async def read(ctx):
        return {"route": ctx.inputs.get("route")}

    pipeline = (
        Pipeline()
        .with_stage("router", decide, StageKind.ROUTE)
        .with_stage("read", read, StageKind.WORK, dependencies="router", route="fast")
    )
    events, result = await events_of(runtime, pipeline)
    assert result.ok
    [told] = [event.data for event in events if event.type == "pipeline.route"]
    parts = ("route", "selected_route", "fallback_route", "confidence")
    assert [type(told[part]) for part in parts] == [str, str, str, float]
    assert type(result.outputs["read"].data["route"]) is str


async def test_decision_that_comes_while_the_run_stops_starts_no_branch(run, tmp_path):
    folder = {"folder": tmp_path}
    pipeline = (
        Pipeline()
        .with_stage("router", DecideOnStop, config=folder)
        .with_stage("bad", After, config={**folder, "gate": "router-runs", "then": "raise"})
        .with_stage("fast", Note, dependencies="router", route="fast", config=folder)
    )
    result = await run(pipeline)
    assert (result.status, result.stage) == (RunStatus.FAILED, "bad")
    assert result.outputs["router"].data == {"route": "fast"}
    assert not result.cancelled["fast"].started
    assert Journal(tmp_path).lines == []
