"""What a deployment says of itself in numbers, while it works and after."""

from __future__ import annotations

import asyncio
import os
import signal

import pytest

from stageflow_actors import (
    Batching,
    BatchStats,
    DeploymentClosedError,
    LocalRuntime,
    Pipeline,
    RayRuntime,
    RunStats,
    Settings,
)
from tests.actors.watching import described, gone
from tests.conformance.crossing import Gate, Journal
from tests.conformance.stages import ok
from tests.conformance.stats_stages import Deaf, Embed, Hold

COUNTERS = ("executions", "busy_s", "ready_s", "sent_bytes", "received_bytes")


def holding(folder, **options):
    hold = Pipeline("hold").with_stage("hold", Hold, config={"folder": folder}, **options)
    return hold.with_stage("after", ok, "work", "hold")


def embedding(folder, **options):
    options = {"config": {"folder": folder}, "batching": Batching(), **options}
    return Pipeline("embed").with_stage("embed", Embed, **options)


async def counted(app, condition):
    """The numbers, once that is so."""
    while not condition(stats := await app.stats()):
        await asyncio.sleep(0.005)
    return stats


async def results(handles):
    return await asyncio.gather(*(handle.result() for handle in handles))


def check_not_less(before, after):
    for name, stage in before.stages.items():
        later = after.stages[name]
        assert all(getattr(later, each) >= getattr(stage, each) for each in COUNTERS)
        if stage.batches is not None:
            for each in BatchStats.__slots__:
                assert getattr(later.batches, each) >= getattr(stage.batches, each)
    assert after.calls_to_stages >= before.calls_to_stages
    assert after.asked_again >= before.asked_again


def is_full(told):
    hold = told.stages["hold"]
    return (hold.executing, hold.waiting, told.runs.refused) == (1, 2, 1)


async def test_what_waits_and_what_is_executed_is_told_and_what_has_ended_is_counted(
    runtime, tmp_path
):
    settings = Settings(max_running_runs=3, max_waiting_runs=1)
    on_ray = isinstance(runtime, RayRuntime)
    async with type(runtime)(settings=settings).deploy(holding(tmp_path, concurrency=1)) as app:
        handles = [await app.start(input_text="a") for _ in range(5)]
        full = await counted(app, is_full)
        assert full.pipeline == "hold"
        assert (full.runs.running, full.runs.waiting, full.runs.refused) == (3, 1, 1)
        assert full.runs.waiting_bytes > 0
        assert [*full.stages] == ["hold", "after"]
        hold, after = full.stages.values()
        assert (hold.name, hold.replicas, hold.executing, hold.executions) == ("hold", 1, 1, 0)
        assert (after.waiting, after.executing, after.executions, after.busy_s) == (0, 0, 0, 0)
        assert after.utilisation == 0 < hold.utilisation <= 1
        assert hold.batches is None
        Gate(tmp_path, "go").open()
        await results(handles)
        told = await counted(app, lambda told: not told.runs.running)
    check_not_less(full, told)
    assert told.runs == RunStats(0, 0, 0, 1)
    for stage in told.stages.values():
        assert (stage.waiting, stage.executing, stage.executions) == (0, 0, 4)
        assert 0 < stage.busy_s <= stage.ready_s
        assert 0 < stage.utilisation <= 1
        assert (stage.sent_bytes > 0, stage.received_bytes > 0) == (on_ray, on_ray)
    assert (told.calls_to_stages > 0, told.calls_to_supervisor > 0) == (on_ray, on_ray)


async def name_in(app, text):
    return (await app.run(input_text=text))["embed"].data["name"]


async def test_what_is_executed_together_is_counted_also_of_a_process_that_has_left(
    runtime, tmp_path
):
    async with runtime.deploy(embedding(tmp_path, effects="none")) as app:
        assert (await app.stats()).stages["embed"].batches == BatchStats()
        first = await app.start(input_text="first")
        await counted(app, lambda told: told.stages["embed"].batches == BatchStats(1, 1, 1, 0))
        others = [await app.start(input_text=name) for name in ["bad", *"bcdefg"]]
        await counted(app, lambda told: told.stages["embed"].executing == 8)
        Gate(tmp_path, "go").open()
        await results([first, *others])
        stage = (await app.stats()).stages["embed"]
        sizes = [int(line) for line in Journal(tmp_path).lines]
        assert (stage.executions, stage.batches.items) == (8, 8)
        assert stage.batches.largest == max(sizes)
        assert stage.batches.batches + 2 * stage.batches.splits == len(sizes)

        former, runs = await name_in(app, "retire"), 9
        while await name_in(app, "a") == former:
            runs += 1
        if isinstance(runtime, RayRuntime):
            await gone(int(former.split()[-1]))
        after = (await app.stats()).stages["embed"]
    assert (after.executions, after.batches.items) == (runs + 1, runs + 1)


@pytest.mark.ray
async def test_no_counter_goes_down_when_processes_die(ray_session, tmp_path):
    async with RayRuntime().deploy(embedding(tmp_path, replicas=2)) as app:
        for _ in range(4):
            await app.run(input_text="a")
        lost = await app.start(input_text="hold")
        before = await counted(app, lambda told: told.stages["embed"].executing == 1)
        stage = before.stages["embed"]
        assert (stage.replicas, stage.executions) == (2, 4)
        pids = (await app.describe())["stages"][0]["pids"]
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
        assert not (await lost.result()).ok
        check_not_less(before, await app.stats())
        await described(app, lambda told: not {None, *pids} & {*told["stages"][0]["pids"]})
        again = await counted(app, lambda told: told.stages["embed"].replicas == 2)
        check_not_less(before, again)
        assert (again.stages["embed"].executing, again.stages["embed"].executions) == (0, 5)
        await app.run(input_text="b")
        after = await app.stats()
    check_not_less(again, after)
    assert after.stages["embed"].executions == 6
    assert after.stages["embed"].batches.items == stage.batches.items + 1


# --- in this process alone ------------------------------------------------------------------------


async def test_no_counter_goes_down_when_a_stage_retires(tmp_path):
    Gate(tmp_path, "go").open()
    async with LocalRuntime().deploy(holding(tmp_path)) as app:
        await app.run(input_text="a")
        before = await app.stats()
        await app.run(input_text="retire")
        for count in range(3, 6):
            await app.run(input_text="b")
            after = await app.stats()
            check_not_less(before, after)
            assert after.stages["hold"].executions == count
            before = after


async def test_what_was_abandoned_has_ended_once(tmp_path):
    runtime = LocalRuntime(settings=Settings(grace_s=0.01))
    options = {"config": {"folder": tmp_path}, "concurrency": 1, "timeout": 0.05}
    async with runtime.deploy(Pipeline().with_stage("deaf", Deaf, **options)) as app:
        try:
            result = await (await app.start(input_text="deaf")).result()
            assert [*result.abandoned] == ["deaf"]
            stage = (await app.stats()).stages["deaf"]
            assert (stage.executing, stage.executions) == (0, 1)
        finally:
            Gate(tmp_path, "go").open()
        await app.run(input_text="a")
        stage = (await app.stats()).stages["deaf"]
        assert (stage.executing, stage.executions) == (0, 2)


async def test_a_deployment_that_is_not_open_says_so(tmp_path):
    app = LocalRuntime().deploy(holding(tmp_path))
    with pytest.raises(DeploymentClosedError):
        await app.stats()
