"""A stage that keeps failing is left alone for a while: nothing of it is executed."""

from __future__ import annotations

import asyncio

import pytest

from stageflow_actors import (
    BreakerPolicy,
    CircuitBreakerOpenError,
    Pipeline,
    RayRuntime,
    RetryPolicy,
    RunStatus,
    StageKind,
)
from tests.conformance.breakers_stages import HeldProbe, Provider
from tests.conformance.crossing import Gate, Journal
from tests.conformance.stages import WaitForever, ok

LONG = BreakerPolicy(failure_threshold=2, reset_timeout_s=600)
SHORT = BreakerPolicy(failure_threshold=2, reset_timeout_s=0.2)


def one(folder, breaker=LONG, **policies):
    config = {"folder": folder}
    return Pipeline().with_stage("only", Provider, config=config, breaker=breaker, **policies)


async def told(app, text, **parts):
    """Types of the breaker's events in one run, and its result."""
    handle = await app.start(input_text=text, **parts)
    events = [event async for event in handle.events()]
    changes = [event for event in events if event.type.startswith("circuit_breaker.")]
    assert all(event.data == {"stage": "only"} for event in changes)
    return [event.type.partition(".")[2] for event in changes], await handle.result()


async def breakers(app):
    return (await app.describe())["breakers"]


def assert_refused(result):
    assert (result.status, result.stage) == (RunStatus.FAILED, "only")
    failure = result.failures["only"]
    assert failure.code == "STAGE-CIRCUIT-OPEN"
    assert isinstance(failure.original, CircuitBreakerOpenError)


async def test_after_enough_failures_nothing_is_executed_any_more(runtime, tmp_path):
    async with runtime.deploy(one(tmp_path)) as app:
        assert (await told(app, "connection"))[0] == []
        assert await breakers(app) == {}
        changes, result = await told(app, "connection")
        assert isinstance(result.failures["only"].original, ConnectionError)
        assert changes == ["open"]
        assert await breakers(app) == {"only": "open"}
        for _ in range(3):
            changes, result = await told(app, "ok")
            assert changes == []
            assert_refused(result)
    assert Journal(tmp_path).lines == ["connection"] * 2


async def test_an_open_circuit_falls_back_where_there_is_a_fallback(runtime, tmp_path):
    async with runtime.deploy(one(tmp_path, fallback={"answer": 0})) as app:
        results = [(await told(app, "connection"))[1] for _ in range(4)]
    for result in results:
        assert result.status is RunStatus.OK
        assert result.outputs["only"].data == {"answer": 0}
        assert result.tolerated == ("only",)
    codes = [result.failures["only"].code for result in results]
    assert codes == ["STAGE-RAISED"] * 2 + ["STAGE-CIRCUIT-OPEN"] * 2
    assert len(Journal(tmp_path).lines) == 2


async def test_a_probe_that_succeeds_closes_the_circuit(runtime, tmp_path):
    async with runtime.deploy(one(tmp_path, SHORT)) as app:
        changes = [(await told(app, "connection"))[0] for _ in range(2)]
        while True:
            changed, result = await told(app, "ok")
            changes.append(changed)
            if result.ok:
                break
            assert_refused(result)
            await asyncio.sleep(0.01)
        assert await breakers(app) == {}
        assert (await told(app, "ok"))[1].ok
    assert [each for run in changes for each in run] == ["open", "half_open", "closed"]
    assert changes[-1] == ["half_open", "closed"]
    assert Journal(tmp_path).lines == ["connection"] * 2 + ["ok"] * 2


async def test_a_probe_that_fails_opens_it_again(runtime, tmp_path):
    async with runtime.deploy(one(tmp_path, SHORT)) as app:
        for _ in range(2):
            await told(app, "connection")
        while len(Journal(tmp_path).lines) == 2:
            changes, _result = await told(app, "connection")
            await asyncio.sleep(0.01)
        assert changes == ["half_open", "open"]
        assert await breakers(app) == {"only": "open"}


async def test_while_a_probe_is_under_way_nobody_else_is_executed(runtime, tmp_path):
    breaker = BreakerPolicy(failure_threshold=1, reset_timeout_s=0.2)
    here = {"folder": tmp_path}
    pipeline = Pipeline().with_stage("only", HeldProbe, config=here, breaker=breaker)
    async with runtime.deploy(pipeline) as app:
        await told(app, "connection")
        while not Gate(tmp_path, "probing").is_open:
            probe = await app.start(input_text="probe")
            looking = asyncio.ensure_future(Gate(tmp_path, "probing").opened())
            await asyncio.wait(
                [looking, asyncio.ensure_future(probe.result())],
                return_when=asyncio.FIRST_COMPLETED,
            )
            looking.cancel()
        assert_refused((await told(app, "ok"))[1])
        Gate(tmp_path, "go-on").open()
        assert (await probe.result()).ok
        assert (await told(app, "ok"))[1].ok
    assert Journal(tmp_path).lines == ["connection", "probe", "ok"]


# --- what counts ----------------------------------------------------------------------------------


async def test_the_breaker_that_every_stage_has_opens_after_five_broken_connections(
    runtime, tmp_path
):
    async with runtime.deploy(one(tmp_path, None)) as app:
        changes = [(await told(app, how))[0] for how in ["connection", "os"] * 2 + ["connection"]]
        assert changes == [[], [], [], [], ["open"]]
        assert_refused((await told(app, "ok"))[1])
    assert len(Journal(tmp_path).lines) == 5


@pytest.mark.parametrize("how", ["value", "fail"])
async def test_errors_that_will_not_pass_do_not_open_the_breaker_that_every_stage_has(
    runtime, tmp_path, how
):
    async with runtime.deploy(one(tmp_path, None)) as app:
        changes = [(await told(app, how))[0] for _ in range(7)]
    assert changes == [[]] * 7
    assert len(Journal(tmp_path).lines) == 7


async def test_without_interceptors_a_stage_has_no_breaker(runtime, tmp_path):
    graph = one(tmp_path, None).build(interceptors=[])
    async with runtime.deploy(graph) as app:
        for _ in range(7):
            await told(app, "connection")
    assert len(Journal(tmp_path).lines) == 7


async def test_an_answer_in_between_starts_the_count_anew(runtime, tmp_path):
    async with runtime.deploy(one(tmp_path)) as app:
        for how in ("connection", "ok", "connection", "value", "connection"):
            assert (await told(app, how))[0] == []
        assert (await told(app, "connection"))[0] == ["open"]


async def test_the_errors_of_a_policy_count_and_no_others(runtime, tmp_path):
    breaker = BreakerPolicy(failure_threshold=1, reset_timeout_s=600, trip_on=(ValueError,))
    async with runtime.deploy(one(tmp_path, breaker)) as app:
        assert (await told(app, "connection"))[0] == []
        assert (await told(app, "value"))[0] == ["open"]


async def test_every_attempt_counts_and_an_open_circuit_is_not_tried_again(runtime, tmp_path):
    retry = RetryPolicy(max_attempts=5, initial_delay_s=0)
    async with runtime.deploy(one(tmp_path, retry=retry)) as app:
        changes, result = await told(app, "connection")
        assert changes == ["open"]
        assert_refused(result)
        assert result.attempts == {"only": 3}
    assert len(Journal(tmp_path).lines) == 2


async def test_a_timeout_counts_and_a_cancel_says_nothing(runtime, tmp_path, enough_s):
    breaker = BreakerPolicy(failure_threshold=1, reset_timeout_s=600)
    policies = {"breaker": breaker, "timeout": enough_s}
    pipeline = Pipeline().with_stage("only", WaitForever, config={"folder": tmp_path}, **policies)
    async with runtime.deploy(pipeline) as app:
        cancelled = await app.start()
        await Gate(tmp_path, "only-runs").opened()
        await cancelled.cancel()
        assert (await cancelled.result()).status is RunStatus.CANCELLED
        assert await breakers(app) == {}
        changes, result = await told(app, "wait")
        assert (changes, result.status) == (["open"], RunStatus.TIMED_OUT)
        assert_refused((await told(app, "wait"))[1])


@pytest.mark.ray
async def test_a_process_that_dies_counts(ray_session, tmp_path):
    async with RayRuntime().deploy(one(tmp_path)) as app:
        assert [(await told(app, "die"))[0] for _ in range(2)] == [[], ["open"]]
        assert_refused((await told(app, "ok"))[1])
    assert Journal(tmp_path).lines == ["die"] * 2


async def test_the_circuit_of_a_stage_is_its_own(runtime, tmp_path):
    pipeline = one(tmp_path, fallback={}).with_stage("other", ok, StageKind.WORK, breaker=LONG)
    async with runtime.deploy(pipeline) as app:
        for _ in range(3):
            _changes, result = await told(app, "connection")
            assert "other" not in result.failures
        assert await breakers(app) == {"only": "open"}
    async with runtime.deploy(pipeline) as app:
        assert await breakers(app) == {}
