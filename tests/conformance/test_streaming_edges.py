"""What streams must not do to others: to a batch, to what has ended, to what watches a stage."""

from __future__ import annotations

import asyncio

import pytest

from stageflow_actors import Batching, Pipeline, RunStatus, Timeouts
from tests.conformance.streaming_edges_stages import (
    FloodsTogether,
    FloodsTogetherInThread,
    SendsLate,
)


@pytest.mark.parametrize("body", [FloodsTogether, FloodsTogetherInThread])
async def test_a_run_that_is_cancelled_takes_no_other_of_its_batch_along(runtime, body):
    batching = Batching(max_batch_size=2, batch_wait_ms=60_000)
    pipeline = Pipeline().with_stage("flood", body, batching=batching)
    async with runtime.deploy(pipeline) as app:
        first, second = await app.start(), await app.start()
        unread, pieces = first.stream(), second.stream()
        heard = [(await anext(pieces)).data[0] for _piece in range(3)]  # then it waits for unread
        await first.cancel("enough")
        assert (await first.result()).status is RunStatus.CANCELLED
        heard += [piece.data[0] async for piece in pieces]
        assert (await second.result()).outputs["flood"].data["sent"] == 8
        await unread.aclose()
    assert heard == list(range(8))


@pytest.mark.parametrize("asks_late", [False, True], ids=["has its stream", "asks for one"])
async def test_nothing_is_sent_once_the_stage_has_ended(runtime, tmp_path, asks_late):
    config = {"folder": tmp_path, "asks_late": asks_late}
    pipeline = Pipeline().with_stage("late", SendsLate, config=config)
    async with runtime.deploy(pipeline) as app:
        await app.run()
        assert (await app.run())["late"].data["code"] == "STREAM-CLOSED"


async def test_each_piece_is_a_sign_of_life(run):
    async def talk(ctx):
        for number in range(10):
            await ctx.stream.send(number)
            await asyncio.sleep(0.05)

    limits = Timeouts(idle=0.25)
    assert (await run(Pipeline().with_stage("talk", talk, "agent", timeout=limits))).ok


async def test_who_begins_to_read_when_only_cleanups_are_left_leaves_nothing_behind(runtime):
    async def talk(ctx):
        await ctx.stream.send("word")

    async with runtime.deploy(Pipeline().with_stage("talk", talk, "agent")) as app:
        run = await app.start()
        begun, goes_on = asyncio.Event(), asyncio.Event()

        async def cleanup():
            begun.set()
            await goes_on.wait()

        run.on_cleanup(cleanup)
        await begun.wait()
        heard = [piece.data async for piece in run.stream()]  # no cleanup is waited for
        goes_on.set()
        result = await run.result()
        assert (await app.describe())["streams"]["open"] == 0
    assert heard == ["word"]
    assert not result.cleanup_failures


async def test_a_stage_that_sends_without_ever_waiting_lets_the_loop_turn(run):
    async def flood(ctx):
        turns = 0

        async def count():
            nonlocal turns
            while True:
                turns += 1
                await asyncio.sleep(0)

        counting = asyncio.create_task(count())
        for number in range(10):
            await ctx.stream.send(number)
        counting.cancel()
        return {"turns": turns}

    result = await run(Pipeline().with_stage("flood", flood, "agent"))
    assert result.outputs["flood"].data["turns"] > 0
