"""Metrics of real runs: each count is exact, whatever becomes of the runs."""

from __future__ import annotations

import asyncio

import pytest

from stageflow_actors import (
    InMemoryEventSink,
    LocalRuntime,
    NoOpEventSink,
    Pipeline,
    Settings,
    StageOutput,
)
from stageflow_actors.interceptors import (
    ChildTrackerMetricsInterceptor,
    MetricsInterceptor,
    get_default_interceptors,
)
from tests.conformance.failing_stages import at_once
from tests.telemetry.metrics_seen import SeenMetrics, fine, results_of


@pytest.fixture
def seen(monkeypatch):
    seen = SeenMetrics(monkeypatch)
    yield seen
    seen.provider.shutdown()


class Flaky:
    """Fails as often as it is told, by the run; then it is done."""

    kind = "work"

    def __init__(self, times):
        self.left = times

    async def execute(self, ctx):
        self.left -= 1
        if self.left >= 0:
            raise ConnectionError("not today")
        return StageOutput.ok()


async def skips(ctx):
    return StageOutput.skip("nothing to do")


async def fails(ctx):
    raise ValueError("no such book")


async def test_attempts_are_counted_and_measured_by_outcome(seen):
    pipeline = (
        Pipeline("shop")
        .with_stage("flaky", Flaky, "work", config={"times": 2}, retry=at_once(3))
        .with_stage("idle", skips, "work")
        .with_stage("after", fine, "work", dependencies="idle", conditional=True)
        .with_stage("last", fails, "work", after_any=("flaky",))
    )
    (result,) = await results_of(pipeline)
    assert not result.ok
    counted = seen.values("stageflow.stage.attempts", "stage", "outcome", "error")
    assert counted == {
        ("flaky", "retried", "ConnectionError"): 2,
        ("flaky", "completed", None): 1,
        ("idle", "skipped", None): 1,
        ("last", "failed", "ValueError"): 1,
    }
    measured = seen.values("stageflow.stage.attempt.duration", "stage", "outcome")
    assert measured == {(stage, outcome): n for (stage, outcome, _), n in counted.items()}
    assert seen.values("stageflow.stage.queue.duration", "stage") == {
        ("flaky",): 3,
        ("idle",): 1,
        ("last",): 1,
    }
    assert seen.values("stageflow.stage.retries", "pipeline", "stage") == {("shop", "flaky"): 2}
    assert seen.values("stageflow.stage.passed_by", "stage") == {("after",): 1}
    assert seen.values("stageflow.stage.losses", "stage") == {}


async def test_runs_are_counted_by_status_and_measured(seen):
    await results_of(Pipeline("good").with_stage("fine", fine, "work"), times=3)
    await results_of(Pipeline("bad").with_stage("fails", fails, "work"), times=2)
    assert seen.values("stageflow.runs", "pipeline", "status", "error") == {
        ("good", "ok", None): 3,
        ("bad", "failed", "ValueError"): 2,
    }
    durations = seen.values("gen_ai.invoke_workflow.duration", "gen_ai.workflow.name", "status")
    assert durations == {("good", "ok"): 3, ("bad", "failed"): 2}


async def test_times_are_those_of_the_run(seen):
    async def takes_its_time(ctx):
        await asyncio.sleep(0.05)
        return StageOutput.ok()

    (result,) = await results_of(Pipeline("slow").with_stage("slow", takes_its_time, "work"))
    worked_s = seen.total("stageflow.stage.attempt.duration")
    assert worked_s == pytest.approx(result.timings["slow"].duration_ms / 1000, abs=1e-3)
    assert worked_s <= seen.total("gen_ai.invoke_workflow.duration")


async def test_what_was_cancelled_is_no_failure(seen):
    begun = asyncio.Event()

    async def waits(ctx):
        begun.set()
        await asyncio.Event().wait()

    async with (
        LocalRuntime(event_sink=NoOpEventSink()) as runtime,
        runtime.deploy(Pipeline("shop").with_stage("waits", waits, "work")) as app,
    ):
        run = await app.start()
        await begun.wait()
        await run.cancel("enough")
        await run.result()
    attempts = seen.values("stageflow.stage.attempts", "stage", "outcome", "error")
    assert attempts == {("waits", "cancelled", None): 1}
    assert seen.values("stageflow.runs", "status", "error") == {("cancelled", None): 1}


# --- children, refusals, drops --------------------------------------------------------------------


def spawning(*names):
    async def spawns(ctx):
        for name in names:
            await ctx.spawn(name)
        return StageOutput.ok()

    return Pipeline("parent").with_stage("spawns", spawns, "work")


CHILDREN = (
    Pipeline("good").with_stage("fine", fine, "work"),
    Pipeline("bad").with_stage("fails", fails, "work"),
)


async def test_child_runs_are_counted_for_who_started_them_and_for_themselves(seen):
    await results_of(spawning("good", "good", "bad"), registry=CHILDREN)
    assert seen.values("stageflow.child_runs", "pipeline", "stage", "child", "status") == {
        ("parent", "spawns", "good", "ok"): 2,
        ("parent", "spawns", "bad", "failed"): 1,
    }
    assert seen.values("stageflow.runs", "pipeline", "status") == {
        ("parent", "ok"): 1,
        ("good", "ok"): 2,
        ("bad", "failed"): 1,
    }
    assert seen.values("stageflow.stage.attempts", "pipeline", "stage")["good", "fine"] == 2


async def test_runs_that_are_refused_are_counted_and_nothing_else_of_them(seen):
    settings = Settings(max_running_runs=1, max_waiting_runs=0)
    go = asyncio.Event()

    async def waits(ctx):
        await go.wait()
        return StageOutput.ok()

    async with (
        LocalRuntime(event_sink=NoOpEventSink(), settings=settings) as runtime,
        runtime.deploy(Pipeline("shop").with_stage("waits", waits, "work")) as app,
    ):
        runs = [await app.start() for _ in range(4)]
        go.set()
        assert [(await run.result()).ok for run in runs] == [True, False, False, False]
    assert seen.values("stageflow.runs.refused", "pipeline") == {("shop",): 3}
    assert seen.values("stageflow.runs", "pipeline", "status") == {("shop", "ok"): 1}


async def test_events_that_were_dropped_are_counted_by_who_dropped_them(seen):
    async def chatters(ctx):
        for number in range(50):
            ctx.emit_event("shop.seen", {"number": number})
        return StageOutput.ok()

    settings = Settings(max_events_per_run=10)
    (result,) = await results_of(
        Pipeline("shop").with_stage("chatters", chatters, "work"), settings=settings
    )
    assert result.events_dropped > 0
    dropped = seen.values("stageflow.events.dropped", "place")
    assert dropped == {("run",): result.events_dropped}


async def test_what_queues_have_no_room_for_is_counted_too(seen):
    settings = Settings(max_queued_events=1)
    async with (
        LocalRuntime(event_sink=InMemoryEventSink(), settings=settings) as runtime,
        runtime.deploy(Pipeline("shop").with_stage("fine", fine, "work")) as app,
    ):
        await app.run()
        sink, telemetry = runtime.event_statistics(), runtime.telemetry_statistics()
    assert sink.dropped
    assert telemetry.dropped
    dropped = seen.values("stageflow.events.dropped", "place")
    assert dropped == {("sink",): sink.dropped, ("telemetry",): telemetry.dropped}


# --- who is measured ------------------------------------------------------------------------------

OF_STAGES = {
    "stageflow.stage.attempts",
    "stageflow.stage.attempt.duration",
    "stageflow.stage.queue.duration",
}


@pytest.mark.parametrize(
    ("interceptors", "measured"),
    [
        ([], set()),
        ([MetricsInterceptor()], OF_STAGES),
        ([ChildTrackerMetricsInterceptor()], {"stageflow.child_runs"}),
        (get_default_interceptors(), OF_STAGES | {"stageflow.child_runs"}),
    ],
)
async def test_a_pipeline_is_measured_as_its_interceptors_say(seen, interceptors, measured):
    child = Pipeline("child").with_stage("fine", fine, "work").build(interceptors=[])
    pipeline = spawning("child").build(interceptors=interceptors)
    await results_of(pipeline, registry=[child])
    runs = {"stageflow.runs", "gen_ai.invoke_workflow.duration"}
    assert seen.names == runs | measured
    assert seen.values("stageflow.runs", "pipeline") == {("parent",): 1, ("child",): 1}
    assert seen.values("stageflow.stage.attempts", "pipeline").keys() <= {("parent",)}


async def test_a_run_under_another_name_is_measured_as_its_pipeline_says(seen):
    quiet = Pipeline("quiet").with_stage("fine", fine, "work").build(interceptors=[])
    async with (
        LocalRuntime(event_sink=NoOpEventSink()) as runtime,
        runtime.deploy(quiet) as app,
    ):
        await app.run(topology="loud")
    assert seen.values("stageflow.runs", "pipeline") == {("loud",): 1}
    assert seen.points("stageflow.stage.attempts") == []
