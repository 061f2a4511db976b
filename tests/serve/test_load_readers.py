"""Clients that never read, and clients that go in the middle: what is held for them is bounded."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from contextlib import AsyncExitStack

import pytest
from websockets.asyncio.client import connect

from tests.serve.door import SOON, Door
from tests.serve.inside import Inside, counts, forget_peak, peak_bytes
from tests.serve.load_flows import PIECE, PIECES
from tests.serve.wire import EVENTS, Wire, read_late, unread
from tests.serving.live import until

pytestmark = pytest.mark.ray

MIB = 2**20
MOST_GROWTH = 100 * MIB
SETTINGS = SOON.model_copy(
    update={
        "max_stream_bytes": MIB,
        "max_streams_per_tenant": 1_000,
        "max_live_runs_per_tenant": 1_000,
        "max_tape_bytes": 8 * MIB,  # every run is kept whole until its stream is closed
        "max_kept_bytes": 2_000 * MIB,
        "heartbeat_s": 60.0,
        "patience_s": 60.0,  # no stream ends because this machine has other work to do
    }
)
RUNS = "/v1/pipelines/{}/runs"
AT_ONCE = 50


@pytest.fixture(scope="module")
def crowded(serve_session):
    served = Door(serve_session, "crowded")
    names = ("flooding", "dripping")
    served.deploy(
        pipelines={each: f"tests.serve.load_flows:{each}" for each in names}, settings=SETTINGS
    )
    yield served
    served.delete()


@pytest.fixture(scope="module")
def inside(crowded):
    """What is inside, once every way was taken: what is made then once stays."""
    for leave in (left_events, left_chat, left_socket):
        asyncio.run(leave(crowded))
    looking = Inside(crowded)
    until(lambda: not looking.runs("dripping")["live"], "the end of the first")
    return looking


class Growth:
    """By how much the processes in front grow together, at the most."""

    def __init__(self, inside: Inside) -> None:
        self._pids = {name: inside.pids[name] for name in ("replica", "proxy")}
        self._before = {name: forget_peak(pid) for name, pid in self._pids.items()}

    def check(self, what: str, capsys) -> None:
        grown = {name: peak_bytes(pid) - self._before[name] for name, pid in self._pids.items()}
        told = ", ".join(f"{name} {size / MIB:.0f} MiB" for name, size in grown.items())
        with capsys.disabled():
            print(f"\n{what}: grown by {told}")
        assert sum(grown.values()) <= MOST_GROWTH


def nothing_is_left(inside: Inside, before: Counter[str]) -> None:
    def is_gone() -> bool:
        nonlocal left
        left = inside.held() - before
        return not left

    left: Counter[str] = Counter()
    try:
        until(is_gone, "the end of all that was there for clients")
    except AssertionError:
        raise AssertionError(left) from None


# --- clients that never read ----------------------------------------------------------------------


@counts
async def test_streams_end_that_nobody_reads(crowded, inside, is_full, capsys):
    count = 200 if is_full else 20
    before, begun = inside.held(), inside.runs("flooding")["begun"]
    growth = Growth(inside)
    asking = (unread(crowded.url, RUNS.format("flooding"), {}, **EVENTS) for _ in range(count))
    connections = await asyncio.gather(*asking)

    def are_over() -> bool:
        runs = inside.runs("flooding")
        return runs["begun"] == begun + count and not runs["live"] and not inside.streams()

    until(are_over, "the end of every stream")
    if is_full:
        growth.check(f"{count} unread streams of {PIECE * PIECES / MIB:.0f} MiB", capsys)
    for connection in connections[:: count // 4]:
        came = await read_late(connection, b"0\r\n\r\n")
        assert b"event: stream.closed" in came
        assert MIB - 2 * PIECE < len(came) < MIB + 4 * PIECE
    for connection in connections:
        connection.close()
    nothing_is_left(inside, before)


@counts
async def test_stages_stand_still_for_sockets_that_give_no_credit(crowded, inside, is_full, capsys):
    count = 200 if is_full else 20
    before, growth = inside.held(), Growth(inside)
    window = SETTINGS.stream_window_bytes
    async with AsyncExitStack() as stack:
        sockets = [await stack.enter_async_context(socket(crowded)) for _ in range(count)]
        for each in sockets:
            await each.send(start("flooding", credit=0))
        until(lambda: are_behind(inside, count), "stages that are far ahead of their clients")
        held = inside.tape_sizes("flooding")
        assert len(held) == count, "none has gone on to its end"
        assert max(held) <= window + 2 * PIECE < PIECE * PIECES
        if is_full:
            growth.check(f"{count} sockets without credit", capsys)
        for each in sockets[::2]:
            each.transport.abort()
    nothing_is_left(inside, before)


def are_behind(inside: Inside, count: int) -> bool:
    held = inside.tape_sizes("flooding")
    return len(held) == count and min(held) > SETTINGS.stream_window_bytes


def socket(door: Door):
    headers = {"Authorization": "Bearer ada"}
    url = door.url.replace("http", "ws", 1) + "/v1/ws"
    return connect(url, additional_headers=headers, ping_interval=None)


def start(pipeline: str, credit: int) -> str:
    return json.dumps({"type": "start", "ref": "a", "pipeline": pipeline, "credit": credit})


# --- clients that go ------------------------------------------------------------------------------


async def left_events(door: Door) -> None:
    wire = Wire(door.url)
    await wire.ask(RUNS.format("dripping"), {}, EVENTS)
    await wire.read_past(b"stream.token")
    wire.drop()


async def left_chat(door: Door) -> None:
    wire = Wire(door.url)
    asked = {"model": "dripping", "messages": [{"role": "user", "content": "a"}], "stream": True}
    await wire.ask("/v1/chat/completions", asked, {})
    await wire.read_past(b'"drip"')
    wire.drop()


async def left_socket(door: Door) -> None:
    async with socket(door) as opened:
        await opened.send(start("dripping", credit=MIB))
        while "stream.token" not in await opened.recv():
            pass
        opened.transport.abort()


@counts
async def test_clients_that_go_leave_nothing_behind(crowded, inside, is_full):
    count = 1_000 if is_full else 30
    before, begun = inside.held(), inside.runs("dripping")["begun"]
    ways, turn = (left_events, left_chat, left_socket), asyncio.Semaphore(AT_ONCE)

    async def leave(number: int) -> None:
        async with turn:
            await ways[number % len(ways)](crowded)

    await asyncio.gather(*map(leave, range(count)))
    assert inside.runs("dripping")["begun"] == begun + count
    nothing_is_left(inside, before)
