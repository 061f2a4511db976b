"""A program whose runs are exported as its environment says, and measured when it is asked to.

Reads ``cpu`` or ``paced`` from its standard input, a line each, and answers each with a number:
microseconds of CPU per attempt of a stage that does nothing; runs per second of stages that wait.
"""

from __future__ import annotations

import asyncio
import resource
import sys
import time
from collections.abc import Mapping
from typing import Any

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
            if line.strip() == "cpu":
                told = await _cpu(idle, runtime)
            elif line.strip() == "paced":
                told = await _paced(busy)
            else:
                told = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
            print(told, flush=True)


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


async def _paced(app: Deployment) -> float:
    began = time.perf_counter()
    async for _index, _result in app.map(({} for _ in range(_RUNS)), concurrency=_CONCURRENT):
        pass
    return _RUNS / (time.perf_counter() - began)


async def _one(app: Deployment) -> None:
    handle = await app.start()
    await handle.result()


if __name__ == "__main__":
    asyncio.run(main())
