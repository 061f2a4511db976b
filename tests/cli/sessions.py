"""Commands as somebody types them one after the other, and what is printed for each."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

PROGRAM = """
import json, sys
from stageflow_actors.cli.app import main

for arguments in json.loads(sys.argv.pop()):
    sys.argv[1:] = arguments
    code = 0
    try:
        main()
    except SystemExit as end:
        code = end.code or 0
    print(f"\\x1e{code}", end="\\x1e", flush=True)
"""
"""All in one process: to start one takes longer than most commands do."""


class Printed(NamedTuple):
    """What one command wrote to both outputs, and its exit status."""

    output: str
    code: int


def typed(
    commands: list[str], folder: Path, columns: int, encoding: str = "utf-8"
) -> list[Printed]:
    """What the program prints for each of ``commands``, which go without its name.

    ``columns`` and ``encoding`` are those of the terminal.
    """
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, json.dumps([shlex.split(each) for each in commands])],
        cwd=folder,
        env={**os.environ, "COLUMNS": str(columns), "PYTHONIOENCODING": encoding},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding=encoding,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    *parts, _rest = done.stdout.split("\x1e")
    outputs, codes = parts[::2], parts[1::2]
    return [Printed(output, int(code)) for output, code in zip(outputs, codes, strict=True)]
