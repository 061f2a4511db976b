"""A cluster of two nodes on this machine, with a session of its own; prints results as JSON.

python -m tests.cluster.two_nodes ends few|every
python -m tests.cluster.two_nodes loss FOLDER COUNT back|gone
python -m tests.cluster.two_nodes code FOLDER
python -m tests.cluster.two_nodes version none|other
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import sys
import tempfile
from collections import Counter
from pathlib import Path

os.environ["RAY_TMPDIR"] = tempfile.mkdtemp(prefix="two-", dir="/tmp")  # who looks for a Ray there?

import ray
from ray.cluster_utils import Cluster

from stageflow_actors import LocalRuntime, NoOpEventSink, RayRuntime, Settings
from tests.cluster.stages import LEFT, RIGHT, SIDE, holding, representative

SMALL = 80 * 2**20
SOON = {
    "health_check_initial_delay_ms": 500,
    "health_check_period_ms": 300,
    "health_check_timeout_ms": 1_000,
    "health_check_failure_threshold": 3,
}
LIMIT_S = 90.0
_LOOK_S = 0.02


@contextlib.contextmanager
def two_nodes(**right):
    """The left one is the head, on which this process is, too."""
    cluster = Cluster()
    try:
        cluster.add_node(
            num_cpus=1,
            resources={LEFT: 1},
            env_vars={SIDE: LEFT},
            object_store_memory=SMALL,
            include_dashboard=False,
            _system_config=SOON,
        )
        node = add_right(cluster, **right)
        cluster.wait_for_nodes()
        yield cluster, node
    finally:
        ray.shutdown()
        cluster.shutdown()
        shutil.rmtree(os.environ["RAY_TMPDIR"], ignore_errors=True)


def add_right(cluster, **environment):
    return cluster.add_node(
        num_cpus=1,
        resources={RIGHT: 1},
        env_vars={SIDE: RIGHT, **environment},
        object_store_memory=SMALL,
    )


def described(result):
    """What has to be the same on every runtime."""
    outputs = {
        name: {
            key: value if not isinstance(value, bytes) else len(value)
            for key, value in output.data.items()
            if key not in ("side", "route")
        }
        for name, output in result.outputs.items()
    }
    return {
        "status": result.status.value,
        "stage": result.stage,
        "reason": result.reason,
        "outputs": outputs,
        "failures": {
            name: [failure.code, failure.error_type] for name, failure in result.failures.items()
        },
        "skipped": dict(result.skipped),
        "cancelled": list(result.cancelled),
        "tolerated": list(result.tolerated),
        "attempts": result.attempts,
    }


def sides(result):
    return {
        name: output.data["side"]
        for name, output in result.outputs.items()
        if "side" in output.data
    }


async def run_once(runtime, name, pipeline, text):
    async with runtime.deploy(pipeline) as app:
        run = await app.start(input_text=text)
        if name == "told to stop":
            async for event in run.events():
                if event.type == "stage.then.started":
                    await run.cancel("enough")
        return await asyncio.wait_for(run.result(), LIMIT_S)


async def ends(count):
    """Every run there and here, and where its stages were."""
    here, told = LocalRuntime(event_sink=NoOpEventSink()), {}
    with two_nodes() as (cluster, _right):
        there = RayRuntime(event_sink=NoOpEventSink(), address=cluster.address)
        for name, pipeline, text in representative(count):
            on_cluster = await run_once(there, name, pipeline, text)
            alone = await run_once(here, name, pipeline, text)
            told[name] = {
                "there": described(on_cluster),
                "here": described(alone),
                "sides": sides(on_cluster),
            }
        await there.close()
    return told


async def loss(folder, count, comes_back):
    """How runs end whose node is killed under them."""
    folder, told = Path(folder), {}
    settings = Settings(placement_timeout_s=60 if comes_back else 10)
    with two_nodes() as (cluster, right):
        runtime = RayRuntime(event_sink=NoOpEventSink(), settings=settings, address=cluster.address)
        async with contextlib.AsyncExitStack() as stack:
            runs = {}
            for name, pipeline in holding(folder).items():
                if not comes_back and name not in ("near", "again"):
                    continue  # what becomes of those does not depend on it
                app = await stack.enter_async_context(runtime.deploy(pipeline))
                runs[name] = [
                    await app.start(input_text=f"{name}-{number}") for number in range(count)
                ]
            while len(list(folder.iterdir())) < count * len(runs):
                await asyncio.sleep(_LOOK_S)
            await asyncio.to_thread(cluster.remove_node, right, allow_graceful=False)
            if comes_back:
                add_right(cluster)  # on this thread: it installs signal handlers
            else:
                await ways_of(runs["again"])
            (folder / "gate").touch()
            for name, started in runs.items():
                told[name] = await ways_of(started)
    return told


async def ways_of(runs):
    """How many ended in which way; within the limit, or they hang."""
    ways = Counter()
    ends = [asyncio.ensure_future(run.result()) for run in runs]
    ended, hanging = await asyncio.wait(ends, timeout=LIMIT_S)
    for end in ended:
        codes = sorted({failure.code for failure in end.result().failures.values()})
        ways[" ".join([end.result().status.value, *codes])] += 1
    return {**ways, **({"hang": len(hanging)} if hanging else {})}


async def code(folder):
    """A package that only this process can import goes along."""
    sys.path.insert(0, folder)
    from far_words import pipeline  # type: ignore[import-not-found]

    with two_nodes() as (cluster, _right):
        os.environ["RAY_ADDRESS"] = cluster.address
        carried = [Path(folder, "far_words"), Path(folder, "far_tools.py")]
        results = []
        for _time in range(2):  # the second one finds the process connected
            runtime = RayRuntime(event_sink=NoOpEventSink(), code=carried)
            results.append(await run_once(runtime, "code", pipeline(), ""))
        is_there = ray.get_runtime_context().gcs_address == cluster.address
    return {
        "outputs": [described(each)["outputs"] for each in results],
        "sides": sides(results[0]),
        "is_there": is_there,
    }


async def version(which):
    """A node with another library, or none, is found when the cluster is joined."""
    folder = Path(tempfile.mkdtemp(prefix="site-", dir=os.environ["RAY_TMPDIR"]))
    lines = ["import sys, types", "other = None"]
    if which == "other":
        lines += ["other = types.ModuleType('stageflow_actors')", "other.__version__ = '0.0.7'"]
    lines += ["sys.modules['stageflow_actors'] = other"]
    (folder / "sitecustomize.py").write_text("\n".join(lines))
    with two_nodes(PYTHONPATH=str(folder)) as (cluster, _right):
        try:
            await run_once(RayRuntime(address=cluster.address), *representative()[0])
        except Exception as error:
            return {"type": type(error).__name__, "message": str(error)}
    return {}


SCENES = {"ends": ends, "loss": loss, "code": code, "version": version}


def main(scene, *given):
    if scene == "loss":
        folder, count, which = given
        given = (folder, int(count), which == "back")
    print(json.dumps(asyncio.run(SCENES[scene](*given))))


if __name__ == "__main__":
    main(*sys.argv[1:])
