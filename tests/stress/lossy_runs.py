"""Runs in a Ray session that loses calls; prints what became of them, as JSON.

python -m tests.stress.lossy_runs RUNS KEPT_RECEIPTS FOLDER
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections import Counter
from pathlib import Path

import ray

from stageflow_actors import NoOpEventSink, Pipeline, RayRuntime, Settings
from tests.stress.mortal_stages import Pay, payments


async def main(count, kept, folder):
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
    runtime = RayRuntime(event_sink=NoOpEventSink(), settings=Settings(max_kept_receipts=kept))
    async with runtime.deploy(pipeline.build(interceptors=[])) as app:
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
    asyncio.run(main(int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3])))
