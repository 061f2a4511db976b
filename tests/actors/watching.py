"""Looking at the processes of a deployment while they come and go."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

_POLL_S = 0.01


def is_there(pid):
    """Whether such a process still runs; one that is dead and not yet buried does not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state not in ("Z", "X")


async def gone(pid):
    """Returns when no process of that id runs any more."""
    while is_there(pid):
        await asyncio.sleep(_POLL_S)


async def described(app, condition):
    """What the deployment says of itself, once that is so."""
    while not condition(told := await app.describe()):
        await asyncio.sleep(_POLL_S)
    return told


def pids_in(told):
    """By stage."""
    return {stage["name"]: stage["pid"] for stage in told["stages"]}


async def pid_of(app, stage):
    return pids_in(await app.describe())[stage]


async def killed(app, stage):
    """Kill the process of a stage; what is told once that was seen, and made good or not."""
    pid = await pid_of(app, stage)
    os.kill(pid, signal.SIGKILL)
    return await described(app, lambda told: pids_in(told)[stage] != pid)


async def replaced(app, stage, former):
    """What is told once another process than ``former`` serves the stage."""
    return await described(app, lambda told: pids_in(told)[stage] not in (None, former))


def stored_bytes():
    """In the object store, if there is one, as Ray tells from time to time."""
    import ray

    if not ray.is_initialized():
        return 0
    kind = "object_store_memory"
    return ray.cluster_resources()[kind] - ray.available_resources().get(kind, 0.0)
