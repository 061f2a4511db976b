"""What a stage does outside: keys for it to count once, and whether it is ever done again."""

from __future__ import annotations

import asyncio
from functools import partial

import pytest

from stageflow_actors import (
    Effects,
    GuardRetryPolicy,
    Pipeline,
    RayRuntime,
    RetryPolicy,
    RunStatus,
    Settings,
    StageKind,
    StageLostError,
)
from stageflow_actors.actors.messages import Assignment
from stageflow_actors.actors.orders import Order
from stageflow_actors.actors.ray_runtime import pack_code
from stageflow_actors.actors.sealing import seal_view, view_to_payload
from stageflow_actors.actors.stage_group import StageGroup
from stageflow_actors.actors.wire import envelope_to_wire
from stageflow_actors.model.pipeline_context import PipelineContext
from tests.conformance.crossing import Gate, Journal
from tests.conformance.effects_stages import (
    AT_ONCE,
    BeginsAndWaits,
    Charges,
    ChargesTwice,
    Dies,
    Drafts,
    RefusesThenDoes,
    accept_the_second,
)
from tests.conformance.timeout_missions import WaitsAtFirst

LOSSES_TOO = RetryPolicy(max_attempts=3, initial_delay_s=0, retry_on=(StageLostError, TimeoutError))


def one(runner, folder, **policies):
    return Pipeline().with_stage("only", runner, config={"folder": folder}, **policies)


# --- keys -----------------------------------------------------------------------------------------


async def test_a_key_is_the_same_for_every_attempt_and_for_no_other_stage_or_run(runtime, tmp_path):
    here = {"folder": tmp_path}
    pipeline = (
        Pipeline()
        .with_stage("first", Charges, retry=AT_ONCE, config=here)
        .with_stage("second", Charges, retry=AT_ONCE, config=here, dependencies="first")
    )
    async with runtime.deploy(pipeline) as app:
        runs = [await app.run() for _ in range(2)]
    keys = [output.data["key"] for run in runs for output in run.values()]
    assert len(set(keys)) == 4
    assert Journal(tmp_path).lines == [key for key in keys for _attempt in range(2)]


async def test_a_stage_in_a_run_that_a_stage_starts_has_a_key_of_its_own(run, tmp_path):
    data = (await run(one(ChargesTwice, tmp_path))).outputs["only"].data
    assert data["own"] != data["inner"]


async def test_work_that_is_done_again_for_a_guard_is_other_work(run, tmp_path):
    guard = GuardRetryPolicy(retry_stage="draft", max_attempts=3)
    pipeline = (
        Pipeline()
        .with_stage("draft", Drafts, config={"folder": tmp_path})
        .with_stage(
            "guard", accept_the_second, StageKind.GUARD, dependencies="draft", guard_retry=guard
        )
    )
    assert (await run(pipeline)).status is RunStatus.OK
    keys = Journal(tmp_path).lines
    assert len(set(keys)) == len(keys) == 2


# --- nobody knows how far it got ------------------------------------------------------------------


@pytest.mark.ray
@pytest.mark.parametrize(
    ("effects", "retry", "executions"),
    [
        (Effects.NONE, None, 2),
        (Effects.KEYED, None, 2),
        (Effects.UNKNOWN, None, 1),
        (Effects.UNKNOWN, AT_ONCE, 1),
        (Effects.UNKNOWN, LOSSES_TOO, 2),
        (Effects.ONCE_ONLY, LOSSES_TOO, 1),
    ],
)
async def test_a_stage_whose_process_died_is_repeated_only_where_that_does_no_harm(
    ray_session, tmp_path, effects, retry, executions
):
    pipeline = one(Dies, tmp_path, effects=effects, retry=retry)
    async with RayRuntime().deploy(pipeline) as app:
        result = await (await app.start()).result()
    keys = Journal(tmp_path).lines
    assert (len(keys), len(set(keys))) == (executions, 1)
    assert result.attempts == {"only": executions}
    if executions == 2:
        assert result.status is RunStatus.OK
    else:
        assert result.status is RunStatus.FAILED
        failure = result.failures["only"]
        assert failure.code == "STAGE-OUTCOME-UNKNOWN"
        assert isinstance(failure.original, StageLostError)


@pytest.mark.ray
async def test_a_stage_survives_so_many_deaths_of_its_process_and_no_more(ray_session, tmp_path):
    runtime = RayRuntime(settings=Settings(max_losses_per_stage=2))
    pipeline = Pipeline().with_stage(
        "only", Dies, effects="none", config={"folder": tmp_path, "times": 9}
    )
    async with runtime.deploy(pipeline) as app:
        result = await (await app.start()).result()
    assert result.status is RunStatus.FAILED
    failure = result.failures["only"]
    assert failure.code == "STAGE-POISONED"
    assert isinstance(failure.original, StageLostError)
    assert len(Journal(tmp_path).lines) == 3


@pytest.mark.parametrize(("effects", "executions"), [("once_only", 1), ("keyed", 3)])
async def test_what_may_have_been_done_once_is_not_done_again_after_a_timeout(
    run, tmp_path, effects, executions
):
    pipeline = one(BeginsAndWaits, tmp_path, effects=effects, retry=AT_ONCE, timeout=0.2)
    result = await run(pipeline)
    assert result.status is RunStatus.TIMED_OUT
    began = [line for line in Journal(tmp_path).lines if line.startswith("began")]
    assert began == [f"began {attempt + 1}" for attempt in range(executions)]


async def test_what_is_done_once_only_may_be_tried_again_where_it_says_that_it_failed(
    run, tmp_path
):
    result = await run(one(RefusesThenDoes, tmp_path, effects="once_only", retry=AT_ONCE))
    assert result.status is RunStatus.OK
    assert Journal(tmp_path).lines == ["attempt 1", "attempt 2"]


# --- the process is ended for another run ---------------------------------------------------------


async def kill_under(app, folder, neighbours, attempt):
    """End the process that ``neighbours`` are executed in, through a run that does not stop."""
    for name in neighbours:
        await Gate(folder, f"{name}-runs-{attempt}").opened()
    culprit = await app.start(input_text=f"culprit-{attempt}")
    await Gate(folder, f"culprit-{attempt}-runs-1").opened()
    await culprit.cancel("enough")
    assert (await culprit.result()).status is RunStatus.CANCELLED


@pytest.mark.ray
@pytest.mark.parametrize(
    ("effects", "retry", "is_repeated"),
    [
        ("none", None, True),
        ("keyed", None, True),
        ("unknown", None, False),
        ("unknown", LOSSES_TOO, True),
        ("once_only", LOSSES_TOO, False),
    ],
)
async def test_the_victims_of_another_run_are_repeated_where_that_does_no_harm(
    ray_session, tmp_path, effects, retry, is_repeated
):
    pipeline = one(WaitsAtFirst, tmp_path, effects=effects, retry=retry)
    names = ["neighbour-1", "neighbour-2"]
    async with RayRuntime().deploy(pipeline) as app:
        handles = [await app.start(input_text=name) for name in names]
        await kill_under(app, tmp_path, names, attempt=1)
        for result in [await handle.result() for handle in handles]:
            if is_repeated:
                assert (result.status, result.attempts) == (RunStatus.OK, {"only": 2})
            else:
                assert result.status is RunStatus.FAILED
                assert result.failures["only"].code == "STAGE-OUTCOME-UNKNOWN"


@pytest.mark.ray
async def test_a_victim_is_not_charged_for_it(ray_session, tmp_path):
    pipeline = Pipeline().with_stage(
        "only", WaitsAtFirst, effects="none", config={"folder": tmp_path, "times": 2}
    )
    runtime = RayRuntime(settings=Settings(max_losses_per_stage=1, max_retries_per_run=1))
    async with runtime.deploy(pipeline) as app:
        handle = await app.start(input_text="victim")
        for attempt in (1, 2):
            await kill_under(app, tmp_path, ["victim"], attempt)
        result = await handle.result()
    assert (result.status, result.attempts) == (RunStatus.OK, {"only": 3})


@pytest.mark.ray
async def test_a_process_that_is_to_be_ended_twice_at_once_is_replaced_once(ray_session, tmp_path):
    pipeline = one(WaitsAtFirst, tmp_path)
    changes = []
    group = StageGroup(
        pipeline.plan, pack_code(pipeline), Settings(), pytest.fail, lambda: changes.append(1), None
    )
    assert await group.start() == {}
    receipts, begin = {}, []

    def execute(run, attempt):
        context = PipelineContext.create(input_text=run)
        view = view_to_payload(seal_view(context.view))
        receipt = receipts[run] = asyncio.get_running_loop().create_future()
        work, started_ms = Assignment(attempt, {}), context.timer.pipeline_start_ms
        message = envelope_to_wire((run, 0, attempt), tuple(view), started_ms, work, {})
        begun = partial(begin.append, run)
        order = Order((run, 0, attempt), message, view.size, False, receipt.set_result, begun)
        return group.execute(order)

    for run in ("one", "other"):
        assert execute(run, attempt=1)
        await Gate(tmp_path, f"{run}-runs-1").opened()
    group.kill(0, ("one", 0, 1))
    assert not execute("next", attempt=2)  # waits for the new process, which is nobody's to end
    group.kill(0, ("other", 0, 1))
    endings = {run: (await receipt).ending for run, receipt in receipts.items()}
    told = group.describe()
    await group.stop()
    assert begin == ["next"]
    assert (len(told["restarts"]["deaths"]), told["stages"][0]["epoch"]) == (1, 2)
    assert changes
    assert endings == {"one": "lost", "other": "lost", "next": "ok"}
