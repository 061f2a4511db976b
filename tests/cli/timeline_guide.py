"""What stands in the guide about timelines, made from the runs that are stored for it.

``python -m tests.cli.timeline_guide`` makes the pictures and the console sessions anew.
"""

from __future__ import annotations

import shlex
import shutil
import tempfile
from pathlib import Path

from tests.cli.sessions import typed
from tests.docs import documents

GUIDE = documents.ROOT / "docs" / "guides" / "timeline.md"
PICTURES = documents.ROOT / "docs" / "pictures"
RUNS = PICTURES / "runs"
MADE_BY = {
    "timeline_support.svg": "timeline support.jsonl -o",
    "timeline_deadline.svg": "timeline deadline.jsonl -o",
    "graph_deadline.svg": "graph support.py:support --run deadline.jsonl -o",
}
"""The pictures in the guide, by the command that writes each."""

_PROMPT = "$ stageflow-actors "


def prepare(folder: Path) -> None:
    """Put there what the commands of the guide read."""
    (block,) = documents.examples(GUIDE)
    (folder / "support.py").write_text(block.code, encoding="utf-8")
    for run in RUNS.glob("*.jsonl"):
        shutil.copy(run, folder)


def printed(commands: list[str], folder: Path) -> list[str]:
    """What the program prints for each of them; all of them end well."""
    answers = typed(commands, folder, columns=96)
    assert {answer.code for answer in answers} <= {0}, answers
    return [answer.output for answer in answers]


def draw(pictures: Path, folder: Path) -> None:
    """Make each picture of the guide anew, below ``pictures``."""
    commands = MADE_BY.items()
    printed(
        [f"{made_by} {shlex.quote(str(pictures / name))}" for name, made_by in commands], folder
    )


def sessions() -> list[tuple[str, str]]:
    """Each command in the guide, and what stands below it."""
    found = []
    for block in documents.blocks(GUIDE):
        if block.info == "console":
            command, _newline, output = block.code.removeprefix(_PROMPT).partition("\n")
            found.append((command, output))
    return found


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        prepare(folder)
        text = GUIDE.read_text(encoding="utf-8")
        shown = sessions()
        made = printed([command for command, _output in shown], folder)
        for (command, output), now in zip(shown, made, strict=True):
            before = f"```console\n{_PROMPT}{command}\n"
            text = text.replace(f"{before}{output}```", f"{before}{now}```")
        GUIDE.write_text(text, encoding="utf-8")
        draw(PICTURES, folder)


if __name__ == "__main__":
    main()
