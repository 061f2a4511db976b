"""A function of a test, called in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import cloudpickle

ROOT = Path(__file__).parents[2]
_CALL = "import sys, pickle; pickle.load(sys.stdin.buffer)()"


def start_elsewhere(function):
    """The process, in which ``function()`` is called, and which then exits."""
    process = subprocess.Popen(
        [sys.executable, "-c", _CALL],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdin=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    process.stdin.write(cloudpickle.dumps(function))
    process.stdin.close()
    process.stdin = None  # or communicate() would flush what is closed
    return process


def call_elsewhere(function):
    """Exit status of a process that calls ``function()``, and what it wrote on stderr."""
    process = start_elsewhere(function)
    _out, told = process.communicate(timeout=60)
    return process.returncode, told.decode()
