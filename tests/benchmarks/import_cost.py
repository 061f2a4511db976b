"""What ``import stageflow_actors`` costs, and what it must not bring along.

Every import is measured inside a fresh interpreter of its own.
"""

from __future__ import annotations

import asyncio
import sys

from tests.benchmarks.figures import Figure, counted_figure, timed_figure
from tests.benchmarks.measure import Probe, Rounds, compare

_OURS = "import stageflow_actors"
_PEER = "from pydantic import BaseModel"
_UNWANTED = ("ray", "fastapi", "opentelemetry.sdk")


async def import_cost(rounds: Rounds) -> list[Figure]:
    """The time against that of pydantic alone, and the heavy modules that came along."""
    measured = await compare(_import_time(_OURS), _import_time(_PEER), rounds)
    loaded = await _python(
        f"{_OURS}; import sys; print(sum(m in sys.modules for m in {_UNWANTED}))"
    )
    return [
        timed_figure(_OURS, "ms", _PEER, measured, at_most=2.5),
        counted_figure(f"{', '.join(_UNWANTED)} loaded by it", "modules", int(loaded), 0, "none"),
    ]


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
