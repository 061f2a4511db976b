"""A large array on its way through stages, each of which returns another one.

Both sides make the first array where they make the second, and read the last in the driver.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import numpy as np

from stageflow_actors import Pipeline, RayRuntime, StageContext, StageKind, flush_events
from tests.benchmarks.bare_ray import start_stages, until_ready
from tests.benchmarks.figures import Row, timed_figure
from tests.benchmarks.measure import Effort, Rounds, compare, timed
from tests.benchmarks.sessions import start_ray

_STAGES = 4
_FLOATS = 64 * 10**6 // 4
_MILLISECONDS = 1e3
_UNTIL_STEADY = 8
"""Rounds until memory that Ray shares is used again: at first the kernel clears each page of it."""


class Start:
    """The stage that has an array, and returns the next."""

    kind = StageKind.TRANSFORM

    async def setup(self) -> None:
        """Make it once."""
        self._array = np.zeros(_FLOATS, dtype=np.float32)

    async def execute(self, ctx: StageContext) -> dict[str, Any]:
        """One more than nothing."""
        return {"array": self._array + 1}


class AddOne:
    """A stage that reads an array and returns another."""

    kind = StageKind.TRANSFORM

    async def execute(self, ctx: StageContext) -> dict[str, Any]:
        """One more."""
        return {"array": ctx.inputs.get("array") + 1}


class BareAddOne:
    """Either as an actor."""

    def __init__(self) -> None:
        self._array = np.zeros(_FLOATS, dtype=np.float32)

    def execute(self, array: Any) -> Any:
        """One more than what is given."""
        return (self._array if array is None else array) + 1


async def rows(effort: Effort) -> AsyncIterator[Row]:
    """One figure."""
    pipeline = Pipeline("payload").with_stage("s0", Start)
    for i in range(1, _STAGES):
        pipeline = pipeline.with_stage(f"s{i}", AddOne, dependencies=(f"s{i - 1}",))
    start_ray()
    actors = start_stages(_STAGES, BareAddOne)
    await until_ready(actors)

    async def by_hand() -> None:
        reference: Any = None
        for actor in actors:
            reference = actor.execute.remote(reference)
        _check(await reference)

    async with RayRuntime().deploy(pipeline) as app:

        async def ours() -> None:
            results = await app.run(input_text="w")
            _check(results[f"s{_STAGES - 1}"].data["array"])

        measured = await compare(
            timed(ours, _MILLISECONDS, flush_events),
            timed(by_hand, _MILLISECONDS),
            Rounds(effort.of(effort.few, effort.pairs), turns=3, warm_up=_UNTIL_STEADY),
        )
    name = "64 MB array through 4 stages on Ray"
    yield timed_figure(name, "ms", "hand-written Ray, references", measured, at_most=1.2)


def _check(array: Any) -> None:
    assert array.shape == (_FLOATS,)
    assert array[0] == array[-1] == _STAGES
