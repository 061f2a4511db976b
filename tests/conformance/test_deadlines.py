"""Time runs out: for a stage, for all its attempts, for a run. The verdict comes last."""

from __future__ import annotations

import asyncio
import os

import pytest

from stageflow_actors import (
    InvalidRunInputError,
    LocalRuntime,
    Pipeline,
    RayRuntime,
    RetryPolicy,
    RunStatus,
    RunTimeoutError,
    Settings,
    StageExecutionError,
    StageKind,
    StageTimeoutError,
    Timeouts,
)
from tests.actors.watching import gone
from tests.conformance.crossing import Gate, Journal
from tests.conformance.stages import WaitForever, ok
from tests.conformance.timeout_missions import (
    AsksWhetherToGoOn,
    BlocksItsLoop,
    CleansUpSlowly,
    FailsThenWaits,
    GivesSigns,
    GivesSignsInAThread,
    ReadsTokens,
    StartsARun,
    Stubborn,
    WaitsAtFirst,
)

SOON_S = 0.3
SOON = "300ms"
LATE_S = 60.0


def one(runner, folder, timeout, **policies):
    return Pipeline().with_stage(
        "only", runner, timeout=timeout, config={"folder": folder}, **policies
    )


def assert_timed_out(result, stage="only"):
    assert (result.status, result.stage) == (RunStatus.TIMED_OUT, stage)
    assert next(iter(result.failures)) == stage
    assert isinstance(result.failures[stage].original, TimeoutError)


# --- missions -------------------------------------------------------------------------------------


async def test_a_stage_that_takes_too_long_is_stopped_and_the_run_says_so(run, tmp_path):
    result = await run(one(WaitForever, tmp_path, SOON_S))
    assert_timed_out(result)
    failure = result.failures["only"]
    assert isinstance(failure.original, StageTimeoutError)
    assert (failure.code, failure.message) == ("STAGE-TIMEOUT", f"Stage timed out after {SOON}")
    assert isinstance(result.error(), StageExecutionError)
    assert Journal(tmp_path).lines == ["only cleaned up"]
    assert (result.attempts, result.abandoned) == ({"only": 1}, ())


async def test_a_stage_that_times_out_stops_its_siblings_and_what_had_finished_stays(run, tmp_path):
    here = {"folder": tmp_path}
    pipeline = (
        Pipeline()
        .with_stage("first", ok, StageKind.WORK)
        .with_stage("late", WaitForever, dependencies="first", timeout=SOON_S, config=here)
        .with_stage("sibling", WaitForever, dependencies="first", config=here)
        .with_stage("last", ok, StageKind.WORK, dependencies=("late", "sibling"))
    )
    result = await run(pipeline)
    assert_timed_out(result, "late")
    assert list(result.outputs) == ["first"]
    assert {name: each.started for name, each in result.cancelled.items()} == {
        "sibling": True,
        "last": False,
    }
    runs = [name for name in ("late", "sibling") if Gate(tmp_path, f"{name}-runs").is_open]
    assert sorted(Journal(tmp_path).lines) == [f"{name} cleaned up" for name in runs]


async def test_what_time_is_left_travels_down_to_a_run_that_a_stage_starts(run, tmp_path):
    pipeline = one(StartsARun, tmp_path, LATE_S)
    data = (await run(pipeline)).outputs["only"].data
    assert 0 < data["inner"] <= data["mine"] <= LATE_S * 1000
    sooner = (await run(pipeline, timeout=LATE_S / 2)).outputs["only"].data
    assert 0 < sooner["inner"] <= sooner["mine"] <= LATE_S / 2 * 1000


async def test_a_run_that_a_stage_has_started_ends_before_the_verdict(run, tmp_path, enough_s):
    result = await run(one(StartsARun, tmp_path, enough_s), input_text="wait")
    assert_timed_out(result)
    assert Gate(tmp_path, "innermost-runs").is_open
    assert Journal(tmp_path).lines == ["innermost ended"]


async def test_a_generator_in_a_stage_that_times_out_is_closed_before_the_verdict(
    run, tmp_path, enough_s
):
    result = await run(one(ReadsTokens, tmp_path, enough_s))
    assert_timed_out(result)
    assert Gate(tmp_path, "only-runs").is_open
    assert Journal(tmp_path).lines == ["generator closed"]


async def test_nothing_starts_in_a_chain_after_the_time_of_its_run_is_up(run, tmp_path):
    here = {"folder": tmp_path}
    pipeline = (
        Pipeline()
        .with_stage("a", ok, StageKind.WORK)
        .with_stage("b", WaitForever, dependencies="a", config=here, timeout=LATE_S)
        .with_stage("c", WaitForever, dependencies="b", config=here)
    )
    result = await run(pipeline, timeout=SOON_S)
    assert_timed_out(result, "<run>")
    assert isinstance(result.failures["<run>"].original, RunTimeoutError)
    assert result.failures["<run>"].code == "RUN-TIMEOUT"
    assert list(result.outputs) == ["a"]
    assert {name: each.started for name, each in result.cancelled.items()} == {
        "b": True,
        "c": False,
    }
    assert not Gate(tmp_path, "c-runs").is_open
    assert Journal(tmp_path).lines == ["b cleaned up"]


async def test_a_stage_within_its_limit_is_told_of_it_and_bound_by_nothing_else(run):
    async def tell(ctx):
        await asyncio.sleep(0)
        return {"left": ctx.remaining_ms(), "deadline": ctx.deadline is not None}

    limited = Pipeline().with_stage("tell", tell, StageKind.WORK, timeout=LATE_S)
    result = await run(limited)
    assert result.status is RunStatus.OK
    assert 0 < result.outputs["tell"].data["left"] <= LATE_S * 1000
    unlimited = Pipeline().with_stage("tell", tell, StageKind.WORK).build(interceptors=[])
    result = await run(unlimited)
    assert result.outputs["tell"].data == {"left": None, "deadline": False}


async def test_the_cleanup_of_a_stage_that_times_out_is_awaited(runtime, tmp_path, enough_s):
    async with runtime.deploy(one(CleansUpSlowly, tmp_path, enough_s)) as app:
        handle = await app.start()
        await Gate(tmp_path, "cleaning").opened()
        assert not handle.is_done
        Gate(tmp_path, "looked").open()
        result = await handle.result()
    assert_timed_out(result)
    assert Journal(tmp_path).lines == ["cleaned up"]
    assert result.cleanup_failures == ()


# --- all attempts together ------------------------------------------------------------------------


async def test_the_time_for_all_attempts_goes_on_through_a_retry(run, tmp_path, enough_s):
    retry = RetryPolicy(max_attempts=5, initial_delay_s=0)
    pipeline = one(FailsThenWaits, tmp_path, Timeouts(total=enough_s), retry=retry)
    result = await run(pipeline)
    assert_timed_out(result)
    assert result.reason == f"Stage timed out after {enough_s * 1000:.0f}ms, all attempts together"
    assert result.attempts == {"only": 2}
    assert Journal(tmp_path).lines == ["attempt 1", "attempt 2"]


async def test_the_time_for_all_attempts_ends_the_wait_for_the_next_one(run, tmp_path, enough_s):
    retry = RetryPolicy(initial_delay_s=30, jitter="none")
    pipeline = one(FailsThenWaits, tmp_path, Timeouts(total=enough_s), retry=retry)
    result = await run(pipeline)
    assert_timed_out(result)
    assert result.reason == f"Stage timed out after {enough_s * 1000:.0f}ms, all attempts together"
    assert Journal(tmp_path).lines == ["attempt 1"]


async def test_each_attempt_has_the_time_for_one_anew(run, tmp_path):
    retry = RetryPolicy(max_attempts=3, initial_delay_s=0)
    result = await run(one(WaitForever, tmp_path, SOON_S, retry=retry))
    assert_timed_out(result)
    assert result.reason == f"Stage timed out after {SOON}"
    assert result.attempts == {"only": 3}
    assert Journal(tmp_path).lines == ["only cleaned up"] * 3


# --- signs of life --------------------------------------------------------------------------------


@pytest.mark.parametrize("runner", [GivesSigns, GivesSignsInAThread])
@pytest.mark.parametrize(
    ("limits", "signs", "said"),
    [
        (Timeouts(idle=SOON_S), "none 60", f"Stage showed no sign of life for {SOON}"),
        (Timeouts(heartbeat=SOON_S), "none 60", f"Stage gave no heartbeat for {SOON}"),
        (Timeouts(heartbeat=SOON_S), "event 60", f"Stage gave no heartbeat for {SOON}"),
    ],
)
async def test_a_stage_that_is_silent_for_too_long_is_stopped(
    run, tmp_path, runner, limits, signs, said
):
    result = await run(one(runner, tmp_path, limits), input_text=signs)
    assert_timed_out(result)
    assert isinstance(result.failures["only"].original, StageTimeoutError)
    assert said in result.reason
    assert result.abandoned == ()


@pytest.mark.parametrize("runner", [GivesSigns, GivesSignsInAThread])
@pytest.mark.parametrize(
    ("limits", "signs"),
    [
        (Timeouts(idle=0.5), "event 0.7"),
        (Timeouts(idle=0.5), "artifact 0.7"),
        (Timeouts(idle=0.5, heartbeat=0.5), "heartbeat 0.7"),
    ],
)
async def test_a_stage_that_gives_signs_of_life_goes_on(run, tmp_path, runner, limits, signs):
    result = await run(one(runner, tmp_path, limits), input_text=signs)
    assert result.status is RunStatus.OK


async def test_a_silent_attempt_is_retried_as_any_timeout_is(run, tmp_path):
    retry = RetryPolicy(max_attempts=2, initial_delay_s=0)
    result = await run(one(WaitForever, tmp_path, Timeouts(idle=SOON_S), retry=retry))
    assert_timed_out(result)
    assert result.attempts == {"only": 2}
    assert Journal(tmp_path).lines == ["only cleaned up"] * 2


# --- the time of a run ----------------------------------------------------------------------------


async def test_a_run_without_any_time_starts_nothing(runtime, tmp_path):
    pipeline = one(WaitForever, tmp_path, None)
    async with runtime.deploy(pipeline) as app:
        handle = await app.start(timeout=0)
        events = [event.type async for event in handle.events()]
        result = await handle.result()
    assert_timed_out(result, "<run>")
    assert events == ["pipeline.created", "pipeline.failed"]
    assert not result.cancelled["only"].started
    assert not Gate(tmp_path, "only-runs").is_open


async def test_the_time_of_a_run_ends_its_wait_for_a_retry(run, tmp_path):
    retry = RetryPolicy(initial_delay_s=30, jitter="none")
    pipeline = one(FailsThenWaits, tmp_path, None, retry=retry)
    result = await run(pipeline, timeout=SOON_S)
    assert_timed_out(result, "<run>")
    assert Journal(tmp_path).lines == ["attempt 1"]


@pytest.mark.parametrize("timeout", [-1, float("nan"), float("inf"), "5", True])
async def test_a_timeout_that_is_no_number_of_seconds_is_refused(runtime, timeout, tmp_path):
    async with runtime.deploy(one(WaitForever, tmp_path, None)) as app:
        with pytest.raises(InvalidRunInputError, match="timeout"):
            await app.start(timeout=timeout)
    assert not Gate(tmp_path, "only-runs").is_open


# --- those who do not stop ------------------------------------------------------------------------

TWO_LIMITS = Timeouts(attempt=SOON_S, idle=1.2 * SOON_S)
STUCK = [
    pytest.param(Stubborn, Timeouts(attempt=SOON_S), id="plain def"),
    pytest.param(Stubborn, Timeouts(heartbeat=SOON_S), id="plain def without heartbeat"),
    pytest.param(Stubborn, TWO_LIMITS, id="plain def, two limits"),
]
BLOCKED_LOOP = pytest.param(BlocksItsLoop, Timeouts(attempt=SOON_S), id="event loop")


@pytest.mark.parametrize(("runner", "limits"), STUCK)
async def test_a_body_that_cannot_be_ended_is_given_up_and_nothing_it_does_counts(
    sink, tmp_path, runner, limits
):
    runtime = LocalRuntime(event_sink=sink)
    async with runtime.deploy(one(runner, tmp_path, limits)) as app:
        result = await (await app.start(input_text="block")).result()
        assert_timed_out(result)
        assert result.abandoned == ("only",)
        assert not result.outputs and not result.artifacts
        Gate(tmp_path, "go-on").open()
        await Gate(tmp_path, "went-on").opened()
        assert (await app.run())["only"].data == {"pid": os.getpid()}
    assert Journal(tmp_path).lines == [
        f"{call}: StageAbandonedError"
        for call in ("emit_event", "add_artifact", "effect_key", "heartbeat")
    ]
    await runtime.flush_events()
    assert sink.of_type("late") == []


async def test_a_body_that_was_given_up_is_named_even_if_a_later_attempt_succeeds(tmp_path):
    retry = RetryPolicy(max_attempts=2, initial_delay_s=0)
    async with LocalRuntime().deploy(one(WaitsAtFirst, tmp_path, SOON_S, retry=retry)) as app:
        result = await (await app.start(input_text="blocked")).result()
        Gate(tmp_path, "go-on").open()
    assert (result.status, result.attempts) == (RunStatus.OK, {"only": 2})
    assert result.abandoned == ("only",)


@pytest.mark.ray
@pytest.mark.parametrize(("runner", "limits"), [*STUCK, BLOCKED_LOOP])
async def test_the_process_of_a_body_that_does_not_stop_is_ended_and_replaced(
    ray_session, tmp_path, runner, limits
):
    async with RayRuntime().deploy(one(runner, tmp_path, limits)) as app:
        before = (await app.run())["only"].data["pid"]
        result = await (await app.start(input_text="block")).result()
        Gate(tmp_path, "go-on").open()  # what it would do now
        assert_timed_out(result)
        assert result.abandoned == ()
        await gone(before)
        while (replacement := (await app.describe())["stages"][0]["pid"]) is None:
            await asyncio.sleep(0.01)
        assert (await app.run())["only"].data["pid"] == replacement != before
    assert Journal(tmp_path).lines == []


async def test_a_plain_def_that_asks_within_its_grace_ends_by_itself(runtime, tmp_path):
    patient = type(runtime)(settings=Settings(grace_s=LATE_S))
    async with patient.deploy(one(AsksWhetherToGoOn, tmp_path, SOON_S)) as app:
        result = await (await app.start(input_text="block")).result()
        pid = (await app.run())["only"].data["pid"]
    assert_timed_out(result)
    assert result.abandoned == ()
    assert Journal(tmp_path).lines == [f"ended by itself in {pid}"] * 2


async def test_no_attempt_disturbs_the_next_one_by_giving_up_late(run, tmp_path):
    limits, retry = TWO_LIMITS, RetryPolicy(max_attempts=2, initial_delay_s=0)
    result = await run(one(Stubborn, tmp_path, limits, retry=retry), input_text="block")
    Gate(tmp_path, "go-on").open()
    assert_timed_out(result)
    assert result.attempts == {"only": 2}


async def test_an_attempt_that_did_not_stop_is_followed_by_one_with_its_whole_time(run, tmp_path):
    retry = RetryPolicy(max_attempts=2, initial_delay_s=0)
    result = await run(one(WaitsAtFirst, tmp_path, SOON_S, retry=retry), input_text="blocked")
    Gate(tmp_path, "go-on").open()
    assert (result.status, result.attempts) == (RunStatus.OK, {"only": 2})
