"""The processes below this one, and how to end them when the time for asking is over."""

from __future__ import annotations

import os
import signal
import subprocess
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple


class Process(NamedTuple):
    """A process; ``born`` tells it from a later one with the same number."""

    pid: int
    parent: int
    born: str


def below(*pids: int) -> set[Process]:
    """Every child of these, their children, and so on, as of now."""
    children: dict[int, list[Process]] = {}
    for process in _all_processes():
        children.setdefault(process.parent, []).append(process)
    found: set[Process] = set()
    parents = list(pids)
    while parents:
        for child in children.get(parents.pop(), []):
            if child not in found:
                found.add(child)
                parents.append(child.pid)
    return found


def end(processes: set[Process]) -> None:
    """Kill those that are still there, and all below them.

    They are stopped first, until a listing shows no new one: a process that runs on may start
    another between the moment it is listed and the moment it is killed.
    """
    stopped: set[Process] = set()
    while found := _there(processes) - stopped:
        _signal(found, signal.SIGSTOP)
        stopped |= found
        processes = below(*(process.pid for process in stopped))
    _signal(stopped, signal.SIGKILL)


def _there(processes: set[Process]) -> set[Process]:
    """Those of them whose number still belongs to the process that was meant."""
    there = {(process.pid, process.born) for process in _all_processes()}
    return {process for process in processes if (process.pid, process.born) in there}


def _signal(processes: set[Process], number: signal.Signals) -> None:
    for process in processes:
        with suppress(ProcessLookupError, PermissionError):
            os.kill(process.pid, number)


def _all_processes() -> list[Process]:
    return _from_proc() if Path("/proc/self/stat").exists() else _from_ps()


def _from_proc() -> list[Process]:
    found = []
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit():
            continue
        try:
            stat = (folder / "stat").read_text(encoding="utf-8", errors="replace")
        except OSError:
            continue
        fields = stat[stat.rindex(")") + 2 :].split()  # the name before may hold anything
        found.append(Process(int(folder.name), int(fields[1]), fields[19]))
    return found


def _from_ps() -> list[Process]:
    listed = subprocess.run(
        ["ps", "-A", "-o", "pid=,ppid=,lstart="],  # noqa: S607 - wherever the system has it
        capture_output=True,
        text=True,
        check=False,
    )
    lines = (line.split(None, 2) for line in listed.stdout.splitlines())
    return [Process(int(pid), int(parent), born) for pid, parent, born in lines]
