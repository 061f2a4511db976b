"""What processes of the door hold, asked of themselves: tasks, streams, runs, memory."""

from __future__ import annotations

import asyncio
import gc
import os
from collections import Counter
from pathlib import Path
from typing import Any

import ray

_PAGE = os.sysconf("SC_PAGE_SIZE")


def asked(actor: Any, question: Any, *arguments: Any) -> Any:
    """What ``question`` returns inside of that actor."""
    return ray.get(actor.__ray_call__.remote(question, *arguments))


def named(namespace: str, name: str) -> Any:
    """The actor whose name has ``name``."""
    from ray.util import list_named_actors

    found = [
        each["name"]
        for each in list_named_actors(all_namespaces=True)
        if each["namespace"] == namespace and name in each["name"]
    ]
    assert len(found) == 1, found
    return ray.get_actor(found[0], namespace=namespace)


def pid(_actor: Any) -> int:
    return os.getpid()


def resident_bytes(pid: int) -> int:
    """Memory of a process."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * _PAGE


def living_actors() -> Counter[str]:
    """How many actors there are of each class."""
    from ray._private.state import actors

    return Counter(
        each["ActorClassName"] for each in actors().values() if each["State"] != "DEAD"
    )


def tasks(_actor: Any) -> Counter[str]:
    """Tasks that have not ended, by what they do.

    Of a replica those are left out that were there before its first request: Serve hides them.
    """
    return Counter(
        each.get_coro().__qualname__
        for each in gc.get_objects()
        if isinstance(each, asyncio.Task) and not each.done()
    )


def streams(replica: Any) -> int:
    """Streams that a replica counts."""
    return replica._replica_impl._user_callable_wrapper._callable.app.state.service.streams


def live_runs(keeper: Any) -> int:
    """Runs that have not ended."""
    return keeper._desk.stats().live


def tape_sizes(keeper: Any) -> list[int]:
    """Bytes on the tape of each run that has not ended."""
    return [record.tape.size for record in keeper._desk._book.live()]


def paces(keeper: Any) -> int:
    """Readers that somebody may wait for."""
    return sum(len(record._paces) for record in keeper._desk._book._records.values())


def unanswered(keeper: Any) -> int:
    """Requests that replicas wait for."""
    return len(keeper._answering._working)
