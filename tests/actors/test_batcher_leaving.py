"""Items whose runs are told to stop, batches that nobody waits for, and the end of it all."""

from __future__ import annotations

import asyncio

from stageflow_actors import StageDownError
from tests.actors.batching import Scene, ends, texts, upper
from tests.actors.desks import turns


async def test_who_leaves_before_the_batch_begins_is_not_in_it():
    scene = Scene()
    first = scene.come("first")
    await turns()
    a, b, c = (scene.come(name) for name in "abc")
    await turns()
    b.cancel()
    await turns()
    assert b.cancelled()
    scene.body.gate.set()
    assert await ends([first, a, c]) == upper(["first", "a", "c"])
    assert scene.body.calls == [["first"], ["a", "c"]]


async def test_who_leaves_during_the_batch_leaves_at_once_and_the_others_get_their_results():
    scene = Scene()
    a, b, c = (scene.come(name) for name in "abc")
    await turns()
    b.cancel()
    await turns()
    assert b.cancelled()
    assert scene.body.live == 1
    scene.body.gate.set()
    assert await ends([a, c]) == upper("ac")
    assert (scene.body.calls, scene.body.stopped) == ([[*"abc"]], [])


async def test_a_batch_that_everybody_has_left_is_stopped_and_its_end_waited_for():
    scene = Scene()
    a, b = scene.come("a"), scene.come("b")
    await turns()
    c = scene.come("c")
    a.cancel()
    await turns()
    assert scene.body.stopped == []
    b.cancel()
    await ends([a, b])
    assert scene.body.stopped == [["a", "b"]]
    scene.body.gate.set()
    assert await c == {"text": "C"}


async def test_a_batch_that_is_stopped_before_it_begins_keeps_nobody_waiting():
    scene = Scene()
    scene.body.gate.set()
    a = scene.come("a")
    while scene.batcher._batch is None:
        await asyncio.sleep(0)
    a.cancel()
    assert await scene.come("b") == {"text": "B"}
    assert isinstance((await ends([a]))[0], asyncio.CancelledError)


async def test_the_end_of_the_event_loop_ends_who_waits_for_a_batch_that_has_not_begun():
    scene = Scene()
    a = scene.come("a")
    while scene.batcher._batch is None:
        await asyncio.sleep(0)
    scene.batcher._batch.task.cancel()  # as ``asyncio.run`` does with every task
    assert isinstance((await ends([a]))[0], asyncio.CancelledError)
    assert scene.body.calls == []


async def test_who_has_left_is_not_called_again_with_the_others_of_a_batch_that_raised():
    scene = Scene(effects="none")
    runs = [scene.come(name) for name in "abcd"]
    await turns()
    runs[1].cancel()
    await turns()
    scene.body.bad = {"b"}
    scene.body.gate.set()
    await ends(runs)
    assert scene.body.calls == [[*"abcd"], ["a"], [*"cd"]]


async def test_a_body_that_does_not_stop_is_waited_for_until_it_is_given_up():
    deaf = asyncio.Event()

    async def body(ctxs):
        while "deaf" in texts(ctxs) and not deaf.is_set():
            try:
                await deaf.wait()
            except asyncio.CancelledError:
                continue
        return upper(texts(ctxs))

    scene = Scene(body)
    stuck = scene.come("deaf")
    await turns()
    a = scene.come("a")
    stuck.cancel()
    await turns()
    assert not a.done()
    scene.batcher.give_up()
    assert await a == {"text": "A"}
    assert not stuck.done()
    deaf.set()
    await ends([stuck])
    assert await scene.come("b") == {"text": "B"}


async def test_giving_up_somebody_leaves_a_batch_alone_that_others_wait_for():
    scene = Scene()
    a = scene.come("a")
    await turns()
    scene.batcher.give_up()
    b = scene.come("b")
    await turns()
    assert scene.body.calls == [["a"]]
    scene.body.gate.set()
    assert await ends([a, b]) == upper("ab")


async def test_closing_fails_who_waits_and_stops_what_is_executed():
    scene = Scene()
    a = scene.come("a")
    await turns()
    b = scene.come("b")
    await turns()
    scene.batcher.close()
    for error in await ends([a, b, scene.come("c")]):
        assert isinstance(error, StageDownError)
    await turns()
    assert (scene.body.stopped, scene.body.calls) == ([["a"]], [["a"]])
