"""Runs that wait for their turn, or are refused, as those see it who start them."""

from __future__ import annotations

import asyncio

import pytest

from stageflow_actors import (
    AdmissionRefusedError,
    Pipeline,
    PipelineContext,
    RunStatus,
    Settings,
    StageExecutionError,
)
from stageflow_actors.model.identity import new_id
from stageflow_actors.model.results import EXTERNAL, RUN, SUPERVISOR
from tests.conformance.crossing import Gate, Journal
from tests.conformance.parents import LONG_S, alone
from tests.conformance.waiting_runs_stages import Hold

ORG_A, ORG_B = new_id(), new_id()


def limited(runtime, sink, **settings):
    """A runtime of the same kind with these settings."""
    return type(runtime)(event_sink=sink, settings=Settings(**settings))


def holding(folder, **options):
    """A pipeline whose runs end once ``go`` is open."""
    return Pipeline("hold").with_stage("hold", Hold, config={"folder": folder}, **options)


async def started(app, *names, **parts):
    return [await app.start(input_text=name, **parts) for name in names]


async def results(handles):
    return await asyncio.gather(*(handle.result() for handle in handles))


async def runs_of(app, running, waiting):
    """What is said of the runs, once so many run and wait."""
    while True:
        runs = (await app.describe())["runs"]
        if (runs["running"], runs["waiting"]) == (running, waiting):
            return runs
        await asyncio.sleep(0.005)


def begun(folder):
    return Journal(folder).lines


async def all_begun(folder, count):
    while len(begun(folder)) < count:
        await asyncio.sleep(0.002)


def check_refused(result, word):
    """It was not started, for this reason, and it is said when to come back."""
    assert (result.status, result.stage) == (RunStatus.FAILED, SUPERVISOR)
    assert word in result.reason
    error = result.failures[SUPERVISOR].original
    assert isinstance(error, AdmissionRefusedError)
    assert error.code == "RUN-REFUSED"
    assert error.retry_after_s > 0
    assert not any(stage.started for stage in result.cancelled.values())
    assert not result.outputs


async def test_no_more_run_than_may_and_those_that_wait_begin_in_order_and_say_nothing_before(
    runtime, sink, tmp_path
):
    names = [f"run{number}" for number in range(12)]
    async with limited(runtime, sink, max_running_runs=2).deploy(holding(tmp_path)) as app:
        handles = await started(app, *names)
        await runs_of(app, 2, 10)
        await all_begun(tmp_path, 2)
        assert (await app.describe())["live_runs"] == 2
        Gate(tmp_path, "go").open()
        ended = await results(handles)
        assert (await runs_of(app, 0, 0))["refused"] == 0
        created = [[event async for event in handle.events()][0] for handle in handles]
    assert [result.status for result in ended] == [RunStatus.OK] * 12
    assert begun(tmp_path) == names
    assert max(result.outputs["hold"].data["at_once"] for result in ended) == 2
    assert {event.type for event in created} == {"pipeline.created"}
    for place, event in enumerate(created[2:], start=2):
        assert event.at >= min(each.ended_at for each in ended[:place])


async def test_what_may_not_even_wait_is_refused_and_told_when_to_come_back(
    runtime, sink, tmp_path
):
    bounds = {"max_running_runs": 1, "max_waiting_runs": 1, "max_waiting_bytes": 10_000}
    async with limited(runtime, sink, **bounds).deploy(holding(tmp_path)) as app:
        first = await started(app, "first")
        await runs_of(app, 1, 0)
        (large,) = await started(app, "large", data={"text": "x" * 20_000})
        check_refused(await large.result(), "bytes")
        waiting = await started(app, "waiting")
        assert 0 < (await runs_of(app, 1, 1))["waiting_bytes"] < 10_000
        (beyond,) = await started(app, "beyond")
        check_refused(await beyond.result(), "no more may wait")
        with pytest.raises(StageExecutionError) as raised:
            await app.run(input_text="beyond")
        assert isinstance(raised.value.__cause__, AdmissionRefusedError)
        (told,) = [event async for event in beyond.events()]
        assert (told.type, told.seq) == ("pipeline.refused", 1)
        assert told.data["retry_after_s"] > 0
        Gate(tmp_path, "go").open()
        assert all(result.ok for result in await results([*first, *waiting]))
        (large,) = await started(app, "large", data={"text": "x" * 20_000})
        assert (await large.result()).ok  # it need not wait
        assert (await runs_of(app, 0, 0))["refused"] == 3
    assert begun(tmp_path) == ["first", "waiting", "large"]


async def test_a_tenant_at_its_limits_keeps_nobody_else_from_running(runtime, sink, tmp_path):
    bounds = {"max_running_runs_per_tenant": 1, "max_waiting_runs_per_tenant": 1}
    async with limited(runtime, sink, **bounds).deploy(holding(tmp_path)) as app:
        of_a = await started(app, "a1", "a2", org_id=ORG_A)
        (beyond,) = await started(app, "a3", org_id=ORG_A)
        of_b = await started(app, "b1", org_id=ORG_B)
        of_none = await started(app, "none")
        check_refused(await beyond.result(), str(ORG_A))
        await all_begun(tmp_path, 3)
        assert sorted(begun(tmp_path)) == ["a1", "b1", "none"]
        Gate(tmp_path, "go").open()
        assert all(result.ok for result in await results([*of_a, *of_b, *of_none]))
    assert begun(tmp_path)[3:] == ["a2"]


async def test_interactive_runs_go_before_background_ones_which_have_their_share(
    runtime, sink, tmp_path
):
    bounds = {"max_running_runs": 1, "background_share": 3}
    async with limited(runtime, sink, **bounds).deploy(holding(tmp_path)) as app:
        handles = await started(app, "first")
        await runs_of(app, 1, 0)
        handles += await started(app, "g1", "g2", priority="background")
        handles += await started(app, *"abcde")
        await runs_of(app, 1, 7)
        Gate(tmp_path, "go").open()
        assert all(result.ok for result in await results(handles))
    assert begun(tmp_path) == ["first", "a", "b", "g1", "c", "d", "g2", "e"]


async def test_a_run_that_ends_while_it_waits_has_begun_nothing(runtime, sink, tmp_path):
    async with limited(runtime, sink, max_running_runs=1).deploy(holding(tmp_path)) as app:
        await started(app, "first")
        await runs_of(app, 1, 0)
        cancelled, last = await started(app, "cancelled", "last")
        (late,) = await started(app, "late", timeout=0.05)
        assert await cancelled.cancel("not needed")
        ends = await results([cancelled, late])
        await runs_of(app, 1, 1)
        await all_begun(tmp_path, 1)
    ends.append(await last.result())
    assert [(end.status, end.stage) for end in ends] == [
        (RunStatus.CANCELLED, EXTERNAL),
        (RunStatus.TIMED_OUT, RUN),
        (RunStatus.CANCELLED, EXTERNAL),
    ]
    assert (ends[0].reason, ends[2].reason) == ("not needed", "the deployment was closed")
    assert not any(stage.started for end in ends for stage in end.cancelled.values())
    assert begun(tmp_path) == ["first"]


async def test_a_child_of_the_same_pipeline_does_not_wait_for_its_parent(runtime):
    async def factorial(ctx):
        n = ctx.data["n"]
        if n == 1:
            return {"product": 1}
        child = (await ctx.spawn("factorial", {"n": n - 1})).raise_for_status()
        return {"product": n * child.data["factorial"]["product"]}

    pipeline = alone("factorial", factorial, timeout=LONG_S, concurrency=1)
    settings = Settings(max_running_runs=1)
    runtime = type(runtime)(registry=(pipeline,), settings=settings)
    async with runtime.deploy(pipeline) as app:
        runs = [await app.start(data={"n": 3}) for _ in range(2)]
        ended = await results(runs)
    assert [each.outputs["factorial"].data["product"] for each in ended] == [6, 6]


async def test_hooks_of_a_run_that_waits_are_asked_when_it_begins_and_of_a_refused_one_never(
    runtime, sink, tmp_path
):
    asked = []

    def hooked(name):
        context = PipelineContext.create(input_text=name)
        context.add_before_stage_start_hook(lambda *_about: asked.append((name, begun(tmp_path))))
        return context

    bounds = {"max_running_runs": 1, "max_waiting_runs": 1, "cleanup_timeout_s": LONG_S}
    async with limited(runtime, sink, **bounds).deploy(holding(tmp_path)) as app:
        await started(app, "first")
        waiting, refused = [await app.start(hooked(name)) for name in ("waiting", "refused")]
        check_refused(await refused.result(), "no more may wait")
        await all_begun(tmp_path, 1)
        assert asked == []
        Gate(tmp_path, "go").open()
        assert (await waiting.result()).ok
    assert asked == [("waiting", ["first"])]
