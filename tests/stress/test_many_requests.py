"""Many runs with failures among them: none is lost, none is executed too often, none is late."""

from __future__ import annotations

import asyncio
from collections import Counter
from uuid import uuid4

from stageflow_actors import IdempotencyPolicy, Pipeline, RetryPolicy, RunStatus, StageKind
from tests.conformance.crossing import Gate, Journal
from tests.conformance.stages import ok

MAX_ATTEMPTS = 3


async def flaky(ctx):
    """Every hundredth fails once; of those every tenth fails for good."""
    number = int(ctx.snapshot.input_text)
    if number % 100 == 7 and (ctx.attempt == 1 or number % 1000 == 7):
        raise ConnectionError(f"{number} failed")
    return {"number": number}


def expected(number):
    if number % 100 != 7:
        return RunStatus.OK, 1
    return (RunStatus.FAILED, MAX_ATTEMPTS) if number % 1000 == 7 else (RunStatus.OK, 2)


async def test_no_run_is_lost_and_no_stage_is_executed_too_often(runtime, is_full):
    count = 10_000 if is_full else 300
    retry = RetryPolicy(max_attempts=MAX_ATTEMPTS, initial_delay_s=0.001)
    pipeline = (
        Pipeline()
        .with_stage("first", ok, StageKind.WORK)
        .with_stage("flaky", flaky, StageKind.WORK, dependencies="first", retry=retry)
    )
    ends = {}
    async with runtime.deploy(pipeline.build(interceptors=[])) as app:  # no breaker
        inputs = [str(number) for number in range(count)]
        async for index, result in app.map(inputs, concurrency=50):
            assert index not in ends
            ends[index] = result.status, result.attempts["flaky"]
            if result.ok:
                assert result.outputs["flaky"].data == {"number": index}
        assert (await app.describe())["live_runs"] == 0
    assert ends == {number: expected(number) for number in range(count)}


class HoldsAndAnswers:
    """Answers once a gate is open; no two answers are equal."""

    kind = StageKind.WORK

    def __init__(self, folder) -> None:
        self.folder = folder

    async def execute(self, ctx):
        Journal(self.folder).write("executed")
        Gate(self.folder, "runs").open()
        await Gate(self.folder, "go-on").opened()
        return {"answer": str(uuid4())}


async def test_equal_requests_at_once_are_executed_once(runtime, tmp_path, is_full):
    count = 1_000 if is_full else 100
    pipeline = Pipeline().with_stage(
        "only", HoldsAndAnswers, config={"folder": tmp_path}, idempotency=IdempotencyPolicy()
    )
    data = {"idempotency_key": "k", "idempotency_params": {"n": 1}}
    async with runtime.deploy(pipeline) as app:
        handles = [await app.start(data=data)]
        await Gate(tmp_path, "runs").opened()
        handles += [await app.start(data=data) for _ in range(count - 1)]
        while (await app.describe())["live_runs"] < count:
            await asyncio.sleep(0.01)
        Gate(tmp_path, "go-on").open()
        results = [await handle.result() for handle in handles]
        counted = (await app.describe())["idempotency"]
    assert Counter(result.status for result in results) == {RunStatus.OK: count}
    assert len({result.outputs["only"].data["answer"] for result in results}) == 1
    assert Journal(tmp_path).lines == ["executed"]
    assert (counted["executed"], counted["answered"]) == (1, count - 1)


LIMIT_S = 0.05
MAX_OVERSHOOT_MS = 100


async def endless(ctx):
    await asyncio.Event().wait()


async def test_a_stage_that_heeds_its_stop_ends_soon_after_its_time_is_up(runtime, is_full):
    count = 500 if is_full else 20
    pipeline = Pipeline().with_stage("only", endless, StageKind.WORK, timeout=LIMIT_S)
    overshoots = []
    async with runtime.deploy(pipeline.build(interceptors=[])) as app:
        async for _index, result in app.map([""] * count, concurrency=4):
            assert result.status is RunStatus.TIMED_OUT
            assert result.abandoned == ()
            overshoots.append(result.duration_ms - LIMIT_S * 1000)
    assert len(overshoots) == count
    if is_full:
        assert sorted(overshoots)[count * 99 // 100 - 1] <= MAX_OVERSHOOT_MS
