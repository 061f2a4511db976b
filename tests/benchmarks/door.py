"""The door on Ray Serve, in both of Serve's modes, against the same by hand, and doing nothing.

Each mode has a process and a Ray of its own: Serve reads the mode when it is imported.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator

from tests.benchmarks.door_session import FULL, QUICK, Measures
from tests.benchmarks.figures import Row, rate_figure, timed_figure
from tests.benchmarks.measure import Comparison, Effort
from tests.benchmarks.sessions import end_ray

_THROUGHPUT = "RAY_SERVE_THROUGHPUT_OPTIMIZED"
_BY_HAND, _NOTHING = "by hand on Serve", "Serve doing nothing"
_HAND, _NONE = 1, 2


async def rows(effort: Effort) -> AsyncIterator[Row]:
    """Requests, lone and many at once, and streams."""
    end_ray()  # the one that others have shared
    for mode, environment in (("", {}), (", throughput mode", {_THROUGHPUT: "1"})):
        measured = await _session(effort, environment)
        requests = f"50 clients of a served run of 4{mode}"
        for peer, name, at_least in ((_HAND, _BY_HAND, 1.6), (_NONE, _NOTHING, 0.8)):
            of = _compared(measured, "requests/s", peer)
            yield rate_figure(requests, "requests/s", name, of, at_least=at_least)
        p99 = _compared(measured, "P99 ms", _HAND)
        yield timed_figure(f"{requests}, P99", "ms", _BY_HAND, p99, at_most=1.0)
        lone = _compared(measured, "lone P50 ms", _HAND)
        yield timed_figure(f"Lone served run of 4{mode}", "ms", _BY_HAND, lone, at_most=0.8)
        first = _compared(measured, "first chunk ms", _HAND)
        yield timed_figure(f"First piece of a stream{mode}", "ms", _BY_HAND, first, at_most=1.2)
        chunks = _compared(measured, "chunks/s", _HAND)
        yield rate_figure(f"Pieces of 8 streams{mode}", "pieces/s", _BY_HAND, chunks, at_least=2)


def _compared(measured: Measures, name: str, peer: int) -> Comparison:
    ours = tuple(turn[0] for turn in measured[name])
    return Comparison(ours, tuple(turn[peer] for turn in measured[name]))


async def _session(effort: Effort, environment: dict[str, str]) -> Measures:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.benchmarks.door_session",
        str(effort.few),
        effort.of(FULL, QUICK),
        env={**os.environ, **environment},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    said, errors = await process.communicate()
    if process.returncode:
        raise RuntimeError(errors.decode()[-2_000:])
    found: Measures = json.loads(said.decode().strip().splitlines()[-1])
    return found
