"""What ``import stageflow_actors`` costs, and what it must not bring along.

Every import is measured inside a fresh interpreter of its own.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator

from tests.benchmarks.figures import Row, counted_figure, timed_figure
from tests.benchmarks.measure import Effort, Probe, Rounds, compare

_OURS = "from stageflow_actors import Pipeline, StageOutput, stage"
_PEER = "from pydantic import BaseModel"
_UNWANTED = ("ray", "fastapi", "opentelemetry.sdk")


async def rows(effort: Effort) -> AsyncIterator[Row]:
    """The time against that of pydantic alone, and the heavy modules that came along."""
    rounds = Rounds(effort.pairs, turns=1)
    measured = await compare(_import_time(_OURS), _import_time(_PEER), rounds)
    yield timed_figure(_OURS, "ms", _PEER, measured, at_most=2.5)
    loaded = await _python(
        f"{_OURS}; import sys; print(sum(m in sys.modules for m in {_UNWANTED}))"
    )
    heavy = f"{', '.join(_UNWANTED)} loaded by it"
    yield counted_figure(heavy, "modules", int(loaded), 0, "none")


def _import_time(statement: str) -> Probe:
    code = (
        "from time import perf_counter; began = perf_counter(); "
        f"{statement}; print((perf_counter() - began) * 1000)"
    )

    async def probe() -> float:
        return float(await _python(code))

    return probe


async def _python(code: str) -> str:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", code, stdout=asyncio.subprocess.PIPE
    )
    printed, _nothing = await process.communicate()
    assert process.returncode == 0, f"failed in a fresh interpreter: {code}"
    return printed.decode().strip()
