"""Stages that execute several runs at once, as those see it who start the runs."""

from __future__ import annotations

import asyncio
from functools import partial

import pytest

from stageflow_actors import (
    LocalRuntime,
    Pipeline,
    RetryPolicy,
    RunStatus,
    Settings,
    StageReturnTypeError,
    Timeouts,
)
from stageflow_actors.model.policies.batching import Batching
from tests.conformance.batching_stages import (
    Deaf,
    DeafInThread,
    Embed,
    EmbedInThread,
    Miscount,
    Odd,
    note_arrival,
)
from tests.conformance.crossing import Gate, Journal


def came(folder):
    return sum(line.startswith("came ") for line in Journal(folder).lines)


async def all_came(folder, count):
    while came(folder) < count:
        await asyncio.sleep(0.002)


def batches(folder):
    return [line.split()[1:] for line in Journal(folder).lines if line.startswith("batch ")]


def noting(folder, size=16):
    weigh = partial(note_arrival, folder)
    return Batching(max_batch_size=size, batch_size_fn=weigh, max_batch_weight=1000)


def embedding(folder, runner=Embed, **options):
    options = {"batching": noting(folder), **options}
    return Pipeline().with_stage("embed", runner, "work", config={"folder": folder}, **options)


async def started(app, names):
    return [await app.start(input_text=name) for name in names]


async def results(handles):
    return await asyncio.gather(*(handle.result() for handle in handles))


async def test_runs_that_come_together_are_executed_together_each_with_its_own_result(
    runtime, tmp_path
):
    names = [f"run{number}" for number in range(64)]
    async with runtime.deploy(embedding(tmp_path)) as app:
        handles = await started(app, names)
        await all_came(tmp_path, 64)
        Gate(tmp_path, "go").open()
        ended = await results(handles)
    assert [each.outputs["embed"].data["text"] for each in ended] == [*map(str.upper, names)]
    sizes = [len(batch) for batch in batches(tmp_path)]
    assert sum(sizes) == 64
    # The first has what was there when the stage was idle, the last what is left.
    assert set(sizes[1:-1]) == {16}
    assert len(sizes) <= 5


async def test_one_bad_run_of_sixteen_fails_alone(runtime, tmp_path):
    names = [*(f"run{number}" for number in range(9)), "bad", *"abcdef"]
    async with runtime.deploy(embedding(tmp_path, effects="none")) as app:
        first = await started(app, ["first"])
        await Gate(tmp_path, "runs").opened()
        handles = await started(app, names)
        await all_came(tmp_path, 17)
        Gate(tmp_path, "go").open()
        ended = await results(first + handles)
    assert sorted(batches(tmp_path)[1]) == sorted(names)
    assert [each.status for each in ended] == [
        RunStatus.FAILED if name == "bad" else RunStatus.OK for name in ["first", *names]
    ]
    original = ended[1 + names.index("bad")].error().original
    assert (type(original), str(original)) == (ValueError, "one of these is bad")


async def test_a_run_that_is_cancelled_leaves_its_batch_to_the_others(runtime, tmp_path):
    async with runtime.deploy(embedding(tmp_path)) as app:
        first = await app.start(input_text="first")
        await Gate(tmp_path, "runs").opened()
        a, b = await started(app, "ab")
        await all_came(tmp_path, 3)
        await b.cancel("enough")
        waited = await b.result()  # while the first batch goes on
        Gate(tmp_path, "go").open()
        kept = await results([first, a])
    assert (waited.status, waited.reason) == (RunStatus.CANCELLED, "enough")
    assert [each.status for each in kept] == [RunStatus.OK, RunStatus.OK]
    assert batches(tmp_path) == [["first"], ["a"]]


async def test_a_plain_def_takes_batches_off_the_main_thread_between_setup_and_teardown(
    runtime, tmp_path
):
    async with runtime.deploy(embedding(tmp_path, EmbedInThread)) as app:
        handles = await started(app, "abc")
        await all_came(tmp_path, 3)
        Gate(tmp_path, "go").open()
        ended = await results(handles)
    assert [each.outputs["embed"].data["text"] for each in ended] == [*"ABC"]
    assert not any(each.outputs["embed"].data["is_main"] for each in ended)
    lines = Journal(tmp_path).lines
    assert (lines[0], lines[-1]) == ("setup", "teardown")


# --- decided by the same code on every runtime: here once -----------------------------------------


@pytest.fixture
def local():
    return LocalRuntime(settings=Settings(stop_timeout_s=0.1, grace_s=0.05))


def retrying():
    return RetryPolicy(initial_delay_s=0, retry_on=ValueError)


@pytest.mark.parametrize(
    ("effects", "calls"), [("once_only", [["a", "bad"]]), ("unknown", [["a", "bad"]] * 3)]
)
async def test_a_retry_policy_repeats_what_was_in_a_batch_that_raised_unless_it_is_once_only(
    local, tmp_path, effects, calls
):
    Gate(tmp_path, "go").open()
    pipeline = embedding(tmp_path, effects=effects, retry=retrying())
    async with local.deploy(pipeline) as app:
        ended = await results(await started(app, ["a", "bad"]))
    assert [each.status for each in ended] == [RunStatus.FAILED] * 2
    assert [type(each.error().original) for each in ended] == [ValueError] * 2
    assert batches(tmp_path) == calls


async def test_what_is_once_only_and_was_alone_in_its_batch_is_repeated_as_its_policy_says(
    local, tmp_path
):
    Gate(tmp_path, "go").open()
    pipeline = embedding(tmp_path, effects="once_only", retry=retrying())
    async with local.deploy(pipeline) as app:
        await results(await started(app, ["bad"]))
    assert batches(tmp_path) == [["bad"]] * 3


async def test_a_run_that_is_cancelled_during_its_batch_ends_at_once_and_the_others_go_on(
    local, tmp_path
):
    async with local.deploy(embedding(tmp_path)) as app:
        a, b = await started(app, "ab")
        await Gate(tmp_path, "runs").opened()
        await b.cancel("enough")
        assert (await b.result()).status is RunStatus.CANCELLED
        Gate(tmp_path, "go").open()
        assert (await a.result()).outputs["embed"].data["text"] == "A"
    assert batches(tmp_path) == [["a", "b"]]


@pytest.mark.parametrize("timeout", [0.3, Timeouts(idle=0.3)], ids=["attempt", "idle"])
@pytest.mark.parametrize("runner", [Deaf, DeafInThread])
async def test_a_batch_that_does_not_end_costs_its_runs_their_time_and_nobody_else_theirs(
    local, tmp_path, runner, timeout
):
    pipeline = embedding(tmp_path, runner, timeout=timeout)
    async with local.deploy(pipeline) as app:
        try:
            stuck = await results(await started(app, "ab"))
            assert [each.status for each in stuck] == [RunStatus.TIMED_OUT] * 2
            assert [name for each in stuck for name in each.abandoned] == ["embed"]
            assert (await app.run(input_text="c"))["embed"].data == {"fine": True}
        finally:
            Gate(tmp_path, "go").open()


async def test_a_deployment_that_closes_during_a_batch_cancels_its_runs(local, tmp_path):
    async with local.deploy(embedding(tmp_path)) as app:
        handles = await started(app, "abc")
        await Gate(tmp_path, "runs").opened()
    assert [each.status for each in await results(handles)] == [RunStatus.CANCELLED] * 3


async def test_a_body_that_loses_an_item_fails_all_of_them(local, tmp_path):
    async with local.deploy(embedding(tmp_path, Miscount)) as app:
        ended = await results(await started(app, "ab"))
    assert {type(each.error().original) for each in ended} == {StageReturnTypeError}


async def test_each_item_has_a_receipt_of_its_own(local, tmp_path):
    async with local.deploy(embedding(tmp_path, Odd)) as app:
        fine, wrong, missing, skipped = await results(await started(app, "abcd"))
    assert fine.outputs["embed"].data == {"fine": True}
    assert isinstance(wrong.error().original, StageReturnTypeError)
    assert isinstance(missing.error().original, LookupError)
    assert skipped.skipped == {"embed": "not today"}
