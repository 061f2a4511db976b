"""Stage processes die under load: every run ends as its policy says, and nothing is done twice."""

from __future__ import annotations

import asyncio
import math
from collections import Counter
from statistics import median

import pytest

from stageflow_actors import NoOpEventSink, Pipeline, RayRuntime, RunStatus, Settings
from stageflow_actors.testing import StageKiller
from tests.actors.watching import described
from tests.stress.mortal_stages import DiesOfPoison, Log, Pay, Step, payments

pytestmark = [pytest.mark.ray, pytest.mark.usefixtures("ray_session")]


def steps(count, path):
    """A chain of stages that may be repeated."""
    pipeline, before = Pipeline("mortal"), ()
    for number in range(count):
        name = f"step-{number}"
        config = {"path": path}
        pipeline = pipeline.with_stage(
            name, Step, config=config, dependencies=before, effects="none"
        )
        before = (name,)
    return pipeline


async def killed_so_often(killer, most):
    while len(killer.kills) < most:
        await asyncio.sleep(0.05)


def told_how_soon(deaths, kills, capsys):
    """How long each kill took to be seen, and to be made good if it was by the end."""
    by_pid = {death["pid"]: death for death in deaths}
    for what, when in (("seen", "seen_at"), ("served again", "serving_at")):
        made = [(by_pid[kill.pid][when], kill.at) for kill in kills]
        took = sorted(at - killed_at for at, killed_at in made if at is not None)
        p99 = took[math.ceil(0.99 * len(took)) - 1]
        with capsys.disabled():
            print(f"\n{len(took)} kills, {what}: P50 {median(took):.3f} s, P99 {p99:.3f} s")


@pytest.mark.parametrize(
    "standing_by", [0, pytest.param(24, marks=pytest.mark.stress)], ids=["none", "spares"]
)
async def test_no_run_is_lost_and_no_payment_made_twice(standing_by, is_full, tmp_path, capsys):
    count, most = (10_000, 40) if is_full else (100, 2)
    spares = min(standing_by, most)
    pipeline = steps(3, tmp_path / "log").with_stage(
        "pay", Pay, config={"path": tmp_path / "paid"}, dependencies="step-2", effects="keyed"
    )
    statuses = Counter()
    # Killed this fast, many a process dies before it has worked on anything.
    settings = Settings(
        restart_intensity=10_000, spare_processes=spares or 1, spares_at_start=spares > 0
    )
    async with RayRuntime(event_sink=NoOpEventSink(), settings=settings).deploy(pipeline) as app:
        await app.run()
        await described(app, lambda told: told["restarts"]["spares"] >= spares)
        async with StageKiller(app, every_s=(0.1, 0.5), seed=5) as killer:
            killing = asyncio.ensure_future(killed_so_often(killer, most))
            inputs = ({"input_text": str(number)} for number in range(count))
            async for _index, result in app.map(inputs, concurrency=64):
                statuses[result.status] += 1
            while not killing.done():  # a machine this fast has to work on
                statuses[(await (await app.start()).result()).status] += 1
                count += 1
        told = await app.describe()
        assert told["live_runs"] == 0
    if is_full:
        told_how_soon(told["restarts"]["deaths"], killer.kills, capsys)
    assert statuses == {RunStatus.OK: count}
    assert len(killer.kills) >= most
    assert len(payments(tmp_path / "paid")) == count + 1


async def test_what_has_finished_is_never_executed_again(is_full, tmp_path):
    count, most = (100, 20) if is_full else (12, 2)
    pipeline = Pipeline("six")
    before = ()
    for number in range(6):
        pipeline = pipeline.with_stage(
            f"step-{number}",
            Step,
            config={"path": tmp_path / "log", "seconds": 0.4},
            dependencies=before,
            effects="none",
        )
        before = (f"step-{number}",)
    settings = Settings(restart_intensity=1_000)  # those that wait for work are killed, too
    log = Log(tmp_path / "log")
    async with RayRuntime(event_sink=NoOpEventSink(), settings=settings).deploy(pipeline) as app:
        async with StageKiller(app, every_s=(0.05, 0.2), seed=3) as killer:
            handles = []
            for _ in range(count):
                handles.append(await app.start())
                await asyncio.sleep(0.02)  # so that several stages have work at a time
            await killed_so_often(killer, most)
            while all(attempt == "1" for _run, _stage, attempt in log.lines()):
                await asyncio.sleep(0.05)  # until one was hit that had work
        results = await asyncio.gather(*(handle.result() for handle in handles))
    assert [result.status for result in results] == [RunStatus.OK] * count
    accepted = {
        (str(result.pipeline_run_id), stage): attempt
        for result in results
        for stage, attempt in result.attempts.items()
    }
    begun = [(run, stage, int(attempt)) for run, stage, attempt in log.lines()]
    assert [each for each in begun if each[2] > accepted[each[:2]]] == []
    assert len(set(begun)) == len(begun)
    assert len(begun) > 6 * count  # some of them had to be repeated


async def test_poison_is_found_and_the_innocent_finish(is_full):
    poisonous, count = (20, 2_000) if is_full else (1, 30)
    spacing = count // poisonous
    pipeline = Pipeline("food").with_stage("eat", DiesOfPoison, effects="none", breaker=None)
    inputs = [
        {"input_text": "poison" if number % spacing == spacing // 2 else "bread"}
        for number in range(count)
    ]
    ends = Counter()
    graph = pipeline.build(interceptors=[])
    async with RayRuntime(event_sink=NoOpEventSink()).deploy(graph) as app:
        async for index, result in app.map(inputs, concurrency=32):
            code = result.failures["eat"].code if result.failures else "ok"
            ends[inputs[index]["input_text"], code] += 1
        restarts = (await app.describe())["restarts"]
    assert ends == {("poison", "STAGE-POISONED"): poisonous, ("bread", "ok"): count - poisonous}
    assert len(restarts["deaths"]) <= 4 * poisonous
