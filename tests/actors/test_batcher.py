"""Executions that wait for each other: who goes into a batch, and who calls the body with it."""

from __future__ import annotations

import asyncio
import contextvars
import threading

import pytest

from stageflow_actors import BatchStats, PolicyError, RunPriority
from stageflow_actors.model.signs import SignsOfLife
from tests.actors.batching import Scene, ends, texts, upper
from tests.actors.desks import turns

YEAR_MS = 1000.0 * 365 * 24 * 3600


# --- batches --------------------------------------------------------------------------------------


async def test_a_lone_item_is_executed_at_once_however_long_a_batch_may_wait():
    scene = Scene(batch_wait_ms=YEAR_MS)
    run = scene.come("a")
    await turns()
    assert scene.body.calls == [["a"]]
    scene.body.gate.set()
    assert await run == {"text": "A"}


async def test_what_comes_in_the_same_turn_goes_together():
    scene = Scene()
    scene.body.gate.set()
    await asyncio.gather(scene.come("a"), scene.come("b"))
    assert scene.body.calls == [["a", "b"]]


async def test_what_came_while_a_batch_ran_goes_together_in_order_each_with_its_own_result():
    scene = Scene(max_batch_size=4)
    runs = await scene.after_a_first("abcdefg")
    assert await ends(runs) == upper("abcdefg")
    assert scene.body.calls == [["first"], [*"abcd"], [*"efg"]]
    assert scene.batcher.counts == BatchStats(3, 8, 4, 0)


async def test_after_a_batch_the_next_one_waits_until_it_is_full():
    scene = Scene(max_batch_size=2, batch_wait_ms=YEAR_MS)
    (a,) = await scene.after_a_first("a")
    await turns()
    assert scene.body.calls == [["first"]]
    b = scene.come("b")
    assert await ends([a, b]) == upper("ab")
    assert scene.body.calls == [["first"], ["a", "b"]]


async def test_after_a_batch_the_next_one_waits_so_long_and_no_longer():
    scene = Scene(batch_wait_ms=1)
    assert await ends(await scene.after_a_first("ab")) == upper("ab")


async def test_weights_bound_a_batch_and_what_is_too_heavy_goes_alone():
    scene = Scene(batch_size_fn=lambda ctx: len(ctx.snapshot.input_text), max_batch_weight=5)
    names = ["aaa", "bb", "c", "dddddddd", "e"]
    assert await ends(await scene.after_a_first(names)) == upper(names)
    assert scene.body.calls[1:] == [["aaa", "bb"], ["c"], ["dddddddd"], ["e"]]


@pytest.mark.parametrize("weight", [-1, float("nan"), None, "heavy"], ids=repr)
async def test_an_item_without_a_weight_fails_alone(weight):
    weights = {"a": 1, "b": weight, "c": 1}
    scene = Scene(batch_size_fn=lambda ctx: weights[ctx.snapshot.input_text], max_batch_weight=5)
    scene.body.gate.set()
    a, b, c = await ends([scene.come(name) for name in "abc"])
    assert [a, c] == upper("ac")
    assert isinstance(b, PolicyError)
    assert "batch_size_fn of stage 'embed' returned" in b.message


async def test_interactive_runs_go_before_background_ones():
    scene = Scene(max_batch_size=2)
    first = scene.come("first")
    await turns()
    slow = [scene.come(name, priority=RunPriority.BACKGROUND) for name in "xy"]
    quick = [scene.come(name) for name in "ab"]
    await turns()
    scene.body.gate.set()
    await ends([first, *slow, *quick])
    assert scene.body.calls[1:] == [["a", "b"], ["x", "y"]]


async def test_an_item_shows_a_sign_of_life_when_its_batch_begins():
    scene = Scene()
    signs = SignsOfLife()
    signs.seen_at = signs.heartbeat_at = 0.0
    scene.body.gate.set()
    await scene.come("a", signs=signs)
    assert min(signs.seen_at, signs.heartbeat_at) > 0


async def test_a_batch_sees_nothing_that_one_of_its_runs_has_in_its_context():
    of_a_run = contextvars.ContextVar("of_a_run", default=None)
    seen = []

    async def body(ctxs):
        seen.append(of_a_run.get())
        of_a_run.set("left behind")
        return [None for _ in ctxs]

    scene = Scene(body)
    for name in "ab":
        of_a_run.set(name)
        await scene.come(name)
    assert seen == [None, None]


# --- plain defs -----------------------------------------------------------------------------------


async def test_a_plain_def_is_called_in_a_thread():
    threads = []

    def body(ctxs):
        threads.append(threading.current_thread())
        return upper(texts(ctxs))

    scene = Scene(body, is_blocking=True)
    assert await ends([scene.come(name) for name in "ab"]) == upper("ab")
    assert len(threads) == 1
    assert threads[0] is not threading.main_thread()
    scene.batcher.close()


async def test_a_plain_def_may_return_something_to_await():
    async def later(ctxs):
        return upper(texts(ctxs))

    scene = Scene(lambda ctxs: later(ctxs), is_blocking=True)
    assert await scene.come("a") == {"text": "A"}
    scene.batcher.close()


async def test_the_end_of_a_plain_def_is_waited_for_when_its_last_item_has_left():
    began, gate = threading.Event(), threading.Event()
    calls = []

    def body(ctxs):
        calls.append(texts(ctxs))
        began.set()
        gate.wait()
        return upper(texts(ctxs))

    scene = Scene(body, is_blocking=True)
    a = scene.come("a")
    await asyncio.to_thread(began.wait)
    b = scene.come("b")
    a.cancel()
    await turns()
    assert (a.done(), calls) == (False, [["a"]])
    gate.set()
    assert await b == {"text": "B"}
    assert isinstance((await ends([a]))[0], asyncio.CancelledError)
    scene.batcher.close()
