"""Stages that are executed again: when, how often, after how long, and what others see of it."""

from __future__ import annotations

import pytest

from stageflow_actors import (
    Effects,
    Pipeline,
    RateLimitError,
    RayRuntime,
    RetryPolicy,
    RunStatus,
    Settings,
    StageLostError,
    StageOutput,
)
from tests.conformance.crossing import Journal
from tests.conformance.failing_stages import (
    TOLERANT,
    FailFirst,
    Look,
    at_once,
    executions,
    fine,
    of_type,
    watched,
)
from tests.conformance.stages import WaitForever

ALWAYS = 1_000


def flaky(folder, times, how, **options):
    config = {"folder": folder, "times": times, "how": how}
    return Pipeline("flaky").with_stage("flaky", FailFirst, config=config, **options)


async def watch(runtime, pipeline):
    async with runtime.deploy(pipeline) as app:
        return await watched(app)


async def test_a_failure_that_stays_is_executed_as_often_as_the_policy_says(runtime, tmp_path):
    pipeline = flaky(tmp_path, ALWAYS, ConnectionError("gone"), retry=at_once(3))
    events, result = await watch(runtime, pipeline)
    assert executions(tmp_path, "flaky") == 3
    scheduled = of_type(events, "stage.retry_scheduled")
    assert [(each["attempt"], each["delay_ms"]) for each in scheduled] == [(1, 0), (2, 0)]
    assert of_type(events, "stage.retry_exhausted") == [
        {"stage": "flaky", "attempts": 3, "error": "gone", "reason": "max_attempts"}
    ]
    assert (result.status, result.attempts) == (RunStatus.FAILED, {"flaky": 3})
    assert result.failures["flaky"].attempt == 3


async def test_a_failure_that_passes_leaves_an_ok_run(runtime, tmp_path):
    pipeline = flaky(tmp_path, 2, TimeoutError("slow"), retry=at_once(3))
    events, result = await watch(runtime, pipeline.with_stage("other", fine, "work"))
    assert result.ok
    assert (result.failures, result.tolerated) == ({}, ())
    data = result.outputs["flaky"].data
    assert (data["execution"], data["attempt"]) == (3, 3)
    assert result.attempts == {"flaky": 3, "other": 1}
    assert not of_type(events, "stage.retry_exhausted")


async def test_a_timeout_of_the_stage_is_retried_and_limits_each_attempt(runtime, tmp_path):
    config = {"folder": tmp_path}
    pipeline = Pipeline().with_stage(
        "late", WaitForever, config=config, timeout=0.2, retry=at_once(2)
    )
    events, result = await watch(runtime, pipeline)
    assert (result.status, result.attempts) == (RunStatus.TIMED_OUT, {"late": 2})
    assert result.failures["late"].message == "Stage timed out after 200ms"
    assert len(of_type(events, "stage.late.started")) == 2
    ((scheduled),) = of_type(events, "stage.retry_scheduled")
    assert scheduled["error"] == "Stage timed out after 200ms"


async def test_a_timeout_that_stands_is_told_like_any_failure(runtime, tmp_path):
    config = {"folder": tmp_path}
    pipeline = Pipeline().with_stage(
        "late", WaitForever, config=config, timeout=0.1, retry=at_once(2)
    )
    events, _result = await watch(runtime, pipeline)
    assert [each["attempts"] for each in of_type(events, "stage.retry_exhausted")] == [2]
    actions = [each["action_taken"] for each in of_type(events, "stage.error")]
    assert actions == ["retry", "stop_run"]


async def busy(ctx):
    """Asks for the wait that the run is about, once."""
    if ctx.attempt == 1:
        raise RateLimitError("busy", retry_after=ctx.data["asked"])
    return {}


async def waits_for(runtime, asked, **policy):
    """For each of ``asked``: the delays that were told, and what was told to be ignored."""
    pipeline = Pipeline().with_stage("busy", busy, "work", retry=at_once(2, **policy))
    delays, ignored = [], []
    async with runtime.deploy(pipeline) as app:
        for each in asked:
            events, result = await watched(app, data={"asked": each})
            assert result.ok
            delays += [told["delay_ms"] for told in of_type(events, "stage.retry_scheduled")]
            ignored += of_type(events, "stage.retry_after_ignored")
    return delays, ignored


async def test_the_delay_is_at_least_what_the_failure_asks_for(runtime):
    past = "Sun, 06 Nov 1994 08:49:37 GMT"
    assert await waits_for(runtime, [0.02, "0.02", 0, past]) == ([20, 20, 0, 0], [])


async def test_a_failure_cannot_ask_for_less_than_its_policy(runtime):
    policy = {"initial_delay_s": 0.02, "max_delay_s": 0.02}
    assert await waits_for(runtime, [0.001, 0.03], **policy) == ([20, 30], [])


async def test_a_wait_that_makes_no_sense_is_ignored_and_told(runtime):
    delays, ignored = await waits_for(runtime, ["soon", -1, 61, 10**400, float("nan")])
    assert delays == [0] * 5
    assert {told["stage"] for told in ignored} == {"busy"}
    assert [told["ignored"].partition(" was ignored: ")[2] for told in ignored] == [
        "it is neither a number of seconds nor an HTTP date",
        "it is negative",
        "it is more than 60 seconds",
        "it is more than 60 seconds",
        "it is not a number",
    ]


async def test_what_may_happen_once_only_is_not_repeated_after_a_timeout(runtime, tmp_path):
    pipeline = Pipeline().with_stage(
        "late",
        WaitForever,
        config={"folder": tmp_path},
        timeout=0.1,
        retry=at_once(3),
        effects=Effects.ONCE_ONLY,
    )
    _events, result = await watch(runtime, pipeline)
    assert (result.status, result.attempts) == (RunStatus.TIMED_OUT, {"late": 1})


@pytest.mark.parametrize(
    ("error", "policy"),
    [
        (ConnectionError("gone"), {"retry_on": OSError, "never_on": ConnectionError}),
        (LookupError("no such key"), {}),
        (StageLostError("said by the stage itself"), {}),
    ],
    ids=["never_on", "not covered", "lost"],
)
async def test_what_the_policy_does_not_cover_is_not_retried(runtime, tmp_path, error, policy):
    pipeline = flaky(tmp_path, ALWAYS, error, retry=at_once(3, **policy))
    events, result = await watch(runtime, pipeline)
    assert (executions(tmp_path, "flaky"), result.attempts) == (1, {"flaky": 1})
    assert not of_type(events, "stage.retry_exhausted")


async def test_a_stage_that_returns_retry_is_retried_as_its_policy_says(runtime, tmp_path):
    pipeline = flaky(tmp_path, ALWAYS, StageOutput.retry("not yet"), retry=at_once(4, retry_on=()))
    _events, result = await watch(runtime, pipeline)
    assert (executions(tmp_path, "flaky"), result.reason) == (4, "not yet")
    assert result.failures["flaky"].code == "STAGE-FAILED"


async def test_a_stage_without_a_policy_that_returns_retry_gets_the_default_one(runtime, tmp_path):
    pipeline = flaky(tmp_path, 1, StageOutput.retry())
    events, result = await watch(runtime, pipeline)
    assert (result.ok, executions(tmp_path, "flaky")) == (True, 2)
    ((scheduled),) = of_type(events, "stage.retry_scheduled")
    assert scheduled["backoff_strategy"] == RetryPolicy().backoff
    assert 0 <= scheduled["delay_ms"] <= 1000 * RetryPolicy().initial_delay_s


async def test_dependents_start_once_after_the_success_and_read_its_output(runtime, tmp_path):
    pipeline = flaky(tmp_path, 2, ConnectionError("gone"), retry=at_once(3)).with_stage(
        "look", Look, dependencies="flaky", config={"folder": tmp_path}
    )
    _events, result = await watch(runtime, pipeline)
    ran = [line for line in Journal(tmp_path).lines if "cleanup" not in line]
    assert ran == ["flaky", "flaky", "flaky", "look"]
    assert result.outputs["look"].data["inputs"]["flaky"]["execution"] == 3


async def test_retries_of_all_stages_of_a_run_share_one_budget(runtime, tmp_path):
    settings = Settings(max_retries_per_run=3)
    config = {"folder": tmp_path, "times": ALWAYS, "how": ConnectionError("gone")}
    graph = (
        flaky(tmp_path, ALWAYS, ConnectionError("gone"), retry=at_once(3))
        .with_stage("second", FailFirst, after_any="flaky", config=config, retry=at_once(3))
        .build(execution=TOLERANT)
    )
    async with type(runtime)(settings=settings).deploy(graph) as app:
        events, first = await watched(app)
        _events, other = await watched(app)
    assert first.attempts == {"flaky": 3, "second": 2}
    exhausted = of_type(events, "stage.retry_exhausted")
    assert [each["reason"] for each in exhausted] == ["max_attempts", "budget"]
    assert other.attempts == first.attempts, "every run has a budget of its own"


async def test_a_cancel_while_a_stage_waits_for_its_retry_ends_the_run(runtime, tmp_path):
    policy = at_once(3, initial_delay_s=3600, max_delay_s=3600)
    async with runtime.deploy(flaky(tmp_path, 1, ConnectionError("gone"), retry=policy)) as app:
        handle = await app.start()
        async for event in handle.events():
            if event.type == "stage.retry_scheduled":
                await handle.cancel("enough")
        result = await handle.result()
    assert (result.status, result.failures) == (RunStatus.CANCELLED, {})
    assert result.cancelled["flaky"].started
    assert result.cancelled["flaky"].reason == "enough; it was to be retried after: gone"
    assert executions(tmp_path, "flaky") == 1


async def test_the_time_of_the_run_ends_the_wait_for_a_retry(runtime, tmp_path, enough_s):
    policy = at_once(3, initial_delay_s=3600, max_delay_s=3600)
    async with runtime.deploy(flaky(tmp_path, 1, ConnectionError("gone"), retry=policy)) as app:
        result = await (await app.start(timeout=enough_s)).result()
    assert (result.status, result.stage) == (RunStatus.TIMED_OUT, "<run>")
    assert list(result.cancelled) == ["flaky"]


async def test_cleanups_of_an_attempt_are_called_before_the_next_one(run, tmp_path):
    await run(flaky(tmp_path, 1, ConnectionError("gone"), retry=at_once(3)))
    assert Journal(tmp_path).lines == ["flaky", "flaky cleanup 1", "flaky", "flaky cleanup 2"]


@pytest.fixture
def on_ray(ray_session, sink):
    return RayRuntime(event_sink=sink)


@pytest.mark.ray
@pytest.mark.parametrize("effects", [Effects.NONE, Effects.KEYED])
async def test_a_stage_that_may_be_repeated_survives_the_death_of_its_process(
    on_ray, tmp_path, effects
):
    events, result = await watch(on_ray, flaky(tmp_path, 1, "exit", effects=effects))
    assert (result.ok, executions(tmp_path, "flaky")) == (True, 2)
    ((scheduled),) = of_type(events, "stage.retry_scheduled")
    assert (scheduled["delay_ms"], scheduled["backoff_strategy"]) == (0, "none")
    run = result.pipeline_run_id
    assert result.outputs["flaky"].data["key"] == f"{run}:flaky:flaky:0", "whatever the attempt"


@pytest.mark.ray
@pytest.mark.parametrize(
    ("effects", "policy"),
    [
        (Effects.UNKNOWN, None),
        (Effects.UNKNOWN, at_once()),
        (Effects.ONCE_ONLY, at_once(retry_on=StageLostError)),
    ],
    ids=["nobody said", "not covered", "once only"],
)
async def test_a_stage_that_may_have_done_its_work_is_not_repeated(
    on_ray, tmp_path, effects, policy
):
    pipeline = flaky(tmp_path, 1, "exit", effects=effects, retry=policy)
    _events, result = await watch(on_ray, pipeline)
    assert (result.status, executions(tmp_path, "flaky")) == (RunStatus.FAILED, 1)
    assert result.failures["flaky"].code == "STAGE-OUTCOME-UNKNOWN"


@pytest.mark.ray
async def test_a_policy_that_names_the_loss_has_the_stage_repeated(on_ray, tmp_path):
    policy = at_once(2, retry_on=StageLostError)
    _events, result = await watch(on_ray, flaky(tmp_path, 1, "exit", retry=policy))
    assert (result.ok, executions(tmp_path, "flaky")) == (True, 2)
