"""Equal requests are executed once, and answered alike."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from uuid import uuid4

import pytest

from stageflow_actors import (
    DeploymentError,
    GuardRetryPolicy,
    IdempotencyParamMismatch,
    IdempotencyPolicy,
    InMemoryIdempotencyStore,
    InvalidRunInputError,
    LocalRuntime,
    Pipeline,
    PolicyError,
    RayRuntime,
    RetryPolicy,
    RunStatus,
    StageKind,
)
from tests.conformance.crossing import Gate, Journal
from tests.conformance.idempotency_stages import POLICY, Decides, Once, keyed, one, read
from tests.conformance.stages import ok


def executions(folder):
    return len(Journal(folder).lines)


async def result_of(app, how="", **parts):
    return await (await app.start(input_text=how, **parts)).result()


async def answer_of(app, how="", **parts):
    return (await app.run(input_text=how, **parts))["only"].data


# --- one execution --------------------------------------------------------------------------------


async def test_the_same_key_is_executed_once_and_answered_alike(runtime, tmp_path):
    async with runtime.deploy(one(tmp_path)) as app:
        first = await answer_of(app, data=keyed())
        handle = await app.start(data=keyed())
        events = [event.type async for event in handle.events()]
        result = await handle.result()
        counted = {"executed": 1, "answered": 1, "waited": 0}
        assert (await app.describe())["idempotency"] == counted
    assert result.outputs["only"].data == first
    assert executions(tmp_path) == 1
    assert events[2:-1] == ["stage.only.started", "stage.answered", "stage.only.completed"]


async def test_runs_that_come_meanwhile_wait_for_the_one_that_is_executed(runtime, tmp_path):
    async with runtime.deploy(one(tmp_path)) as app:
        handles = [await app.start(input_text="hold", data=keyed())]
        await Gate(tmp_path, "only-runs").opened()
        handles += [await app.start(input_text="hold", data=keyed()) for _ in range(199)]
        while (await app.describe())["live_runs"] < 200:
            await asyncio.sleep(0.01)
        Gate(tmp_path, "go-on").open()
        results = [await handle.result() for handle in handles]
        assert (await app.describe())["idempotency"]["answered"] == 199
    assert executions(tmp_path) == 1
    assert len({result.outputs["only"].data["answer"] for result in results}) == 1


async def test_without_a_key_every_run_is_executed(runtime, tmp_path):
    async with runtime.deploy(one(tmp_path)) as app:
        without = (None, {}, {"other": 1}, keyed(None))
        answers = [await answer_of(app, data=data) for data in without]
    assert len({answer["answer"] for answer in answers}) == 4


async def test_a_policy_says_where_the_key_is(runtime, tmp_path):
    policy = IdempotencyPolicy(key="request", params="body")
    async with runtime.deploy(one(tmp_path, policy=policy)) as app:
        for data in [{"request": "k", "body": 1}] * 2 + [keyed()] * 2:
            await answer_of(app, data=data)
    assert executions(tmp_path) == 3


async def test_stages_pipelines_and_organisations_have_keys_of_their_own(runtime, tmp_path):
    shared = type(runtime)(idempotency_store=tmp_path / "keys.db")
    orgs = [None, uuid4(), uuid4()]
    two = one(tmp_path, "two").with_stage(
        "other", Once, config={"folder": tmp_path}, idempotency=POLICY
    )
    async with shared, shared.deploy(one(tmp_path, "one")) as app, shared.deploy(two) as other:
        for _ in range(2):
            for org in orgs:
                await app.run(data=keyed(), org_id=org)
                await other.run(data=keyed(), org_id=org)
    assert sorted(Journal(tmp_path).lines) == ["only"] * 6 + ["other"] * 3


async def test_dependents_read_an_answer_as_what_was_executed(runtime, tmp_path):
    pipeline = one(tmp_path).with_stage("reads", read, StageKind.WORK, dependencies="only")
    async with runtime.deploy(pipeline) as app:
        results = [await app.run(data=keyed()) for _ in range(2)]
    assert results[0]["reads"].data == results[1]["reads"].data
    assert results[1]["reads"].data["whole"] == results[0]["only"].data


async def test_an_answer_takes_the_route_that_was_taken(runtime, tmp_path):
    pipeline = (
        Pipeline()
        .with_stage("decide", Decides, config={"folder": tmp_path}, idempotency=POLICY)
        .with_stage("left", ok, StageKind.WORK, dependencies="decide", route="left")
        .with_stage("right", ok, StageKind.WORK, dependencies="decide", route="right")
    )
    async with runtime.deploy(pipeline) as app:
        for text in ("left", "right"):
            result = await result_of(app, text, data=keyed())
            assert list(result.skipped) == ["right"]
    assert Journal(tmp_path).lines == ["decided"]


# --- ends that are no answer ----------------------------------------------------------------------


@pytest.mark.parametrize("how", ["raise", "endless", "die"])
async def test_what_failed_is_not_kept(runtime, tmp_path, how, enough_s):
    if how == "die" and isinstance(runtime, LocalRuntime):
        pytest.skip("it would take this process along")
    async with runtime.deploy(one(tmp_path)) as app:
        failed = await (await app.start(input_text=how, data=keyed(), timeout=enough_s)).result()
        assert not failed.ok
        kept = await answer_of(app, data=keyed())
        assert await answer_of(app, data=keyed()) == kept
    assert executions(tmp_path) == 2


async def test_a_key_is_held_through_the_retries_of_its_owner(runtime, tmp_path):
    retry = RetryPolicy(max_attempts=2, initial_delay_s=0.1, jitter="none")
    async with runtime.deploy(one(tmp_path, retry=retry)) as app:
        handles = [await app.start(input_text="retry", data=keyed()) for _ in range(10)]
        results = [await handle.result() for handle in handles]
    assert len({result.outputs["only"].data["answer"] for result in results}) == 1
    assert executions(tmp_path) == 2


async def test_a_cancelled_owner_frees_its_key_for_one_who_waits(runtime, tmp_path):
    async with runtime.deploy(one(tmp_path)) as app:
        owner = await app.start(input_text="endless", data=keyed())
        while executions(tmp_path) == 0:
            await asyncio.sleep(0.001)
        waiting = [await app.start(data=keyed()) for _ in range(3)]
        await waiting[0].cancel("not any more")
        assert (await waiting[0].result()).status is RunStatus.CANCELLED
        assert executions(tmp_path) == 1
        await owner.cancel()
        results = [await handle.result() for handle in waiting[1:]]
    assert len({result.outputs["only"].data["answer"] for result in results}) == 1
    assert executions(tmp_path) == 2


async def test_an_answer_is_kept_for_its_time(runtime, tmp_path):
    async with runtime.deploy(one(tmp_path, policy=IdempotencyPolicy(ttl_s=0.2))) as app:
        first = await answer_of(app, data=keyed())
        while executions(tmp_path) == 1:
            second = await answer_of(app, data=keyed())
            await asyncio.sleep(0.02)
    assert second != first


async def test_an_output_that_is_no_json_cannot_be_kept(run, tmp_path):
    async def opaque(ctx):
        return {"whole": {"set": frozenset({1})}}

    pipeline = Pipeline().with_stage("opaque", opaque, StageKind.WORK, idempotency=POLICY)
    assert (await run(pipeline)).ok
    result = await run(pipeline, data=keyed())
    assert result.status is RunStatus.FAILED
    assert result.failures["opaque"].code == "IDEMPOTENCY-OUTPUT"
    assert "set" in result.failures["opaque"].message


# --- what is refused ------------------------------------------------------------------------------


async def test_a_key_with_other_parameters_is_refused(runtime, tmp_path):
    async with runtime.deploy(one(tmp_path)) as app:
        for same in ({"a": 1, "b": [2]}, {"b": [2], "a": 1}):
            await app.run(data=keyed("order-7", idempotency_params=same))
        for others in ({"a": 1}, None, "a"):
            result = await result_of(app, data=keyed("order-7", idempotency_params=others))
            failure = result.failures["only"]
            assert failure.code == "IDEMPOTENCY-MISMATCH"
            assert isinstance(failure.original, IdempotencyParamMismatch)
            assert "'order-7'" in failure.message
    assert executions(tmp_path) == 1


REFUSED = [keyed(key) for key in (5, "", b"k", ["k"], True)]
REFUSED += [keyed(idempotency_params=each) for each in ({1, 2}, {"a": b"x"}, {(1, 2): 3})]


@pytest.mark.parametrize("data", REFUSED)
async def test_keys_that_are_no_text_and_parameters_that_are_no_json_are_refused(
    runtime, tmp_path, data
):
    async with runtime.deploy(one(tmp_path)) as app:
        with pytest.raises(InvalidRunInputError, match="idempotency_") as raised:
            await app.start(data=data)
    assert raised.value.code == "RUN-INPUT"
    assert executions(tmp_path) == 0


@pytest.mark.parametrize("idempotent", ["made", "between", "guard"])
def test_a_stage_that_a_guard_may_have_repeated_cannot_be_idempotent(idempotent):
    given = {"made": {}, "between": {}, "guard": {}, idempotent: {"idempotency": POLICY}}
    again = GuardRetryPolicy(retry_stage="made")
    pipeline = (
        Pipeline()
        .with_stage("made", ok, "work", **given["made"])
        .with_stage("between", ok, "work", "made", **given["between"])
        .with_stage("guard", ok, "guard", "between", guard_retry=again, **given["guard"])
    )
    with pytest.raises(PolicyError, match=f"'{idempotent}' is idempotent") as raised:
        pipeline.build()
    assert raised.value.code == "POLICY-GUARD"


# --- stores ---------------------------------------------------------------------------------------


async def test_answers_in_a_file_are_there_for_the_next_deployment(runtime, tmp_path):
    answers = []
    for _ in range(2):
        keeping = type(runtime)(idempotency_store=tmp_path / "keys.db")
        async with keeping, keeping.deploy(one(tmp_path)) as app:
            answers.append(await answer_of(app, data=keyed()))
    assert answers[0] == answers[1]
    assert executions(tmp_path) == 1


async def test_deployments_that_share_a_file_wait_for_each_other(runtime, tmp_path):
    shared = type(runtime)(idempotency_store=tmp_path / "keys.db")
    async with shared, shared.deploy(one(tmp_path)) as app, shared.deploy(one(tmp_path)) as other:
        held = await app.start(input_text="hold", data=keyed())
        await Gate(tmp_path, "only-runs").opened()
        waiting = [await other.start(data=keyed()) for _ in range(5)]
        while (await other.describe())["live_runs"] < 5:
            await asyncio.sleep(0.01)
        Gate(tmp_path, "go-on").open()
        results = [await handle.result() for handle in (held, *waiting)]
    assert len({result.outputs["only"].data["answer"] for result in results}) == 1
    assert executions(tmp_path) == 1


DRIVER = """
import asyncio, sys
from pathlib import Path
from stageflow_actors import LocalRuntime
from tests.conformance.crossing import Gate
from tests.conformance.idempotency_stages import keyed, one
async def drive(folder, number):
    async with LocalRuntime(idempotency_store=folder / "keys.db") as runtime:
        async with runtime.deploy(one(folder)) as app:
            handle = await app.start(input_text="hold", data=keyed())
            Gate(folder, f"submitted-{number}").open()
            print((await handle.result()).outputs["only"].data["answer"])

asyncio.run(drive(Path(sys.argv[1]), sys.argv[2]))
"""


async def test_processes_that_share_a_file_execute_once(tmp_path):
    drivers = [
        await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", DRIVER, str(tmp_path), str(number)),
            cwd=Path(__file__).parents[2],
            stdout=asyncio.subprocess.PIPE,
        )
        for number in range(2)
    ]
    for gate in ("submitted-0", "submitted-1", "only-runs"):
        await Gate(tmp_path, gate).opened()
    Gate(tmp_path, "go-on").open()
    printed = {(await driver.communicate())[0] for driver in drivers}
    assert [driver.returncode for driver in drivers] == [0, 0]
    assert len(printed) == 1
    assert executions(tmp_path) == 1


async def test_a_store_of_ones_own_is_shared_and_left_open(tmp_path):
    store = InMemoryIdempotencyStore()
    answers = []
    for _ in range(2):
        runtime = LocalRuntime(idempotency_store=store)
        async with runtime, runtime.deploy(one(tmp_path)) as app:
            answers.append(await answer_of(app, data=keyed()))
    assert answers[0] == answers[1]
    assert executions(tmp_path) == 1


def test_on_ray_a_store_is_given_by_its_path():
    with pytest.raises(DeploymentError) as raised:
        RayRuntime(idempotency_store=InMemoryIdempotencyStore())
    assert raised.value.code == "DEPLOYMENT-STORE"
