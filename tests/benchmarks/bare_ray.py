"""Pipelines written by hand in Ray: what our deployments are measured against.

Imports nothing of ours, so that these actors do not pay for it where they start.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from typing import Any

import ray


class Stage:
    """A stage that has nothing to do."""

    async def execute(self, inputs: dict[str, Any]) -> dict[str, Any]:
        """Say the same as ever."""
        return {"text": "said"}

    async def pid(self) -> int:
        """Its process."""
        return os.getpid()


class Coordinator:
    """The actor that awaits stage actors one by one."""

    def __init__(self, stages: Sequence[Any]) -> None:
        self._stages = stages

    async def run(self, inputs: dict[str, Any]) -> dict[str, Any]:
        """The output of the last stage."""
        for stage in self._stages:
            inputs = await stage.execute.remote(inputs)
        return inputs

    async def pid(self) -> int:
        """Its process."""
        return os.getpid()


def start_stages(how_many: int, kind: type[Any] = Stage) -> list[Any]:
    """Actors of a class, each in a process of its own, as ours are."""
    actor = ray.remote(kind).options(num_cpus=0)
    return [actor.remote() for _ in range(how_many)]


def start_coordinator(stages: Sequence[Any]) -> Any:
    """One that takes as many runs at a time as it is given."""
    return ray.remote(Coordinator).options(num_cpus=0).remote(stages)


async def until_ready(actors: Sequence[Any]) -> None:
    """Wait until each has a process, and its constructor has returned."""
    await asyncio.gather(*(actor.__ray_ready__.remote() for actor in actors))
