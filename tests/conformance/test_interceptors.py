"""Interceptors around each attempt of a stage, where the stage is."""

from __future__ import annotations

import asyncio
import os

import pytest

from stageflow_actors import (
    BreakerPolicy,
    CriticalInterceptorError,
    ErrorAction,
    ErrorDecision,
    InterceptorRejectedError,
    InterceptorResult,
    LoggingInterceptor,
    Pipeline,
    RayRuntime,
    RunStatus,
    StageOutput,
    TimeoutInterceptor,
)
from tests.conformance.crossing import Journal
from tests.conformance.failing_stages import (
    FailFirst,
    Look,
    at_once,
    broken,
    fine,
    of_type,
    watched,
)
from tests.conformance.interceptors_stages import ERRORS, Answer, Around, RaiseOnce, Telling, Where


def two_stages(folder, *interceptors, **options):
    """``look`` reads what comes out of ``first``; both write down that they ran."""
    note = {"folder": folder}
    return (
        Pipeline("two")
        .with_stage("first", Look, config=note, **options)
        .with_stage("look", Look, dependencies="first", config=note)
        .build(interceptors=interceptors)
    )


async def test_before_is_asked_by_priority_and_the_others_in_reverse(run, tmp_path):
    outer, inner = Around(tmp_path, "outer", 10), Around(tmp_path, "inner", 20.5)
    pipeline = Pipeline().with_stage("only", Look, config={"folder": tmp_path})
    await run(pipeline.build(interceptors=[inner, outer]))
    assert Journal(tmp_path).lines == [
        "outer before only",
        "inner before only",
        "only",
        "inner after only",
        "outer after only",
        "inner ended only: ok",
        "outer ended only: ok",
    ]


async def test_every_attempt_of_a_stage_is_intercepted(run, tmp_path):
    config = {"folder": tmp_path, "times": 1, "how": ConnectionError("gone")}
    pipeline = Pipeline().with_stage("flaky", FailFirst, config=config, retry=at_once(2))
    assert (await run(pipeline.build(interceptors=[Around(tmp_path, "it")]))).ok
    lines = [line for line in Journal(tmp_path).lines if "cleanup" not in line]
    assert lines == [
        "it before flaky",
        "flaky",
        "it on_error flaky: gone",
        "it ended flaky: fail",
        "it before flaky",
        "flaky",
        "it after flaky",
        "it ended flaky: ok",
    ]


async def test_before_may_answer_in_place_of_the_stage(run, tmp_path):
    instead = InterceptorResult(stage_ran=False, result={"n": 7})
    result = await run(two_stages(tmp_path, Answer("first", before=instead)))
    assert Journal(tmp_path).lines == ["look"]
    assert result.outputs["look"].data["inputs"] == {"first": {"n": 7}}


async def test_before_may_refuse_the_stage(run, tmp_path):
    refusal = InterceptorResult(stage_ran=False, error="not today")
    result = await run(two_stages(tmp_path, Answer("first", before=refusal)))
    assert (result.status, result.stage, Journal(tmp_path).lines) == (RunStatus.FAILED, "first", [])
    assert isinstance(result.failures["first"].original, InterceptorRejectedError)
    assert "not today" in result.reason


async def test_after_may_replace_what_the_stage_returned(run, tmp_path):
    result = await run(two_stages(tmp_path, Answer("first", after=StageOutput.ok(n=8))))
    assert result.outputs["first"].data == {"n": 8}
    assert result.outputs["look"].data["inputs"] == {"first": {"n": 8}}


@pytest.mark.parametrize("method", ["before", "after"])
async def test_whatever_an_interceptor_raises_fails_the_stage(runtime, tmp_path, method):
    ends = []
    async with runtime.deploy(two_stages(tmp_path, RaiseOnce(method))) as app:
        for number in range(len(ERRORS)):
            handle = await app.start(data={"error": number})
            ends.append(await handle.result())
    assert tuple(type(end.failures["first"].original) for end in ends) == ERRORS
    assert [(end.status, end.stage, len(end.outputs)) for end in ends] == [
        (RunStatus.FAILED, "first", 0)
    ] * len(ERRORS)
    ran = ["first"] * len(ERRORS) if method == "after" else []
    assert Journal(tmp_path).lines == ran


async def test_the_error_of_an_interceptor_is_the_original_of_the_failure(run, tmp_path):
    error = CriticalInterceptorError("no budget left", code="BUDGET")
    result = await run(two_stages(tmp_path, Answer("first", before=error)))
    original = result.error().original
    assert (type(original), original.message, original.code) == (
        CriticalInterceptorError,
        "no budget left",
        "BUDGET",
    )
    assert result.failures["first"].code == "BUDGET"


async def test_on_error_may_give_a_fallback(run, tmp_path):
    pipeline = (
        Pipeline()
        .with_stage("bad", broken, "work")
        .with_stage("look", Look, dependencies="bad", config={"folder": tmp_path})
    )
    rescue = Answer("bad", on_error=ErrorDecision.fallback({"rows": 0}))
    result = await run(pipeline.build(interceptors=[rescue]))
    assert (result.ok, result.failures) == (True, {})
    assert result.outputs["look"].data["inputs"] == {"bad": {"rows": 0}}


async def test_on_error_may_ask_for_another_attempt(runtime, tmp_path):
    config = {"folder": tmp_path, "times": 1, "how": LookupError("covered by no policy")}
    graph = (
        Pipeline()
        .with_stage("flaky", FailFirst, config=config, retry=at_once(3))
        .build(interceptors=[Answer("flaky", on_error=ErrorAction.RETRY)])
    )
    async with runtime.deploy(graph) as app:
        events, result = await watched(app)
    assert (result.ok, result.attempts) == (True, {"flaky": 2})
    assert [each["error"] for each in of_type(events, "stage.retry_scheduled")] == [
        "covered by no policy"
    ]


async def test_attempts_that_an_interceptor_asks_for_are_bounded(run, tmp_path):
    config = {"folder": tmp_path, "times": 9, "how": LookupError("covered by no policy")}
    graph = (
        Pipeline()
        .with_stage("flaky", FailFirst, config=config, retry=at_once(3))
        .build(interceptors=[Answer("flaky", on_error=ErrorAction.RETRY)])
    )
    result = await run(graph)
    assert (result.status, result.attempts) == (RunStatus.FAILED, {"flaky": 3})
    assert type(result.failures["flaky"].original) is LookupError


async def test_interceptors_work_in_the_process_of_the_stage(runtime):
    async def only(ctx):
        return {"inside": os.getpid()}

    def blocking(ctx):
        return {"inside": os.getpid()}

    pipeline = Pipeline().with_stage("only", only, "work").with_stage("thread", blocking, "work")
    async with runtime.deploy(pipeline.build(interceptors=[Where()])) as app:
        outputs = (await app.run()).values()
    assert all(output.data["around"] == output.data["inside"] for output in outputs)
    is_elsewhere = {output.data["around"] for output in outputs}.isdisjoint({os.getpid()})
    assert is_elsewhere is isinstance(runtime, RayRuntime)


async def test_events_of_an_interceptor_are_events_of_its_stage(runtime):
    graph = Pipeline().with_stage("only", fine, "work").build(interceptors=[Telling()])
    async with runtime.deploy(graph) as app:
        events, _result = await watched(app)
    ((asked),) = [event for event in events if event.type == "asked"]
    assert (asked.stage, asked.data) == ("only", {"about": "only"})


def limits_of(graph):
    (stage,) = graph.plan.stages
    return stage.timeout_s, None if stage.breaker is None else stage.breaker.failure_threshold


def one_stage(**options):
    return Pipeline().with_stage("only", fine, "work", **options)


def test_the_default_interceptors_limit_an_attempt_and_break_the_circuit():
    assert limits_of(one_stage().build()) == (30.0, 5)


def test_no_interceptors_leave_no_limit_and_no_breaker():
    assert limits_of(one_stage().build(interceptors=[])) == (None, None)
    assert limits_of(one_stage().build(interceptors=[LoggingInterceptor()])) == (None, None)


@pytest.mark.parametrize("interceptors", [None, [], [TimeoutInterceptor(7)]])
def test_a_policy_of_the_stage_itself_stays_whatever_interceptors_there_are(interceptors):
    own = one_stage(timeout=2, breaker=BreakerPolicy(failure_threshold=9))
    assert limits_of(own.build(interceptors=interceptors)) == (2.0, 9)


async def test_a_named_timeout_limits_the_stages_without_one(runtime, tmp_path):
    async def forever(ctx):
        await asyncio.Event().wait()

    graph = (
        Pipeline()
        .with_stage("only", forever, "work")
        .build(interceptors=[TimeoutInterceptor(timeout_s=0.1)])
    )
    async with runtime.deploy(graph) as app:
        result = await (await app.start()).result()
    assert (result.status, result.reason) == (RunStatus.TIMED_OUT, "Stage timed out after 100ms")
