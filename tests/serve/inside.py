"""What processes of the door hold, asked of themselves: tasks, streams, runs, memory."""

from __future__ import annotations

import asyncio
import gc
import os
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import ray

from tests.serve.door import Door

_PAGE = os.sysconf("SC_PAGE_SIZE")


def counts(test: Any) -> Any:
    """Twice: with few clients in every run, with many under ``make stress``."""
    many = pytest.param(True, marks=[pytest.mark.stress, pytest.mark.timeout(900)])
    return pytest.mark.parametrize("is_full", [False, many], ids=["few", "many"])(test)


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


def forget_peak(pid: int) -> int:
    """From now on the peak counts; what it has now."""
    Path(f"/proc/{pid}/clear_refs").write_text("5")
    return resident_bytes(pid)


def peak_bytes(pid: int) -> int:
    """The most memory that it has had."""
    (line,) = [
        each
        for each in Path(f"/proc/{pid}/status").read_text().splitlines()
        if each.startswith("VmHWM")
    ]
    return int(line.split()[1]) * 1024


def living_actors() -> Counter[str]:
    """How many actors there are of each class."""
    from ray._private.state import actors

    return Counter(each["ActorClassName"] for each in actors().values() if each["State"] != "DEAD")


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


def runs(keeper: Any) -> Counter[str]:
    """Runs that there were and that go on; who is waited for, and who waits."""
    book = keeper._desk.behind._book
    return Counter(
        {
            "begun": len(book._records) + len(book._gone),
            "live": book.stats().live,
            "paces": sum(len(each._paces) for each in book._records.values()),
            "unanswered": len(keeper._answering._working),
        }
    )


def tape_sizes(keeper: Any) -> list[int]:
    """Bytes on the tape of each run that has not ended."""
    return [record.tape.size for record in keeper._desk.behind._book.live()]


class Inside:
    """The processes of a door with one replica."""

    def __init__(self, door: Door) -> None:
        self.replica = named("serve", f"REPLICA::{door.name}#")
        self.proxy = named("serve", "SERVE_PROXY")
        self.keepers = {
            name.split("/")[1]: named("stageflow_actors", name) for name in door.keepers()
        }
        self.pids = {
            "replica": asked(self.replica, pid),
            "proxy": asked(self.proxy, pid),
            **{name: asked(keeper, pid) for name, keeper in self.keepers.items()},
        }

    def streams(self) -> int:
        return asked(self.replica, streams)

    def runs(self, pipeline: str) -> Counter[str]:
        return asked(self.keepers[pipeline], runs)

    def tape_sizes(self, pipeline: str) -> list[int]:
        return asked(self.keepers[pipeline], tape_sizes)

    def held(self) -> Counter[str]:
        """All that may be there for clients: tasks, streams, runs, actors."""
        found = living_actors()
        found["streams"] = self.streams()
        for name, actor in {"replica": self.replica, "proxy": self.proxy, **self.keepers}.items():
            for task, count in asked(actor, tasks).items():
                found[f"{name}: {task}"] += count
        for name in self.keepers:
            for what, count in self.runs(name).items():
                if what != "begun":
                    found[f"{name}: {what}"] = count
        return found
