"""However a child run ends is a result for the stage that has spawned it, and raises nothing."""

from __future__ import annotations

import asyncio

import pytest

from stageflow_actors import (
    ExecutionConfig,
    ExecutionMode,
    Pipeline,
    RunStatus,
    StageFailedError,
    StageTimeoutError,
)
from tests.conformance.children_stages import every_end, tell_time
from tests.conformance.crossing import Journal
from tests.conformance.failing_stages import TOLERANT, at_once
from tests.conformance.parents import (
    LONG_S,
    alone,
    answer_of,
    asking,
    child_of,
    ends,
    knowing,
    result_of,
    soon,
    stopped,
    waiter,
)
from tests.conformance.stages import ok


async def test_every_end_of_a_child_is_a_result_of_its_own_kind(runtime):
    found = await answer_of(knowing(runtime, alone("ends", ends)), every_end)
    fine, raised, failed, cancelled, late = found["children"]
    assert [child.status for child in found["children"]] == [
        RunStatus.OK,
        RunStatus.FAILED,
        RunStatus.FAILED,
        RunStatus.CANCELLED,
        RunStatus.TIMED_OUT,
    ]
    assert [child.success for child in found["children"]] == [True, False, False, False, False]
    assert [child.code for child in found["children"]] == [
        None,
        "STAGE-RAISED",
        "STAGE-FAILED",
        None,
        "RUN-TIMEOUT",
    ]
    assert (fine.error, fine.data) == (None, {"ends": {"text": "hello"}})
    assert (failed.error, failed.data) == ("no tea", {"ends": {"left": 1}})
    assert (cancelled.error, cancelled.result.stage) == ("enough", "ends")
    assert "tea" in raised.error
    assert "timed out" in late.error
    assert {child.pipeline for child in found["children"]} == {"ends"}
    assert len({child.child_run_id for child in found["children"]}) == 5
    assert late.duration_ms >= 200


async def test_the_exception_of_a_child_can_be_read_as_what_it_was(runtime):
    runtime = knowing(runtime, alone("ends", ends))
    child = await child_of(runtime, asking("ends", "raise"))
    failure = child.result.failures["ends"]
    assert (type(failure.original), failure.original.args) == (KeyError, ("tea", 2))
    assert (failure.error_type, failure.attempt) == ("KeyError", 1)
    assert "tea" in failure.traceback
    child = await child_of(runtime, asking("ends", "fail"))
    assert type(child.result.failures["ends"].original) is StageFailedError


async def test_what_finished_before_a_child_failed_is_in_its_data(runtime):
    pipeline = (
        Pipeline("both").with_stage("first", ok, "work").with_stage("ends", ends, "work", "first")
    )
    child = await child_of(knowing(runtime, pipeline), asking("both", "raise"))
    assert child.status is RunStatus.FAILED
    assert child.data == {"first": {"stage": "first"}}


async def test_a_parent_may_raise_how_its_child_ended(runtime):
    async def strict(ctx):
        return (await ctx.spawn("ends", ctx.snapshot.input_text)).raise_for_status().data

    runtime = knowing(runtime, alone("ends", ends))
    assert (await answer_of(runtime, strict, input_text="hello"))["ends"] == {"text": "hello"}
    failed = await result_of(runtime, strict, input_text="raise")
    assert (failed.status, failed.failures["parent"].error_type) == (
        RunStatus.FAILED,
        "StageExecutionError",
    )
    assert failed.failures["parent"].code == "STAGE-RAISED"


async def test_results_of_many_come_in_the_order_of_their_inputs(runtime):
    async def wait_their_turn(ctx):
        await asyncio.sleep((9 - int(ctx.snapshot.input_text)) / 1000)
        return {"text": ctx.snapshot.input_text}

    async def many(ctx):
        found = await ctx.spawn_many("turn", (str(number) for number in range(10)))
        return {"texts": [child.data["turn"]["text"] for child in found]}

    runtime = knowing(runtime, alone("turn", wait_their_turn))
    assert list((await answer_of(runtime, many))["texts"]) == [str(number) for number in range(10)]


@pytest.mark.parametrize("most", [1, 3])
async def test_many_run_at_once_but_no_more_than_was_said(runtime, tmp_path, most):
    async def note(ctx):
        Journal(tmp_path).write("+")
        await asyncio.sleep(0.02)
        Journal(tmp_path).write("-")

    async def many(ctx):
        return {"ends": len(await ctx.spawn_many("note", [None] * 7, concurrency=most))}

    assert (await answer_of(knowing(runtime, alone("note", note)), many))["ends"] == 7
    live = highest = 0
    for line in Journal(tmp_path).lines:
        live += 1 if line == "+" else -1
        highest = max(highest, live)
    assert highest == most


@pytest.mark.parametrize("most", [0, -1])
async def test_none_at_a_time_is_refused(runtime, most):
    async def many(ctx):
        with pytest.raises(ValueError, match="at least 1"):
            await ctx.spawn_many("ends", ["a"], concurrency=most)
        return {"children": ctx.child_runs, "none": await ctx.spawn_many("ends", [])}

    answer = await answer_of(knowing(runtime, alone("ends", ends)), many)
    assert (answer["children"], list(answer["none"])) == (0, [])


# --- failures that a child goes on without --------------------------------------------------------


async def test_a_child_keeps_its_own_mode_of_failure(runtime):
    tolerant = (
        Pipeline("tolerant")
        .with_stage("ends", ends, "work")
        .with_stage("fine", ok, "work")
        .build(execution=TOLERANT)
    )
    child = await child_of(knowing(runtime, tolerant), asking("tolerant", "raise"))
    assert (child.status, child.success, child.error, child.code) == (
        RunStatus.OK,
        True,
        None,
        None,
    )
    assert child.result.tolerated == ("ends",)
    assert child.data == {"fine": {"stage": "fine"}}
    assert isinstance(child.result.failures["ends"].original, KeyError)


async def test_a_stage_of_a_child_may_have_a_fallback(runtime):
    saved = alone("saved", ends, fallback={"text": "instead"})
    child = await child_of(knowing(runtime, saved), asking("saved", "raise"))
    assert (child.success, child.data) == (True, {"saved": {"text": "instead"}})


async def test_a_stage_of_a_child_is_retried_by_its_own_policy(runtime, tmp_path):
    async def flaky(ctx):
        Journal(tmp_path).write(f"attempt {ctx.attempt}")
        if ctx.attempt < 3:
            raise ConnectionError("gone")
        return {"attempt": ctx.attempt}

    runtime = knowing(runtime, alone("flaky", flaky, retry=at_once(3)))
    child = await child_of(runtime, asking("flaky"))
    assert child.data == {"flaky": {"attempt": 3}}
    assert child.result.attempts == {"flaky": 3}
    assert Journal(tmp_path).lines == ["attempt 1", "attempt 2", "attempt 3"]


async def test_who_listens_to_errors_of_a_child_hears_of_them(runtime, tmp_path):
    def heard(stage, error):
        Journal(tmp_path).write(f"{stage}: {type(error).__name__}")

    listened = alone("listened", ends).build(
        execution=ExecutionConfig(mode=ExecutionMode.FAIL_FAST_BLOCKING, on_stage_error=heard)
    )
    runtime = knowing(runtime, listened)
    assert (await child_of(runtime, asking("listened", "raise"))).status is RunStatus.FAILED
    assert Journal(tmp_path).lines == ["listened: KeyError"]


async def test_a_child_that_cannot_be_set_up_is_a_failure_and_not_a_hang(runtime, tmp_path):
    class Unready:
        kind = "work"

        async def setup(self):
            Journal(tmp_path).write("setup")
            raise OSError("no model")

        async def execute(self, ctx):
            return None

    runtime = knowing(runtime, Pipeline("unready").with_stage("unready", Unready))
    child = await child_of(runtime, asking("unready"))
    assert (child.status, child.code) == (RunStatus.FAILED, "DEPLOYMENT-SETUP")
    assert "no model" in child.error
    assert child.data == {}
    assert Journal(tmp_path).lines == ["setup"]


# --- time -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("run_s", "child_s", "grandchild_s", "least"),
    [
        (None, 5000, 9000, 5000),
        (3000, None, None, 3000),
        (7000, 5000, 3000, 3000),
        (3000, 5000, None, 3000),
    ],
)
async def test_what_time_is_left_travels_down_to_every_generation(
    runtime, run_s, child_s, grandchild_s, least
):
    middle = alone("middle", asking("leaf", timeout=grandchild_s), timeout=LONG_S)
    runtime = knowing(runtime, alone("leaf", tell_time, timeout=LONG_S), middle)
    child = await child_of(runtime, asking("middle", timeout=child_s), timeout=run_s)
    left = child.data["middle"]["child"].data["leaf"]["left"]
    assert least - 1000 < left <= least


async def test_without_any_limit_there_is_none(runtime):
    unlimited = alone("parent", asking("leaf")).build(interceptors=[])
    leaf = alone("leaf", tell_time).build(interceptors=[])
    async with knowing(runtime, leaf).deploy(unlimited) as app:
        child = (await app.run())["parent"].data["child"]
    assert child.data == {"leaf": {"left": None}}


async def test_a_child_that_takes_too_long_is_stopped_before_its_end_is_told(runtime, tmp_path):
    limit_s = soon(runtime)

    async def parent(ctx):
        await ctx.spawn("waiter", "pass")  # it is up now
        child = await ctx.spawn("waiter", timeout=limit_s)
        return {"status": child.status, "code": child.code, "stopped": stopped(tmp_path)}

    answer = await answer_of(knowing(runtime, waiter(tmp_path)), parent)
    assert answer == {"status": "timed_out", "code": "RUN-TIMEOUT", "stopped": True}


async def test_a_stage_of_a_child_that_takes_too_long_is_a_timeout_of_the_child(runtime):
    runtime = knowing(runtime, alone("ends", ends, timeout=0.1))
    child = await child_of(runtime, asking("ends", "wait"))
    assert (child.status, child.code) == (RunStatus.TIMED_OUT, "STAGE-TIMEOUT")
    assert isinstance(child.result.failures["ends"].original, StageTimeoutError)


async def test_a_child_without_any_time_left_times_out(runtime):
    child = await child_of(knowing(runtime, alone("ends", ends)), asking("ends", timeout=0))
    assert (child.status, child.code) == (RunStatus.TIMED_OUT, "RUN-TIMEOUT")


# --- from a plain def -----------------------------------------------------------------------------


async def test_a_plain_def_spawns_through_a_loop_of_its_own(runtime):
    def parent(ctx):
        one = asyncio.run(ctx.spawn("ends", "one"))
        more = asyncio.run(ctx.spawn_many("ends", ["two", "raise"], concurrency=1))
        return {"children": [one, *more], "spawned": ctx.child_runs}

    answer = await answer_of(knowing(runtime, alone("ends", ends)), parent)
    one, two, three = answer["children"]
    assert (one.data["ends"]["text"], two.data["ends"]["text"]) == ("one", "two")
    assert isinstance(three.result.failures["ends"].original, KeyError)
    assert answer["spawned"] == 3
