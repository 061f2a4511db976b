"""What processes use: time of the processor, and memory.

Of Ray's own copy of psutil, which can be imported once Ray is.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterable, Iterator

import ray  # noqa: F401 - brings psutil

# isort: split
import psutil

_LOOK_S = 0.02


def cpu_seconds_of_all() -> float:
    """User and system time of this process and of all below it, which Ray's are, too."""
    used = 0.0
    for process in _this_and_below():
        with contextlib.suppress(psutil.Error):  # it has ended meanwhile
            times = process.cpu_times()
            used += times.user + times.system
    return used


def resident_bytes(pids: Iterable[int]) -> int:
    """Memory of some processes together, what they share counted for each."""
    return sum(psutil.Process(pid).memory_info().rss for pid in pids)


async def until_gone(pids: Iterable[int]) -> None:
    """Wait until none of these processes is left."""
    while any(psutil.pid_exists(pid) for pid in pids):
        await asyncio.sleep(_LOOK_S)


def _this_and_below() -> Iterator[psutil.Process]:
    this = psutil.Process()
    yield this
    yield from this.children(recursive=True)
