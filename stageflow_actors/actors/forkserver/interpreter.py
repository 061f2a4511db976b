"""Has the Ray that is started here start its workers through the launcher."""

from __future__ import annotations

import hashlib
import logging
import os
import shlex
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

logger = logging.getLogger("stageflow_actors")

_LAUNCHER = "launcher.py"
_PROBE_S = 10.0


@contextmanager
def forked_workers() -> Iterator[None]:
    """Inside, ``ray.init(address="local")`` starts a Ray that forks its workers. Linux only.

    Ray starts its workers with the ``sys.executable`` of whoever starts it, for as long as it is
    up: a script of this user's cache folder has to be there as long. Where it cannot be, workers
    are started as always, and the log says why.
    """
    python = sys.executable
    script = _script(python) if sys.platform == "linux" else None
    if script is None:
        yield
        return
    sys.executable = str(script)
    try:
        yield
    finally:
        sys.executable = python


def _script(python: str) -> Path | None:
    command = shlex.join([python, "-IS", str(Path(__file__).with_name(_LAUNCHER)), python])
    text = f'#!/bin/sh\nexec {command} "$@"\n'
    try:
        script = _cache() / f"python-{hashlib.sha256(text.encode()).hexdigest()[:16]}"
        _write(script, text)
        probe = [str(script), "-IS", "-c", ""]
        subprocess.run(probe, check=True, timeout=_PROBE_S)  # noqa: S603 - written just now
    except (OSError, RuntimeError, subprocess.SubprocessError) as error:
        logger.warning("Processes of stages are started slowly, not forked: %s", error)
        return None
    return script


def _cache() -> Path:
    """A folder that lasts as long as Ray may be up, which one for temporary files may not."""
    home = os.environ.get("XDG_CACHE_HOME")
    return (Path(home) if home else Path.home() / ".cache") / "stageflow-actors"


def _write(script: Path, text: str) -> None:
    """As a whole, since other programs may be about to run it."""
    if script.is_file() and script.read_text() == text and os.access(script, os.X_OK):
        return
    script.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    fresh = script.with_name(f"{script.name}.{os.getpid()}")
    fresh.write_text(text)
    fresh.chmod(0o700)
    fresh.replace(script)
