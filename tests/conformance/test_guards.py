"""A guard rejects what another stage has made, and has it made again."""

from __future__ import annotations

import pytest

from stageflow_actors import (
    GuardRetryPolicy,
    Pipeline,
    PolicyError,
    RayRuntime,
    RunStatus,
    StageKind,
)
from stageflow_actors.model.settings import Settings
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
from tests.conformance.guards_stages import Check, Deny, Make

ALWAYS = 1_000_000


def guarded(folder, rejections=1, same=False, **policy):
    """``use`` reads what ``make`` makes and ``check`` lets pass."""
    check = {"folder": folder, "rejections": rejections, "same": same}
    return (
        Pipeline("guarded")
        .with_stage("make", Make, config={"folder": folder})
        .with_stage(
            "check",
            Check,
            dependencies="make",
            config=check,
            guard_retry=GuardRetryPolicy("make", **policy),
        )
        .with_stage("use", Look, dependencies="make", config={"folder": folder})
    )


async def watch(runtime, pipeline):
    async with runtime.deploy(pipeline) as app:
        return await watched(app)


def names(events):
    return [event.type for event in events if event.type.startswith("guard_retry.")]


async def test_what_was_rejected_is_made_again_and_then_used(runtime, tmp_path):
    events, result = await watch(runtime, guarded(tmp_path))
    assert Journal(tmp_path).lines == ["make", "check", "make", "check", "use"]
    assert result.ok
    assert (result.outputs["make"].data["n"], result.outputs["check"].data["checked"]) == (2, 2)
    assert (result.failures, result.attempts) == ({}, {"make": 2, "check": 2, "use": 1})
    assert names(events) == [
        "guard_retry.attempt",
        "guard_retry.scheduled",
        "guard_retry.recovered",
    ]
    assert of_type(events, "guard_retry.recovered") == [{"guard": "check", "attempts": 2}]


async def test_dependents_of_the_producer_read_only_what_passed(runtime, tmp_path):
    _events, result = await watch(runtime, guarded(tmp_path))
    assert result.outputs["use"].data["inputs"]["make"]["n"] == 2


async def test_the_producer_is_told_who_rejected_what_and_why(runtime, tmp_path):
    _events, result = await watch(runtime, guarded(tmp_path, rejections=2, max_attempts=3))
    assert result.outputs["make"].data["feedback"] == {
        "guard": "check",
        "attempt": 2,
        "reason": "too small",
        "data": {"n": 2, "seen": 2},
    }


async def test_what_lies_between_the_producer_and_its_guard_runs_again_too(runtime, tmp_path):
    check = {"folder": tmp_path, "rejections": 1}
    pipeline = (
        Pipeline()
        .with_stage("first", Make, config={"folder": tmp_path})
        .with_stage("make", Make, dependencies="first", config={"folder": tmp_path})
        .with_stage("polish", Make, dependencies="make", config={"folder": tmp_path})
        .with_stage(
            "check",
            Check,
            dependencies="polish",
            config=check,
            guard_retry=GuardRetryPolicy("make"),
        )
    )
    _events, result = await watch(runtime, pipeline)
    assert result.attempts == {"first": 1, "make": 2, "polish": 2, "check": 2}
    assert result.outputs["polish"].data["n"] == 2


async def test_max_attempts_counts_rejections(runtime, tmp_path):
    pipeline = guarded(tmp_path, rejections=ALWAYS, max_attempts=3, stagnation_limit=9)
    events, result = await watch(runtime, pipeline)
    assert Journal(tmp_path).lines == ["make", "check"] * 3
    assert (result.status, result.stage, result.reason) == ("failed", "check", "too small")
    ((exhausted),) = of_type(events, "guard_retry.exhausted")
    assert (exhausted["attempts"], exhausted["reason"]) == (3, "max_attempts")


@pytest.mark.parametrize(("limit", "runs"), [(1, 2), (2, 3)])
async def test_equal_rejections_in_a_row_are_enough(runtime, tmp_path, limit, runs):
    pipeline = guarded(
        tmp_path,
        rejections=ALWAYS,
        same=True,
        max_attempts=9,
        stagnation_limit=limit,
        hash_fields=("n",),
    )
    events, _result = await watch(runtime, pipeline)
    assert executions(tmp_path, "make") == runs
    assert of_type(events, "guard_retry.exhausted")[0]["reason"] == "stagnation"


async def test_rejections_that_differ_do_not_stagnate(runtime, tmp_path):
    pipeline = guarded(tmp_path, rejections=4, same=True, max_attempts=9, stagnation_limit=1)
    _events, result = await watch(runtime, pipeline)
    assert (result.ok, executions(tmp_path, "make")) == (True, 5)


async def test_a_guard_whose_time_is_up_has_nothing_made_again(runtime, tmp_path):
    pipeline = guarded(
        tmp_path, rejections=ALWAYS, max_attempts=ALWAYS, stagnation_limit=ALWAYS, timeout_s=0.05
    )
    patient = type(runtime)(settings=Settings(max_guard_repeats_per_run=1_000_000))
    events, result = await watch(patient, pipeline)
    assert (result.status, result.stage) == (RunStatus.FAILED, "check")
    assert of_type(events, "guard_retry.exhausted")[0]["reason"] == "timeout"


async def test_a_run_that_tolerates_a_rejection_still_uses_nothing_that_was_rejected(
    runtime, tmp_path
):
    graph = guarded(tmp_path, rejections=ALWAYS).build(execution=TOLERANT)
    _events, result = await watch(runtime, graph)
    assert (result.ok, result.tolerated) == (True, ("check",))
    assert result.skipped == {"use": "'check' failed: too small"}
    assert executions(tmp_path, "use") == 0


async def check_that_it_denies(runtime, folder, how, code):
    pipeline = (
        Pipeline()
        .with_stage("make", Make, config={"folder": folder})
        .with_stage(
            "check",
            Deny,
            dependencies="make",
            config={"folder": folder, "how": how},
            timeout=0.2 if how == "waits" else None,
            guard_retry=GuardRetryPolicy("make", max_attempts=5),
        )
        .with_stage("use", Look, dependencies="make", config={"folder": folder})
    )
    events, result = await watch(runtime, pipeline)
    assert result.failures["check"].code == code
    assert not result.ok
    assert (executions(folder, "make"), executions(folder, "use")) == (1, 0)
    assert names(events) == []


@pytest.mark.parametrize(
    ("how", "code"),
    [
        ("raises", "STAGE-RAISED"),
        ("returns None", "GUARD-NO-VERDICT"),
        ("waits", "STAGE-TIMEOUT"),
    ],
)
async def test_a_guard_without_a_verdict_denies_and_has_nothing_made_again(
    runtime, tmp_path, how, code
):
    await check_that_it_denies(runtime, tmp_path, how, code)


@pytest.mark.ray
async def test_a_guard_that_dies_denies_and_has_nothing_made_again(ray_session, sink, tmp_path):
    runtime = RayRuntime(event_sink=sink)
    await check_that_it_denies(runtime, tmp_path, "dies", "STAGE-OUTCOME-UNKNOWN")


async def test_retries_of_a_producer_and_its_guard_leave_each_round_its_own(runtime, tmp_path):
    how = ConnectionError("gone")
    pipeline = (
        Pipeline()
        .with_stage(
            "make",
            FailFirst,
            config={"folder": tmp_path, "times": 1, "how": how},
            retry=at_once(2),
        )
        .with_stage(
            "check",
            Check,
            dependencies="make",
            config={"folder": tmp_path, "rejections": 1},
            guard_retry=GuardRetryPolicy("make"),
        )
    )
    _events, result = await watch(runtime, pipeline)
    assert result.attempts == {"make": 3, "check": 2}
    data = result.outputs["make"].data
    assert data["attempt"] == 3
    assert data["key"].endswith(":make:1"), "what is made again is other work than before"


@pytest.mark.parametrize("kind", [StageKind.AGENT, StageKind.ENRICH])
async def test_a_stage_of_any_kind_may_guard(run, tmp_path, kind):
    pipeline = (
        Pipeline()
        .with_stage("make", Make, config={"folder": tmp_path})
        .with_stage(
            "check",
            Check,
            kind,
            "make",
            config={"folder": tmp_path, "rejections": 1},
            guard_retry=GuardRetryPolicy("make"),
        )
    )
    assert (await run(pipeline)).attempts == {"make": 2, "check": 2}


@pytest.mark.parametrize("producer", ["side", "use", "check", "nobody"])
def test_a_guard_whose_producer_is_not_upstream_is_refused(producer):
    pipeline = (
        Pipeline()
        .with_stage("make", fine, "work")
        .with_stage("side", fine, "work")
        .with_stage(
            "check", fine, "guard", dependencies="make", guard_retry=GuardRetryPolicy(producer)
        )
        .with_stage("use", fine, "work", dependencies="check")
    )
    with pytest.raises(PolicyError) as refused:
        pipeline.build()
    assert refused.value.code == "POLICY-GUARD"
    assert producer in refused.value.hint
