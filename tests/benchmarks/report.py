"""The figures as a Markdown table and as JSON, with what they were measured on."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path

from tests.benchmarks.figures import Figure

_HEAD = ("Figure", "Ours", "Peer", "Ratio (10th to 90th percentile)", "Bar", "")


def machine() -> dict[str, str]:
    """What decides how long things take."""
    return {
        "cores": str(os.cpu_count()),
        "cpu": _cpu_model(),
        "python": platform.python_version(),
        "ray": version("ray"),
        "stageflow-core": version("stageflow-core"),
        "pydantic": version("pydantic"),
    }


def to_markdown(figures: Sequence[Figure]) -> str:
    """A table with a row per figure, aligned to be read as it is."""
    rows = [_HEAD, *map(_row, figures)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEAD))]
    lines = [" | ".join(cell.ljust(width) for cell, width in zip(row, widths)) for row in rows]
    lines.insert(1, " | ".join("-" * max(width, 3) for width in widths))
    return "\n".join(f"| {line} |" for line in lines)


def summary(figures: Sequence[Figure]) -> str:
    """How many figures meet their bars, and which do not."""
    missed = [figure.name for figure in figures if not figure.is_met]
    counts = f"{len(figures) - len(missed)} figures met, {len(missed)} missed"
    return f"{counts}: {'; '.join(missed)}." if missed else f"{counts}."


def to_json(figures: Sequence[Figure], facts: Mapping[str, str]) -> str:
    """Everything in the table and the machine, for programs."""
    return json.dumps({"machine": facts, "figures": [asdict(f) for f in figures]}, indent=2) + "\n"


def _row(figure: Figure) -> tuple[str, ...]:
    ratio = figure.ratio
    return (
        figure.name,
        f"{_number(figure.ours)} {figure.unit}",
        f"{_number(figure.peer)} {figure.unit} ({figure.peer_name})",
        f"{ratio.median:.2f}x ({ratio.low:.2f} to {ratio.high:.2f})" if ratio else "",
        figure.bar,
        "met" if figure.is_met else "MISSED",
    )


def _number(value: float) -> str:
    return f"{value:.0f}" if value == int(value) else f"{value:.3g}"


def _cpu_model() -> str:
    facts = Path("/proc/cpuinfo")
    if facts.exists():
        for line in facts.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
