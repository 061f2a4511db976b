"""Has the Ray that is started here start its workers through the launcher."""

from __future__ import annotations

import logging
import multiprocessing.spawn  # noqa: F401 - it keeps the sys.executable of when it is imported
import os
import shlex
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

logger = logging.getLogger("stageflow_actors")

_LAUNCHER = "launcher.py"
_SCRIPT = "stageflow-actors-python"
_PROBE_S = 10.0


@contextmanager
def forked_workers() -> Iterator[None]:
    """Inside, ``ray.init(address="local")`` starts a Ray that forks its workers. Linux only.

    Ray starts its workers with the ``sys.executable`` of whoever starts it, for as long as it is
    up. So the launcher is started by a script that this process holds, in memory: it is there as
    long as a Ray of this process is. Where that cannot be, workers are started as always, and the
    log says why.
    """
    python = sys.executable
    script = _script(python) if sys.platform == "linux" else None
    if script is None:
        yield
        return
    sys.executable = script
    try:
        yield
    finally:
        sys.executable = python


def _script(python: str) -> str | None:
    launcher = shlex.quote(str(Path(__file__).with_name(_LAUNCHER)))
    plain = shlex.quote(python)
    text = (
        "#!/bin/sh\n"
        f'[ -r {launcher} ] && exec {plain} -IS {launcher} {plain} "$@"\n'
        f'exec {plain} "$@"\n'
    )
    try:
        os.close(os.pidfd_open(os.getpid()))  # as the server will
        script = f"/proc/{os.getpid()}/fd/{_held(os.fsencode(text))}"
        probe = [script, "-IS", "-c", ""]
        subprocess.run(probe, check=True, timeout=_PROBE_S)  # noqa: S603 - written just now
    except (AttributeError, OSError, subprocess.SubprocessError) as error:
        logger.warning("Processes of stages are started one by one, not forked: %s", error)
        return None
    return script


def _held(text: bytes) -> int:
    """The number of a file that is in memory, and stays: it is the same one every time."""
    for each in Path("/proc/self/fd").iterdir():
        if each.exists() and _is_ours(each) and each.read_bytes() == text:
            return int(each.name)
    held = os.memfd_create(_SCRIPT)
    os.write(held, text)
    os.fchmod(held, 0o500)
    return held


def _is_ours(descriptor: Path) -> bool:
    return str(descriptor.readlink()).startswith(f"/memfd:{_SCRIPT} ")
