"""A batch that raises, or returns nonsense: what becomes of each of its items."""

from __future__ import annotations

import asyncio

import pytest

from stageflow_actors import BatchStats, StageReturnTypeError
from tests.actors.batching import Scene, context_of, ends, texts, upper


@pytest.mark.parametrize("effects", ["none", "keyed"])
async def test_one_bad_item_of_sixteen_fails_alone(effects):
    scene = Scene(effects=effects)
    scene.body.bad = {"k"}
    names = "abcdefghijklmnop"
    outcomes = await ends(await scene.after_a_first(names))
    assert outcomes.pop(names.index("k")) is scene.body.error
    assert outcomes == upper(names.replace("k", ""))
    assert scene.body.calls[1:] == [
        [*names],
        [*"abcdefgh"],
        [*"ijklmnop"],
        [*"ijkl"],
        [*"ij"],
        [*"kl"],
        ["k"],
        ["l"],
        [*"mnop"],
    ]
    assert scene.batcher.counts == BatchStats(2, 17, 16, 4)


@pytest.mark.parametrize("effects", ["unknown", "once_only"])
async def test_a_batch_that_raised_is_not_repeated_where_its_effects_do_not_allow_that(effects):
    scene = Scene(effects=effects)
    scene.body.bad = {"c"}
    outcomes = await ends(await scene.after_a_first("abcd"))
    assert outcomes == [scene.body.error] * 4
    assert scene.body.calls == [["first"], [*"abcd"]]
    assert scene.batcher.counts.splits == 0


async def test_a_batch_of_one_that_raises_is_not_repeated():
    scene = Scene(effects="none")
    scene.body.bad = {"a"}
    assert await ends(await scene.after_a_first("a")) == [scene.body.error]
    assert scene.body.calls == [["first"], ["a"]]


@pytest.mark.parametrize("error", [SystemExit("no"), KeyboardInterrupt(), asyncio.CancelledError()])
async def test_what_is_no_ordinary_error_fails_all_and_is_not_repeated(error):
    scene = Scene(effects="none")
    scene.body.bad, scene.body.error = {"c"}, error
    outcomes = await ends(await scene.after_a_first("abcd"))
    assert [type(each) for each in outcomes] == [type(error)] * 4
    assert scene.body.calls == [["first"], [*"abcd"]]
    assert await scene.come("e") == {"text": "E"}


async def test_what_a_call_that_raised_has_said_counts_for_nothing():
    scene = Scene(effects="none")
    scene.body.bad = {"b"}

    def speak(ctxs):
        for ctx in ctxs:
            ctx.try_emit_event("embedded")
            ctx.add_artifact("embedding", 1)
        return [None for _ in ctxs]

    noisy = scene.body

    async def body(ctxs):
        speak(ctxs)
        return await noisy(ctxs)

    scene.batcher._body._body = body
    a, b, c = runs = await scene.after_a_first("abc")
    await ends(runs)
    assert [len(run.ctx.emitted) for run in (a, b, c)] == [1, 1, 1]
    assert [len(run.ctx.artifacts) for run in (a, b, c)] == [1, 1, 1]


async def test_an_exception_in_the_place_of_an_item_fails_that_one():
    scene = Scene(effects="none")
    error = LookupError("no such page")
    scene.body.returns = lambda ctxs: [
        error if ctx.snapshot.input_text == "b" else {"fine": True} for ctx in ctxs
    ]
    assert await ends(await scene.after_a_first("abc")) == [{"fine": True}, error, {"fine": True}]
    assert scene.body.calls == [["first"], [*"abc"]]


@pytest.mark.parametrize(
    ("returned", "said"),
    [
        ([], "0 outputs"),
        ([1, 2], "2 outputs"),
        ([1, 2, 3, 4], "4 outputs"),
        (None, "a NoneType"),
        ("abc", "a str"),
        ({"a": 1, "b": 2, "c": 3}, "a dict"),
        ((each for each in "abc"), "a generator"),
    ],
    ids=lambda value: value if isinstance(value, str) else type(value).__name__,
)
async def test_something_else_than_one_output_for_each_item_fails_them_all(returned, said):
    scene = Scene(effects="none")
    runs = [scene.come(name) for name in "abc"]
    scene.body.returns = lambda ctxs: returned
    scene.body.gate.set()
    for error in await ends(runs):
        assert isinstance(error, StageReturnTypeError)
        assert f"'embed' returned {said} for a batch of 3" in error.message
        assert error.hint
    assert scene.body.calls == [[*"abc"]]


async def test_a_body_that_cancels_its_own_task_takes_no_other_batch_along():
    async def body(ctxs):
        if "a" in texts(ctxs):
            asyncio.current_task().cancel()
            await asyncio.sleep(0)
        return upper(texts(ctxs))

    scene = Scene(body)
    (end,) = await ends([scene.come("a")])
    assert isinstance(end, asyncio.CancelledError)
    assert await scene.come("b") == {"text": "B"}


async def test_a_body_that_cancels_its_own_task_and_raises_is_called_again_all_the_same():
    async def body(ctxs):
        if "bad" in texts(ctxs):
            asyncio.current_task().cancel()
            raise LookupError
        await asyncio.sleep(0)
        return upper(texts(ctxs))

    scene = Scene(body, effects="none")
    bad, a = await ends([scene.come("bad"), scene.come("a")])
    assert isinstance(bad, LookupError)
    assert a == {"text": "A"}


async def test_each_item_fails_with_the_traceback_of_the_batch_and_not_with_those_of_others():
    scene = Scene()
    scene.body.bad = {"a"}
    scene.body.gate.set()

    async def depth_of(name):
        with pytest.raises(ValueError, match="bad") as raised:
            await scene.batcher.run(context_of(name))
        return len(raised.traceback)

    depths = await asyncio.gather(*map(depth_of, "abcd"))
    assert scene.body.calls == [[*"abcd"]]
    assert len(set(depths)) == 1
