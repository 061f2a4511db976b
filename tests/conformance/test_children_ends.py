"""Whatever ends a stage ends the children that it has spawned, and the verdict waits for them."""

from __future__ import annotations

import asyncio
import uuid

import pytest

from stageflow_actors import (
    AuthContext,
    AuthenticationError,
    AuthInterceptor,
    Pipeline,
    RunStatus,
    Settings,
    get_default_interceptors,
)
from tests.conformance.crossing import Gate, Journal
from tests.conformance.failing_stages import at_once
from tests.conformance.parents import (
    LONG_S,
    alone,
    answer_of,
    asking,
    knowing,
    result_of,
    soon,
    stopped,
    waiter,
    waiter_runs,
)
from tests.conformance.stages import After

PATIENT = Settings(grace_s=10)
"""Where a body takes longer to heed a stop because the other processes are slow."""


def waiting(folder):
    """The body of a stage that waits for a child, and writes down that it was stopped itself."""

    async def wait(ctx):
        try:
            await ctx.spawn("waiter", timeout=LONG_S)
        finally:
            Journal(folder).write(f"parent stopped {ctx.is_cancelled}")

    return wait


# --- with the stage -------------------------------------------------------------------------------


async def test_a_cancel_from_outside_ends_the_children_before_the_verdict(runtime, tmp_path):
    runtime = knowing(runtime, waiter(tmp_path), settings=PATIENT)
    async with runtime.deploy(alone("parent", waiting(tmp_path))) as app:
        handle = await app.start()
        await waiter_runs(tmp_path)
        await handle.cancel("enough")
        result = await handle.result()
        counts = (await app.describe())["child_runs"]
    assert sorted(Journal(tmp_path).lines) == ["parent stopped True", "waiter cleaned up"]
    assert (result.status, result.reason) == (RunStatus.CANCELLED, "enough")
    assert (counts["spawned"], counts["cancelled"], counts["live"]) == (1, 1, 0)


async def test_a_cancel_goes_down_to_every_generation(runtime, tmp_path):
    middle = alone("middle", asking("waiter"))
    runtime = knowing(runtime, waiter(tmp_path), middle, settings=PATIENT)
    async with runtime.deploy(alone("parent", asking("middle"))) as app:
        handle = await app.start()
        await waiter_runs(tmp_path)
        await handle.cancel("enough")
        assert (await handle.result()).status is RunStatus.CANCELLED
    assert Journal(tmp_path).lines == ["waiter cleaned up"]


async def test_a_stage_that_takes_too_long_takes_its_children_along(runtime, tmp_path):
    pipeline = (
        Pipeline()
        .with_stage("warm", asking("waiter", "pass"), "work")
        .with_stage("parent", waiting(tmp_path), "work", "warm", timeout=soon(runtime))
    )
    async with knowing(runtime, waiter(tmp_path), settings=PATIENT).deploy(pipeline) as app:
        result = await (await app.start()).result()
    assert (result.status, result.stage) == (RunStatus.TIMED_OUT, "parent")
    assert "waiter cleaned up" in Journal(tmp_path).lines


async def test_the_time_of_the_run_is_up_for_the_children_too(runtime, tmp_path):
    runtime = knowing(runtime, waiter(tmp_path), settings=PATIENT)
    async with runtime.deploy(alone("parent", waiting(tmp_path))) as app:
        await app.run(input_text="pass")
        result = await (await app.start(timeout=soon(runtime))).result()
    assert result.status is RunStatus.TIMED_OUT
    assert "waiter cleaned up" in Journal(tmp_path).lines


async def test_a_failure_beside_the_stage_ends_its_children(runtime, tmp_path):
    bad = {"folder": tmp_path, "gate": "waiter-runs", "then": "raise"}
    pipeline = (
        Pipeline()
        .with_stage("parent", waiting(tmp_path), "work")
        .with_stage("bad", After, config=bad)
    )
    async with knowing(runtime, waiter(tmp_path), settings=PATIENT).deploy(pipeline) as app:
        result = await (await app.start()).result()
    assert (result.status, result.stage) == (RunStatus.FAILED, "bad")
    assert sorted(Journal(tmp_path).lines) == ["parent stopped True", "waiter cleaned up"]


async def test_a_stage_that_fails_takes_the_children_along_that_it_did_not_wait_for(
    runtime, tmp_path
):
    kept = []

    async def parent(ctx):
        kept.append(asyncio.ensure_future(ctx.spawn("waiter", timeout=LONG_S)))
        await waiter_runs(tmp_path)
        raise LookupError("my own")

    result = await result_of(knowing(runtime, waiter(tmp_path)), parent)
    assert isinstance(result.failures["parent"].original, LookupError)
    assert stopped(tmp_path)


async def test_a_child_that_nobody_waits_for_ends_with_its_stage(runtime, tmp_path):
    kept = []

    async def parent(ctx):
        kept.append(asyncio.ensure_future(ctx.spawn("waiter", timeout=LONG_S)))
        await waiter_runs(tmp_path)
        return {"done": True}

    async with knowing(runtime, waiter(tmp_path)).deploy(alone("parent", parent)) as app:
        handle = await app.start()
        result = await handle.result()
        was_stopped = stopped(tmp_path)
        told = [event async for event in handle.events()]
    assert (result.status, result.outputs["parent"].data) == (RunStatus.OK, {"done": True})
    assert was_stopped
    (end,) = [event.data for event in told if event.type == "pipeline.child_cancelled"]
    assert end["error_message"] == "the stage that started it has ended"


async def test_the_next_attempt_begins_when_the_children_of_the_last_have_ended(runtime, tmp_path):
    kept = []

    async def parent(ctx):
        if ctx.attempt == 2:
            return {"stopped": stopped(tmp_path)}
        kept.append(asyncio.ensure_future(ctx.spawn("waiter", timeout=LONG_S)))
        await waiter_runs(tmp_path)
        raise ConnectionError("once more")

    pipeline = alone("parent", parent, retry=at_once(2))
    async with knowing(runtime, waiter(tmp_path)).deploy(pipeline) as app:
        assert (await app.run())["parent"].data == {"stopped": True}


async def test_closing_ends_the_children(runtime, tmp_path):
    runtime = knowing(runtime, waiter(tmp_path), settings=PATIENT)
    async with runtime.deploy(alone("parent", waiting(tmp_path))) as app:
        handle = await app.start()
        await waiter_runs(tmp_path)
    assert stopped(tmp_path)
    assert (await handle.result()).status is RunStatus.CANCELLED


async def test_a_plain_def_is_told_of_the_end_of_its_child(runtime, tmp_path):
    def parent(ctx):
        child = asyncio.run(ctx.spawn("waiter", timeout=LONG_S))
        return {"status": child.status, "stopped": stopped(tmp_path)}

    runtime = knowing(runtime, waiter(tmp_path), settings=PATIENT)
    async with runtime.deploy(alone("parent", parent)) as app:
        handle = await app.start()
        await waiter_runs(tmp_path)
        await handle.cancel("enough")
        result = await handle.result()
    assert result.status is RunStatus.CANCELLED
    assert result.outputs["parent"].data == {"status": "cancelled", "stopped": True}


# --- with whoever waits for the child -------------------------------------------------------------


async def test_a_child_that_is_given_up_has_ended_when_that_is_told(runtime, tmp_path):
    async def parent(ctx):
        waiting = asyncio.ensure_future(ctx.spawn("waiter", timeout=LONG_S))
        await waiter_runs(tmp_path)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        return {"stopped": stopped(tmp_path), "told to stop": ctx.is_cancelled}

    answer = await answer_of(knowing(runtime, waiter(tmp_path)), parent)
    assert answer == {"stopped": True, "told to stop": False}


async def test_a_limit_around_a_child_ends_it(runtime, tmp_path):
    limit_s = soon(runtime)

    async def parent(ctx):
        await ctx.spawn("waiter", "pass")  # it is up now
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(ctx.spawn("waiter", timeout=LONG_S), limit_s)
        return {"stopped": stopped(tmp_path)}

    answer = await answer_of(knowing(runtime, waiter(tmp_path)), parent)
    assert answer == {"stopped": True}


async def test_a_child_that_is_given_up_at_once_ends_too(runtime, tmp_path):
    async def parent(ctx):
        await ctx.spawn("waiter", "pass")  # it is up now
        ends = []
        for turns in (0, *range(1, 9), *range(1, 9), 13, 21):
            waiting = asyncio.ensure_future(ctx.spawn("waiter", timeout=LONG_S))
            for _turn in range(turns):
                await asyncio.sleep(0)
            waiting.cancel()
            await asyncio.wait({waiting})
            ends.append(waiting.cancelled())
        return {"cancelled": ends}

    pipeline = alone("parent", parent, timeout=LONG_S)
    async with knowing(runtime, waiter(tmp_path)).deploy(pipeline) as app:
        results = await app.run(timeout=60)
        counts = (await app.describe())["child_runs"]
    assert set(results["parent"].data["cancelled"]) == {True}
    assert (counts["ok"], counts["live"]) == (1, 0)
    assert counts["cancelled"] == counts["spawned"] - 1 > 0


async def test_who_is_given_up_while_its_child_is_being_set_up_does_not_wait_for_that(
    runtime, tmp_path
):
    class Slow:
        kind = "work"

        async def setup(self):
            Gate(tmp_path, "setting-up").open()
            await Gate(tmp_path, "go-on").opened()

        async def execute(self, ctx):
            Journal(tmp_path).write("executed")

    runtime = knowing(runtime, Pipeline("slow").with_stage("slow", Slow), settings=PATIENT)
    async with runtime.deploy(alone("parent", asking("slow"))) as app:
        handle = await app.start()
        await Gate(tmp_path, "setting-up").opened()
        await handle.cancel("enough")
        result = await handle.result()
        counts = (await app.describe())["child_runs"]
        Gate(tmp_path, "go-on").open()
    assert result.status is RunStatus.CANCELLED
    assert (counts["cancelled"], counts["live"]) == (1, 0)
    assert Journal(tmp_path).lines == []


class SlowVerifier:
    """Knows every token but one, which it refuses when the waiter runs."""

    def __init__(self, folder):
        self.folder = folder

    async def verify(self, token):
        if token == "bad":
            await waiter_runs(self.folder)
            raise AuthenticationError("bad is unknown")
        return AuthContext(user_id=uuid.uuid4(), org_id=uuid.uuid4())


async def test_what_raises_for_one_of_many_ends_the_others_first(runtime, tmp_path):
    async def parent(ctx):
        given = [{"_auth_token": token} for token in ("good", "bad", "fine")]
        with pytest.raises(AuthenticationError):
            await ctx.spawn_many("waiter", given)
        return {"stopped": Journal(tmp_path).lines}

    checks = [*get_default_interceptors(), AuthInterceptor(SlowVerifier(tmp_path))]
    runtime = knowing(runtime, waiter(tmp_path).build(interceptors=checks))
    pipeline = alone("parent", parent, timeout=LONG_S)
    async with runtime.deploy(pipeline) as app:
        answer = (await app.run())["parent"].data
        counts = (await app.describe())["child_runs"]
    assert set(answer["stopped"]) == {"waiter cleaned up"}
    assert (counts["cancelled"], counts["live"]) == (counts["spawned"], 0)


# --- effects --------------------------------------------------------------------------------------


async def test_effects_of_children_of_a_repeated_stage_are_the_same_again(runtime, tmp_path):
    async def pay(ctx):
        Journal(tmp_path).write(ctx.effect_key)

    async def parent(ctx):
        Journal(tmp_path).write(ctx.effect_key)
        for _ in range(2):
            await ctx.spawn("pay")
        if ctx.attempt == 1:
            raise ConnectionError("once more")

    pipeline = alone("parent", parent, retry=at_once(2))
    async with knowing(runtime, alone("pay", pay)).deploy(pipeline) as app:
        await app.run()
        keys = Journal(tmp_path).lines
        await app.run()
        of_another_run = Journal(tmp_path).lines[6:]
    assert keys[:3] == keys[3:]
    assert len(set(keys)) == 3
    assert not set(keys) & set(of_another_run)
