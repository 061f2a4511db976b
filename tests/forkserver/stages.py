"""What the processes of these tests say of themselves. They load this, and no test."""

from __future__ import annotations

import os
import random
import resource
import signal
import subprocess
import sys
import uuid
from pathlib import Path

LIMITS = [getattr(resource, name) for name in dir(resource) if name.startswith("RLIMIT")]


class Tells:
    """A bare actor."""

    def process(self):
        return {
            "arguments": [word.partition("=")[0] for word in sys.argv],
            "descriptors": opened(),
            "environment": dict(os.environ),
            "flags": repr(sys.flags),
            "folder": str(Path.cwd()),
            "main": sys.modules["__main__"].__file__,
            "limits": [resource.getrlimit(each) for each in LIMITS],
            "nice": os.nice(0),
            "oom": Path("/proc/self/oom_score_adj").read_text(),
            "original": [word.partition("=")[0] for word in sys.orig_argv],
            "path": sys.path,
            "program": sys.executable,
            "session": os.getsid(0),
            "umask": Path("/proc/self/status").read_text().partition("Umask:")[2].split()[0],
            "signals": {str(each): handler_of(each) for each in signal.valid_signals()},
            "mask": sorted(map(str, signal.pthread_sigmask(signal.SIG_BLOCK, []))),
        }

    def pids(self):
        """Its own, and its parent's."""
        return os.getpid(), os.getppid()

    def chance(self):
        return random.random(), uuid.uuid4().hex, os.urandom(8)  # noqa: S311 - no secret

    def has_child(self):
        self._child = subprocess.Popen(["sleep", "1000"])  # noqa: S607 - of every system
        return self._child.pid

    def exit_of_child(self):
        return subprocess.run([sys.executable, "-c", "exit(7)"]).returncode


def opened():
    """What is not Ray's own, which opens and closes connections at any time."""
    kinds = [str(each.readlink()) for each in Path("/proc/self/fd").iterdir() if each.exists()]
    return sorted(kind for kind in kinds if kind.startswith("/dev") or "stageflow" in kind)


def handler_of(number):
    handler = signal.getsignal(number)
    return getattr(handler, "__qualname__", str(handler))


async def tell_parent(ctx):
    return {"pid": os.getpid(), "parent": command(os.getppid())}


def command(pid):
    return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
