"""One Serve, in the mode that the environment says: ``python -m tests.benchmarks.door_session``.

Prints what was measured as one line of JSON: by measure, a list of [ours, by hand, nothing].
"""

from __future__ import annotations

import asyncio
import json
import socket
import statistics
import sys
import time
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

from ray import serve

from stageflow_actors.serving.app import build_app
from stageflow_actors.serving.replicas.served_app import ServedApp
from tests.benchmarks.http_client import Connection
from tests.benchmarks.serve_peers import CHUNKS, Nothing, by_hand
from tests.benchmarks.sessions import end_ray, start_ray

FULL, QUICK = "full", "quick"
_STAGES, _AT_ONCE = 4, 50
_BODY = {"input_text": "w"}
_OURS = "/ours/v1/pipelines/{}/runs"
_EVENTS = "Accept: text/event-stream\r\n"
Measures = dict[str, list[list[float]]]


class Amount(NamedTuple):
    """How many make one turn: requests together, lone ones, lone streams, streams together."""

    together: int
    lone: int
    streams: int
    streams_together: int = 8


_WARM_UP = {FULL: Amount(300, 25, 3), QUICK: Amount(60, 5, 1, streams_together=1)}
_TURN = {FULL: Amount(300, 25, 3), QUICK: Amount(120, 10, 2)}


async def measure(port: int, pairs: int, effort: str) -> Measures:
    """Everything by turns: ours, by hand, and for requests an ingress that does nothing."""
    paths = [_OURS.format("four"), "/hand/", "/nothing/"]
    streams: list[tuple[str, Any, str]] = [
        (_OURS.format("talking"), _BODY, _EVENTS),
        ("/hand/", {"stream": True}, ""),
    ]
    found: Measures = {}
    connect = partial(Connection, "127.0.0.1", port)
    for turn, of_each in enumerate([_WARM_UP[effort], *[_TURN[effort]] * pairs]):
        together = [await _together(connect, path, of_each.together) for path in paths]
        lone = [await _lone(connect, path, of_each.lone) for path in paths]
        streamed = [await _streamed(connect, of_each, *each) for each in streams]
        if not turn:
            continue  # to warm up
        told = {
            "requests/s": [each[0] for each in together],
            "P99 ms": [each[1] for each in together],
            "lone P50 ms": lone,
            "first chunk ms": [each[0] for each in streamed],
            "chunks/s": [each[1] for each in streamed],
        }
        for name, values in told.items():
            found.setdefault(name, []).append(values)
    return found


async def _together(
    connect: Callable[[], Connection], path: str, requests: int
) -> tuple[float, float]:
    """Requests in a second with so many clients, and the 99th percentile in milliseconds."""
    took: list[float] = []

    async def client() -> None:
        connection = connect()
        while len(took) < requests:
            began = time.perf_counter()
            await connection.post(path, _BODY)
            took.append(time.perf_counter() - began)
        await connection.close()

    began = time.perf_counter()
    await asyncio.gather(*(client() for _ in range(_AT_ONCE)))
    rate = len(took) / (time.perf_counter() - began)
    return rate, sorted(took)[int(0.99 * len(took))] * 1e3


async def _lone(connect: Callable[[], Connection], path: str, requests: int) -> float:
    connection, took = connect(), []
    for _ in range(requests):
        began = time.perf_counter()
        await connection.post(path, _BODY)
        took.append(time.perf_counter() - began)
    await connection.close()
    return statistics.median(took) * 1e3


async def _streamed(
    connect: Callable[[], Connection], amount: Amount, path: str, body: Any, headers: str
) -> tuple[float, float]:
    """Milliseconds to the first piece of one stream, and pieces in a second of several at once."""
    firsts = [await _pieces(connect(), path, body, headers) for _ in range(amount.streams)]
    count = amount.streams_together
    began = time.perf_counter()
    await asyncio.gather(*(_pieces(connect(), path, body, headers) for _ in range(count)))
    return statistics.median(firsts) * 1e3, count * CHUNKS / (time.perf_counter() - began)


async def _pieces(connection: Connection, path: str, body: Any, headers: str) -> float:
    """Seconds to the first piece; all of them have to come."""
    began, first, seen, rest = time.perf_counter(), None, 0, b""
    async for chunk in await connection.stream(path, body, headers):
        seen += (rest + chunk).count(b"piece ")
        rest = chunk[-5:]
        if seen and first is None:
            first = time.perf_counter() - began
    await connection.close()
    assert first is not None
    assert seen == CHUNKS, seen
    return first


def main(pairs: int, effort: str) -> None:
    """Start, measure, print, stop."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    start_ray()
    _serve(port)
    measured = asyncio.run(measure(port, pairs, effort))
    end_ray()  # with Serve in it, which by itself would wait for clients that may still come
    print(json.dumps(measured), flush=True)


def _serve(port: int) -> None:
    quiet = {"enable_access_log": False, "log_level": "WARNING"}
    serve.start(http_options={"host": "127.0.0.1", "port": port}, logging_config=quiet)
    pipelines = tuple(f"tests.benchmarks.door_flows:{each}" for each in ("four", "talking"))
    ours = build_app(ServedApp(pipelines=pipelines, insecure_loopback=True))
    apps = {"ours": ours, "hand": by_hand(_STAGES), "nothing": Nothing.bind()}
    serve.run_many(
        [
            serve.RunTarget(app, name=name, route_prefix=f"/{name}", logging_config=quiet)
            for name, app in apps.items()
        ]
    )


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])
