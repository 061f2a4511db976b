"""The desks of pipelines that are deployed by this process."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager

from stageflow_actors.actors.runtime import Runtime
from stageflow_actors.errors import StageflowError
from stageflow_actors.serving.run_desk import RunDesk
from stageflow_actors.serving.served import ServedPipeline
from stageflow_actors.serving.settings import ServingSettings


@asynccontextmanager
async def run_desks(
    pipelines: Mapping[str, ServedPipeline], runtime: Runtime, settings: ServingSettings
) -> AsyncIterator[dict[str, RunDesk]]:
    """Every pipeline is deployed inside, side by side; at the end live runs have ``drain_s``.

    Raises:
        DeploymentError: a stage could not be started.
    """
    async with AsyncExitStack() as stack:
        deployments = {name: runtime.deploy(served.graph) for name, served in pipelines.items()}
        for each in deployments.values():
            stack.push_async_exit(each)  # closing does nothing to one that never opened
        opening = [asyncio.create_task(each.open()) for each in deployments.values()]
        try:
            await asyncio.gather(*opening)
        except StageflowError:
            await asyncio.wait(opening)
            raise
        desks = {
            name: RunDesk(name, pipelines[name], deployment, settings)
            for name, deployment in deployments.items()
        }
        for desk in desks.values():
            desk.open()
        try:
            yield desks
        finally:
            await asyncio.gather(*(desk.close() for desk in desks.values()))
