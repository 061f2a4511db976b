"""What stages stream out: it arrives in order while they go on, and holds up nobody for nothing."""

from __future__ import annotations

import asyncio

import numpy as np
import pytest

from stageflow_actors import (
    Audience,
    Pipeline,
    RetryPolicy,
    RunStatus,
    StreamError,
)
from tests.conformance.crossing import Gate
from tests.conformance.streaming_stages import (
    KIB,
    FailsAtFirst,
    SaysThenWaits,
    blocks,
    cyclic,
    flood,
    flood_in_thread,
    flood_on_a_loop_of_its_own,
    for_nobody,
    too_large,
    unpicklable,
)


async def all_of(run, audience=None):
    return [piece async for piece in run.stream(audience)]


async def test_pieces_arrive_while_their_stage_goes_on_also_in_a_later_one(runtime, tmp_path):
    pipeline = (
        Pipeline("talk")
        .with_stage("first", SaysThenWaits, config={"folder": tmp_path, "word": "one"})
        .with_stage(
            "then", SaysThenWaits, dependencies="first", config={"folder": tmp_path, "word": "two"}
        )
    )
    async with runtime.deploy(pipeline) as app:
        run = await app.start()
        heard = []
        async for piece in run.stream():
            heard.append((piece.seq, piece.stage, piece.attempt, piece.data))
            Gate(tmp_path, piece.data).open()
        result = await run.result()
    assert heard == [(1, "first", 1, "one"), (2, "then", 1, "two")]
    assert result.ok


async def test_text_data_bytes_and_arrays_arrive_as_they_were_sent_and_read_only(runtime):
    async def mixed(ctx):
        data, array = {"n": [1]}, np.arange(4)
        await ctx.stream.send("text \N{SNOWMAN}")
        await ctx.stream.send(data)
        await ctx.stream.send(b"\x00\xff")
        await ctx.stream.send(array)
        data["n"].append(2)
        array[:] = 0

    async with runtime.deploy(Pipeline().with_stage("mixed", mixed, "agent")) as app:
        text, data, raw, array = [piece.data for piece in await all_of(await app.start())]
    assert (text, data, raw) == ("text \N{SNOWMAN}", {"n": [1]}, b"\x00\xff")
    assert array.tolist() == [0, 1, 2, 3]
    with pytest.raises(TypeError):
        data["n"].append(3)
    with pytest.raises(ValueError, match="read-only"):
        array[0] = 9


async def test_a_reader_gets_the_pieces_for_its_audience_in_the_order_sent(runtime):
    async def talk(ctx):
        for number in range(9):
            await ctx.stream.send(number, audience=list(Audience)[number % 3])

    async with runtime.deploy(Pipeline().with_stage("talk", talk, "agent")) as app:
        heard = {
            audience: [piece.data for piece in await all_of(await app.start(), audience)]
            for audience in ("user", Audience.INTERNAL, "background", None)
        }
    assert heard == {"user": [0, 3, 6], "internal": [1, 4, 7], "background": [2, 5, 8],
                     None: list(range(9))}  # fmt: skip


async def test_every_piece_is_an_event(runtime):
    async def talk(ctx):
        await ctx.stream.send("ab")
        await ctx.stream.send("c", audience="internal")

    async with runtime.deploy(Pipeline().with_stage("talk", talk, "agent")) as app:
        run = await app.start()
        await run.result()
        told = [event async for event in run.events() if event.type == "stream.token"]
    assert [(event.stage, event.data["index"], event.data["audience"]) for event in told] == [
        ("talk", 1, "user"),
        ("talk", 2, "internal"),
    ]
    assert all(event.data["bytes"] > 0 for event in told)
    assert "ab" not in repr(told)


FLOODS = [flood, flood_in_thread, flood_on_a_loop_of_its_own]


@pytest.mark.parametrize("body", FLOODS)
async def test_a_stage_waits_for_a_reader_that_is_behind_and_goes_on_with_it(runtime, body):
    async with runtime.deploy(Pipeline().with_stage("flood", body, "agent")) as app:
        slow = await app.start()
        pieces = slow.stream()  # read from now on, but not yet
        unread = await app.start()
        assert (await unread.result()).ok  # nobody reads it: it waits for nothing
        assert not slow.is_done
        assert [piece.data[0] async for piece in pieces] == list(range(20))
        assert (await slow.result()).outputs["flood"].data["sent"] == 20


async def test_without_a_reader_the_last_pieces_are_held_and_older_ones_dropped_and_counted(
    runtime,
):
    async def talk(ctx):
        for number in range(20):
            await ctx.stream.send(bytes([number]) * 8 * KIB)

    async with runtime.deploy(Pipeline().with_stage("talk", talk, "agent")) as app:
        run = await app.start()
        assert (await run.result()).ok
        heard = [piece.seq async for piece in run.stream()]
        streams = (await app.describe())["streams"]
        dropped = [
            e.data["dropped"] async for e in run.events() if e.type == "stream.chunk_dropped"
        ]
    assert heard == list(range(14, 21))
    assert streams == {"open": 0, "pieces": 20, "dropped": 13}
    assert sum(dropped) == 13


async def test_a_reader_that_leaves_is_told_of_once_and_holds_nobody(runtime):
    async with runtime.deploy(Pipeline().with_stage("flood", flood, "agent")) as app:
        run = await app.start()
        pieces = run.stream()
        assert (await anext(pieces)).data[0] == 0
        await pieces.aclose()
        assert (await run.result()).ok
        types = [event.type async for event in run.events()]
        assert (await app.describe())["streams"]["open"] == 0
    assert types.count("stream.disconnect") == 1
    assert types.count("stream.token") == 20


async def closed(pieces):
    await pieces.aclose()


async def forgotten(pieces):
    pass


async def cancelled(pieces):
    async def read():
        return [piece async for piece in pieces]

    reading = asyncio.ensure_future(read())
    reading.cancel()
    await asyncio.wait({reading})


@pytest.mark.parametrize("end", [closed, forgotten, cancelled])
async def test_a_reader_that_ends_before_its_first_piece_has_left_too(runtime, end):
    async with runtime.deploy(Pipeline().with_stage("flood", flood, "agent")) as app:
        run = await app.start()
        await end(run.stream())
        assert (await run.result()).ok
        types = [event.type async for event in run.events()]
    assert types.count("stream.disconnect") == 1


@pytest.mark.parametrize("body", FLOODS)
async def test_a_stage_that_waits_for_its_reader_is_cancelled_at_once(runtime, body):
    async with runtime.deploy(Pipeline().with_stage("flood", body, "agent")) as app:
        run = await app.start()
        pieces = run.stream()
        await anext(pieces)
        await run.cancel("enough")
        result = await run.result()
        rest = [piece async for piece in pieces]
    assert (result.status, result.reason) == (RunStatus.CANCELLED, "enough")
    assert "flood" not in result.outputs
    assert len(rest) < 19


def no_more():
    raise LookupError("its class is gone")


class Gone:
    """Pickles, and cannot be opened."""

    def __reduce__(self):
        return no_more, ()


async def test_a_piece_that_cannot_be_read_is_the_readers_error_and_not_the_runs(runtime):
    async def talk(ctx):
        await ctx.stream.send("word")
        await ctx.stream.send(Gone())

    async with runtime.deploy(Pipeline().with_stage("talk", talk, "agent")) as app:
        run = await app.start()
        pieces = run.stream()
        assert (await anext(pieces)).data == "word"
        with pytest.raises(StreamError, match=r"Piece 2 .* 'talk', .* LookupError: its class is g"):
            await anext(pieces)
        assert (await run.result()).ok


async def test_pieces_of_another_attempt_say_so(runtime):
    policy = RetryPolicy(max_attempts=2)
    pipeline = Pipeline().with_stage("again", FailsAtFirst, retry=policy)
    async with runtime.deploy(pipeline) as app:
        heard = [(piece.attempt, piece.data) for piece in await all_of(await app.start())]
    assert heard == [(1, "attempt 1"), (2, "attempt 2")]


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (unpicklable, "STREAM-PIECE"),
        (cyclic, "STREAM-PIECE"),
        (too_large, "STREAM-TOO-LARGE"),
        (for_nobody, "STREAM-AUDIENCE"),
        (blocks, "STREAM-BLOCKING"),
    ],
)
async def test_a_piece_that_cannot_be_sent_is_the_stages_error_with_a_code(run, body, code):
    result = await run(Pipeline().with_stage("bad", body, "agent"))
    assert result.failures["bad"].code == code


async def test_a_run_has_one_reader_and_knows_its_audiences(runtime):
    async with runtime.deploy(Pipeline().with_stage("flood", flood, "agent")) as app:
        run = await app.start()
        with pytest.raises(StreamError) as unknown:
            run.stream("everybody")
        pieces = run.stream()
        with pytest.raises(StreamError) as taken:
            run.stream()
        assert len([piece async for piece in pieces]) == 20
    assert (unknown.value.code, taken.value.code) == ("STREAM-AUDIENCE", "STREAM-TAKEN")
