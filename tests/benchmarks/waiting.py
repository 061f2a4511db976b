"""Many runs that wait, and many more than can be served.

The limits of each side are named here. ``settings_with`` leaves out those that there are not yet.
"""

from __future__ import annotations

import asyncio
import gc
import os
import tempfile
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from stageflow_actors import Pipeline, RayRuntime, StageContext, StageKind, flush_events
from stageflow_actors.actors.deployment import Deployment
from stageflow_actors.actors.handle import RunHandle
from tests.benchmarks.figures import Row, bounded_figure, counted_figure, rate_figure
from tests.benchmarks.measure import Comparison, Effort
from tests.benchmarks.options import settings_with
from tests.benchmarks.processes import resident_bytes
from tests.benchmarks.sessions import start_ray

_FEW, _MANY = 2_000, 10_000
_FEW_QUICK, _MANY_QUICK = 500, 2_500
_LOOK_S = 0.05
_KILOBYTE = 1_000
_WAITING_LIMITS: dict[str, Any] = {}
_OVERLOAD_LIMITS: dict[str, Any] = {}
"""Settings by name: of the deployment whose runs wait, and of the one that is overloaded."""

_SLOTS, _WORK_S = 2, 0.04
_CAPACITY = _SLOTS / _WORK_S
_OVERLOAD = 10
_TICK_S = 0.02


class Waits:
    """A stage that waits for a file."""

    kind = StageKind.WORK

    def __init__(self, gate: str) -> None:
        self._gate = Path(gate)

    async def setup(self) -> None:
        """Look for the file once for all runs."""
        self._opened = asyncio.Event()
        self._looking = asyncio.ensure_future(self._look())

    async def _look(self) -> None:
        while not self._gate.exists():
            await asyncio.sleep(_LOOK_S)
        self._opened.set()

    async def execute(self, ctx: StageContext) -> dict[str, Any]:
        """Wait with all the others."""
        await self._opened.wait()
        return {}

    async def teardown(self) -> None:
        """Look no more."""
        self._looking.cancel()


class Narrow:
    """A stage that serves ``_CAPACITY`` runs in a second, without any work."""

    kind = StageKind.WORK

    async def setup(self) -> None:
        """Make its slots."""
        self._slots = asyncio.Semaphore(_SLOTS)

    async def execute(self, ctx: StageContext) -> dict[str, Any]:
        """Take a slot for a while."""
        async with self._slots:
            await asyncio.sleep(_WORK_S)
        return {}


async def rows(effort: Effort) -> AsyncIterator[Row]:
    """Memory of runs that wait, whether they all end well, and what is served under overload."""
    few, many = effort.of((_FEW, _MANY), (_FEW_QUICK, _MANY_QUICK))
    start_ray()
    with tempfile.TemporaryDirectory() as folder:
        slope, ended_ok = await _wait(few, many, Path(folder, "gate"))
        yield bounded_figure(
            "Memory of a run that waits, driver and supervisor",
            "kB",
            slope / _KILOBYTE,
            at_most=10,
        )
        share = 100 * ended_ok / many
        yield counted_figure("Runs that waited and ended well", "%", share, 100, "all")
        yield rate_figure(
            f"Runs served at {_OVERLOAD} times as many as can be",
            "runs/s",
            "ours, as many as can be",
            await _goodputs(effort.few, effort.of(full=5.0, quick=1.0)),
            at_least=0.8,
        )


async def _wait(few: int, many: int, gate: Path) -> tuple[float, int]:
    """Bytes per run between few and many that wait; how many then ended well."""
    pipeline = Pipeline("waiting").with_stage("wait", Waits, config={"gate": str(gate)})
    runtime = RayRuntime(settings=settings_with(**_WAITING_LIMITS))
    async with runtime.deploy(pipeline) as app:
        pids = [os.getpid(), (await app.describe())["supervisor_pid"]]
        handles = [await app.start(input_text="w") for _ in range(few)]
        with_few = await _memory(app, pids, few)
        handles += [await app.start(input_text="w") for _ in range(many - few)]
        with_many = await _memory(app, pids, many)
        gate.touch()
        results = await asyncio.gather(*(handle.result() for handle in handles))
    await flush_events()
    ended_ok = sum(result.ok for result in results)
    return (with_many - with_few) / (many - few), ended_ok


async def _memory(app: Deployment, pids: Sequence[int], runs: int) -> int:
    """Once so many have reached the supervisor, whether they wait in it or in their stage."""
    while _present(await app.describe()) < runs:
        await asyncio.sleep(_LOOK_S)
    gc.collect()
    return resident_bytes(pids)


def _present(told: Mapping[str, Any]) -> int:
    room: Mapping[str, int] = told.get("runs", {})
    return max(int(told["live_runs"]), room.get("running", 0) + room.get("waiting", 0))


async def _goodputs(pairs: int, window_s: float) -> Comparison:
    """Runs that ended well in a second: at too many, and at as many as can be served."""
    ours, peer = [], []
    for _ in range(pairs):
        ours.append(await _goodput(_OVERLOAD * _CAPACITY, window_s))
        peer.append(await _goodput(_CAPACITY, window_s))
    return Comparison(tuple(ours), tuple(peer))


async def _goodput(runs_per_s: float, window_s: float) -> float:
    """Offer so many, whatever becomes of them. A deployment of its own leaves nothing behind."""
    pipeline = Pipeline("overload").with_stage("narrow", Narrow)
    handles: list[RunHandle] = []
    served = 0

    def count(result: asyncio.Task[Any]) -> None:
        nonlocal served
        served += not result.cancelled() and result.exception() is None and result.result().ok

    runtime = RayRuntime(settings=settings_with(**_OVERLOAD_LIMITS))
    async with runtime.deploy(pipeline) as app:
        await app.run(input_text="w")
        began = time.perf_counter()
        offered = 0
        waiting: set[asyncio.Task[Any]] = set()
        while (passed := time.perf_counter() - began) < window_s:
            while offered < passed * runs_per_s:
                offered += 1
                task = asyncio.ensure_future(_offer(app, handles))
                task.add_done_callback(count)
                waiting.add(task)
            await asyncio.sleep(_TICK_S)
        goodput = served / (time.perf_counter() - began)
        await asyncio.gather(*(handle.cancel("the window is over") for handle in handles))
        await asyncio.gather(*waiting, return_exceptions=True)
    await flush_events()
    return goodput


async def _offer(app: Deployment, handles: list[RunHandle]) -> Any:
    handle = await app.start(input_text="w")
    handles.append(handle)
    return await handle.result()
