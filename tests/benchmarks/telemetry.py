"""What it costs to export everything there is of every run, and what an outage costs.

Each side is a program of its own, as providers are set once per process; they are asked by turns.
"""

from __future__ import annotations

import asyncio
import os
import socket
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace

from tests.benchmarks.collector import HANGS
from tests.benchmarks.figures import Figure, Row, bounded_figure, rate_figure
from tests.benchmarks.measure import Effort, Probe, Rounds, Spread, compare
from tests.benchmarks.traced_program import EVERYTHING, SINK_HANGS, SINK_RAISES

_AT_MOST_US = 150
_AT_MOST_MIB = 64
_RUNS, _RUNS_QUICK = 250, 60
_EXPORTED = "nothing is exported"


async def rows(effort: Effort) -> AsyncIterator[Row]:
    """CPU per attempt, throughput, and throughput while nobody takes what is exported."""
    rounds = Rounds(effort.pairs, turns=1, warm_up=effort.of(full=2, quick=1))
    when_bad = effort.of(full=rounds, quick=replace(rounds, warm_up=0))  # both have run before
    paced = f"paced {effort.of(_RUNS, _RUNS_QUICK)}"
    async with AsyncExitStack() as stack:
        collector, hanging = [
            await stack.enter_async_context(_collector(*how)) for how in ((), (HANGS,))
        ]
        off = await stack.enter_async_context(_program({}))
        on = await stack.enter_async_context(_program(_to(collector), EVERYTHING))
        yield await _cost(on, off, Rounds(effort.pairs, turns=effort.of(full=1, quick=3)))
        rates = await compare(on.ask(paced), off.ask(paced), rounds)
        yield rate_figure("Stages of 5 ms, all exported", "runs/s", _EXPORTED, rates, at_least=0.9)
        for name, variables, *args in (
            ("the collector refuses", _to(_closed_port()), EVERYTHING),
            ("the collector hangs", _to(hanging), EVERYTHING),
            ("the sink raises", {}, EVERYTHING, SINK_RAISES),
            ("the sink hangs", {}, EVERYTHING, SINK_HANGS),
        ):
            bad = await stack.enter_async_context(_program(variables, *args))
            await bad.ask(paced)()
            before = await bad.ask("memory")()
            rates = await compare(bad.ask(paced), off.ask(paced), when_bad)
            row = f"Stages of 5 ms, {name}"
            yield rate_figure(row, "runs/s", _EXPORTED, rates, at_least=0.9)
            for _ in range(effort.pairs):
                await bad.ask(paced)()
            grown = await bad.ask("memory")() - before
            yield bounded_figure(f"Memory grown while {name}", "MiB", grown, at_most=_AT_MOST_MIB)


async def _cost(on: _Program, off: _Program, rounds: Rounds) -> Figure:
    measured = await compare(on.ask("cpu"), off.ask("cpu"), rounds)
    more = Spread.of([a - b for a, b in zip(measured.ours, measured.peer, strict=True)])
    return Figure(
        name="CPU per attempt for spans, metrics and wide events",
        unit="us more",
        ours=more.median,
        peer=Spread.of(measured.peer).median,
        peer_name="us of an attempt without",
        ratio=None,
        bar=f"<= {_AT_MOST_US} us",
        is_met=more.median <= _AT_MOST_US,
    )


class _Program:
    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    def ask(self, what: str) -> Probe:
        async def probe() -> float:
            assert self._process.stdin is not None
            assert self._process.stdout is not None
            self._process.stdin.write(f"{what}\n".encode())
            return float(await self._process.stdout.readline())

        return probe


def _to(port: int) -> dict[str, str]:
    return {
        "OTEL_TRACES_EXPORTER": "otlp",
        "OTEL_METRICS_EXPORTER": "otlp",
        "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{port}",
        "OTEL_BSP_MAX_QUEUE_SIZE": "20000",
    }


def _closed_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


@asynccontextmanager
async def _program(variables: Mapping[str, str], *args: str) -> AsyncIterator[_Program]:
    module = "tests.benchmarks.traced_program"
    async with _running(module, *args, **variables) as process:
        yield _Program(process)


@asynccontextmanager
async def _collector(*args: str) -> AsyncIterator[int]:
    async with _running("tests.benchmarks.collector", *args) as process:
        assert process.stdout is not None
        yield int(await process.stdout.readline())


@asynccontextmanager
async def _running(
    module: str, *args: str, **variables: str
) -> AsyncIterator[asyncio.subprocess.Process]:
    """It is killed at the end: it would first wait for whoever takes nothing from it."""
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", module, *args,
        stdin=pipe, stdout=pipe, stderr=asyncio.subprocess.DEVNULL, env=os.environ | variables,
    )  # fmt: skip
    try:
        yield process
    finally:
        process.kill()
        await process.wait()
