"""What processes use: time of the processor, and memory.

Of Ray's own copy of psutil, which can be imported once Ray is.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Container, Iterable, Iterator
from pathlib import Path

import ray  # noqa: F401 - brings psutil

# isort: split
import psutil

from stageflow_actors.actors.forkserver import launcher

_LOOK_S = 0.02
_SERVER = str(Path(launcher.__file__).with_name("server.py"))


def cpu_seconds_of_all() -> float:
    """User and system time of this process and of all that it has had started, as Ray's are."""
    used = 0.0
    for process in _this_and_its_own():
        with contextlib.suppress(psutil.Error):  # it has ended meanwhile
            times = process.cpu_times()
            used += times.user + times.system
    return used


def pids_of_all() -> set[int]:
    """Those whose time counts."""
    return {process.pid for process in _this_and_its_own()}


def resident_bytes(pids: Iterable[int]) -> int:
    """Memory of some processes together, what they share counted for each."""
    return sum(psutil.Process(pid).memory_info().rss for pid in pids)


async def until_gone(pids: Iterable[int]) -> None:
    """Wait until none of these processes is left."""
    while any(psutil.pid_exists(pid) for pid in pids):
        await asyncio.sleep(_LOOK_S)


def _this_and_its_own() -> Iterator[psutil.Process]:
    this = psutil.Process()
    below = this.children(recursive=True)
    yield from (this, *below)
    pids = {process.pid for process in below}
    for server in psutil.process_iter():
        with contextlib.suppress(psutil.Error):  # it has ended meanwhile, or is somebody else's
            if server.pid not in pids and _makes_workers_of(server, pids):
                yield from (server, *server.children(recursive=True))


def _makes_workers_of(server: psutil.Process, pids: Container[int]) -> bool:
    """Whether it forks for a raylet among these: it is not below that, and neither are they."""
    if _SERVER not in server.cmdline():
        return False
    return int(server.environ().get("RAY_RAYLET_PID", 0)) in pids
