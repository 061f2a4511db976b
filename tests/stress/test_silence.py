"""Runs that are stopped at every moment: nothing is done after the verdict."""

from __future__ import annotations

import asyncio
import time

import pytest

from stageflow_actors import (
    LocalRuntime,
    Pipeline,
    RayRuntime,
    RunStatus,
    Settings,
    Timeouts,
)
from tests.stress.silence_stages import WorksOn, WorksOnWhateverIsSaid

BATCH = 10
STEP_S = 0.004


async def ready(app):
    """The process of the stage is there; the last batch may have cost the one before."""
    while (await app.describe())["stages"][0]["pid"] is None:
        await asyncio.sleep(0.01)


async def stopped(app, number):
    """Stop a run after a while, by a cancel or its time limit; when its verdict was here."""
    after_s = number % 40 * STEP_S
    if number % 2:
        handle = await app.start(input_text=str(number), timeout=after_s)
    else:
        handle = await app.start(input_text=str(number))
        asyncio.get_running_loop().call_later(
            after_s, lambda: asyncio.ensure_future(handle.cancel("swept"))
        )
    result = await handle.result()
    return time.monotonic(), result


def late_effects(folder, verdicts):
    """How many each file has from after the verdict of its run."""
    late = {}
    for file in folder.glob("*.effects"):
        verdict = verdicts[file.stem.partition("-")[0]]
        after = [at for at in map(float, file.read_text().splitlines()) if at > verdict]
        if after:
            late[file.name] = len(after)
    return late


@pytest.mark.parametrize("stage", [WorksOn, WorksOnWhateverIsSaid])
async def test_no_effect_comes_after_the_verdict_whenever_a_run_is_stopped(
    runtime, tmp_path, is_full, stage
):
    if stage is WorksOnWhateverIsSaid and isinstance(runtime, LocalRuntime):
        pytest.skip("a thread cannot be ended; the result names it as abandoned")
    count = 200 if is_full else 20
    pipeline = Pipeline().with_stage("only", stage, config={"folder": tmp_path})
    verdicts, statuses = {}, set()
    async with runtime.deploy(pipeline.build(interceptors=[])) as app:  # no breaker
        for first in range(0, count, BATCH):
            await ready(app)
            numbers = range(first, first + BATCH)
            ends = await asyncio.gather(*(stopped(app, number) for number in numbers))
            for number, (at, result) in zip(numbers, ends, strict=True):
                verdicts[str(number)] = at
                statuses.add(result.status)
                assert result.abandoned == ()
        assert (await app.describe())["live_runs"] == 0
    assert late_effects(tmp_path, verdicts) == {}
    assert {RunStatus.CANCELLED, RunStatus.TIMED_OUT} <= statuses
    assert RunStatus.OK not in statuses
    assert any(file.stat().st_size for file in tmp_path.glob("*.effects"))


@pytest.mark.ray
@pytest.mark.parametrize("limits", [Timeouts(attempt=0.1), Timeouts(heartbeat=0.1)])
async def test_the_verdict_on_a_process_that_is_ended_comes_after_its_end(
    ray_session, tmp_path, is_full, limits
):
    pipeline = Pipeline().with_stage(
        "only", WorksOnWhateverIsSaid, config={"folder": tmp_path}, timeout=limits
    )
    verdicts = {}
    runtime = RayRuntime(settings=Settings(grace_s=0.05))
    async with runtime.deploy(pipeline.build(interceptors=[])) as app:
        for number in range(100 if is_full else 3):
            await ready(app)
            result = await (await app.start(input_text=str(number))).result()
            verdicts[str(number)] = time.monotonic()
            assert result.status is RunStatus.TIMED_OUT
    assert len(list(tmp_path.glob("*.effects"))) == len(verdicts)
    assert late_effects(tmp_path, verdicts) == {}
