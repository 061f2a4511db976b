"""Many runs at a time, and runs cancelled at every moment. Few of them here, the rest as stress."""

from __future__ import annotations

import asyncio

import pytest

from stageflow_actors import Pipeline, RunStatus, StageKind
from tests.conformance.many_runs_stages import WriteOn, first, passed_on


def counts(few, many):
    return [
        pytest.param(few, id="few"),
        pytest.param(many, id="many", marks=pytest.mark.stress),
    ]


@pytest.mark.parametrize("count", counts(50, 2000))
async def test_every_one_of_many_concurrent_runs_gets_its_own_result(runtime, count):
    pipeline = (
        Pipeline()
        .with_stage("a", first, StageKind.WORK)
        .with_stage("b", passed_on, StageKind.WORK, dependencies="a")
        .with_stage("c", passed_on, StageKind.WORK, dependencies="b")
    )
    texts = [f"text {number}" for number in range(count)]
    async with runtime.deploy(pipeline) as app:
        results = await asyncio.gather(*(app.run(input_text=text) for text in texts))
        assert (await app.describe())["live_runs"] == 0
    assert [result["c"].data["text"] for result in results] == texts


@pytest.mark.parametrize("count", counts(20, 200))
async def test_nothing_is_written_after_the_verdict_whenever_the_run_is_cancelled(
    runtime, tmp_path, count
):
    write_on = {"folder": tmp_path}
    pipeline = (
        Pipeline()
        .with_stage("a", first, StageKind.WORK)
        .with_stage("left", WriteOn, dependencies="a", config=write_on)
        .with_stage("right", WriteOn, dependencies="a", config=write_on)
    )
    sizes = {}
    async with runtime.deploy(pipeline) as app:
        for number in range(count):
            handle = await app.start(input_text=f"run-{number}")
            await asyncio.sleep(number % 20 * 0.0005)  # the moment swept over, not a wait
            await handle.cancel("swept")
            result = await handle.result()
            assert result.status is RunStatus.CANCELLED
            log = tmp_path / f"run-{number}.log"
            sizes[log] = log.stat().st_size if log.exists() else None
            started = {name for name, stage in result.cancelled.items() if stage.started}
            text = log.read_text() if log.exists() else ""
            assert {name for name in started if f"{name} ended" in text} == {
                name for name in ("left", "right") if f"{name}\n" in text
            }
    for log, size in sizes.items():
        assert (log.stat().st_size if log.exists() else None) == size
    assert any(sizes.values())
