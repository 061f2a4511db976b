"""Runs in a Ray session that loses calls; prints what became of them, as JSON.

python -m tests.stress.lossy_runs RUNS SETTINGS FOLDER
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections import Counter
from contextlib import AsyncExitStack, suppress
from pathlib import Path

import ray

from stageflow_actors import (
    DeploymentError,
    NoOpEventSink,
    Pipeline,
    RayRuntime,
    Settings,
    SupervisorLostError,
)
from tests.stress.mortal_stages import Pay, payments

_MOST_OPENINGS = 5


async def opened(stack, runtime, pipeline):
    """A deployment, even if calls are given up early: those that start it may be among them."""
    for _opening in range(_MOST_OPENINGS):
        with suppress(DeploymentError, SupervisorLostError):
            return await stack.enter_async_context(runtime.deploy(pipeline))
    raise AssertionError("It could not be opened.")


async def main(count, settings, folder):
    ray.init(
        address="local",
        num_cpus=2,
        include_dashboard=False,
        log_to_driver=False,
        object_store_memory=100 * 2**20,
    )
    pipeline = Pipeline("lossy").with_stage(
        "pay", Pay, "work", config={"path": folder / "paid"}, effects="keyed"
    )
    statuses, outputs = Counter(), 0
    runtime = RayRuntime(
        event_sink=NoOpEventSink(), settings=Settings(direct_calls=False, **settings)
    )
    async with AsyncExitStack() as stack:
        app = await opened(stack, runtime, pipeline.build(interceptors=[]))
        app.supervisor._settings = Settings()  # it is the stages that are given up early
        inputs = ({"input_text": str(number)} for number in range(count))
        async for _index, result in app.map(inputs, concurrency=64):
            statuses[result.status.value] += 1
            outputs += len(result.outputs)
        described = await app.describe()
    paid = payments(folder / "paid")
    print(
        json.dumps(
            {
                "statuses": statuses,
                "outputs": outputs,
                "paid": len(paid),
                "executed": sum(paid.values()),
                "asked_again": described["asked_again"],
            }
        )
    )


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), json.loads(sys.argv[2]), Path(sys.argv[3])))
