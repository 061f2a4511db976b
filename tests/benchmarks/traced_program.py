"""A program whose runs are exported as its environment says, and measured when it is asked to.

Reads from its standard input, a line each, and answers each with a number. ``cpu``: microseconds
of CPU per attempt of a stage that does nothing. ``paced 250``: runs per second, of so many whose
stages wait. ``memory``: the mebibytes that it has now.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Mapping
from typing import Any

import psutil

from stageflow_actors import InMemoryEventSink, LocalRuntime, Pipeline, Settings
from stageflow_actors.actors.deployment import Deployment

EVERYTHING = "everything"
"""With wide events, too."""
SINK_RAISES, SINK_HANGS = "sink-raises", "sink-hangs"

_STAGES, _RUNS, _CONCURRENT = 4, 250, 8
_STAGE_S = 0.005


async def _nothing(ctx: object) -> dict[str, int]:
    return {"x": 1}


async def _waits(ctx: object) -> dict[str, int]:
    await asyncio.sleep(_STAGE_S)
    return {"x": 1}


class _BadSink:
    """Raises at each event, or never has done with the first."""

    async def emit(self, *, type: str, data: Mapping[str, Any] | None) -> None:
        if SINK_RAISES in sys.argv:
            raise OSError("the disk is full")
        await asyncio.Event().wait()


async def main() -> None:
    """Until there are no more lines."""
    settings = Settings(wide_events=EVERYTHING in sys.argv)
    is_bad = {SINK_RAISES, SINK_HANGS} & {*sys.argv}
    sink = _BadSink() if is_bad else InMemoryEventSink(1_000)
    runtime = LocalRuntime(event_sink=sink, settings=settings)
    idle, busy = runtime.deploy(_chain(_nothing)), runtime.deploy(_chain(_waits))
    async with runtime, idle, busy:
        loop = asyncio.get_running_loop()
        while line := await loop.run_in_executor(None, sys.stdin.readline):
            print(await _answer(line.split(), idle, busy, runtime), flush=True)


async def _answer(
    asked: list[str], idle: Deployment, busy: Deployment, runtime: LocalRuntime
) -> float:
    match asked:
        case ["cpu"]:
            return await _cpu(idle, runtime)
        case ["paced", runs]:
            return await _paced(busy, int(runs))
        case _:
            return float(psutil.Process().memory_info().rss / 2**20)


def _chain(body: object) -> Pipeline:
    pipeline = Pipeline("traced")
    for number in range(_STAGES):
        before = (f"s{number - 1}",) if number else ()
        pipeline = pipeline.with_stage(f"s{number}", body, "work", dependencies=before)
    return pipeline


async def _cpu(app: Deployment, runtime: LocalRuntime) -> float:
    began = time.process_time()
    await asyncio.gather(*(_one(app) for _ in range(_RUNS)))
    await runtime.flush_events()
    return (time.process_time() - began) / (_RUNS * _STAGES) * 1e6


async def _paced(app: Deployment, runs: int) -> float:
    began = time.perf_counter()
    async for _index, _result in app.map(({} for _ in range(runs)), concurrency=_CONCURRENT):
        pass
    return runs / (time.perf_counter() - began)


async def _one(app: Deployment) -> None:
    handle = await app.start()
    await handle.result()


if __name__ == "__main__":
    asyncio.run(main())
