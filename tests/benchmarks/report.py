"""The rows as a Markdown table and as JSON, with what they were measured on."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path

from tests.benchmarks.cores import worth_of_all
from tests.benchmarks.figures import Figure, Row, Skipped

_HEAD = ("Figure", "Ours", "Peer", "Ratio (10th to 90th percentile)", "Bar", "")
_VERDICTS = {True: "met", False: "MISSED", None: ""}
_GIGABYTE = 10**9


def machine() -> dict[str, str]:
    """What decides how long things take."""
    return {
        "cores": str(os.cpu_count()),
        "all cores at once": f"{worth_of_all():.2f} times one alone",
        "cpu": _cpu_model(),
        "memory": f"{_memory_bytes() / _GIGABYTE:.0f} GB",
        "system": f"{platform.system()} {platform.release()}",
        "load": f"{os.getloadavg()[0]:.1f}",
        "python": platform.python_version(),
        **{name: version(name) for name in ("ray", "stageflow-core", "langgraph", "pydantic")},
    }


def measured(rows: Sequence[Row]) -> list[Figure]:
    """The rows that are figures."""
    return [row for row in rows if isinstance(row, Figure)]


def skipped(rows: Sequence[Row]) -> list[Skipped]:
    """The others."""
    return [row for row in rows if isinstance(row, Skipped)]


def to_markdown(rows: Sequence[Row]) -> str:
    """A table with a line per row, aligned to be read as it is."""
    cells = [_HEAD, *map(_cells, rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(_HEAD))]
    lines = [" | ".join(cell.ljust(width) for cell, width in zip(row, widths)) for row in cells]
    lines.insert(1, " | ".join("-" * max(width, 3) for width in widths))
    return "\n".join(f"| {line} |" for line in lines)


def summary(rows: Sequence[Row]) -> str:
    """How many figures meet their bars, which do not, and what was not measured."""
    met = sum(figure.is_met is True for figure in measured(rows))
    missed = [
        f"{figure.name} / {figure.peer_name}" for figure in measured(rows) if figure.is_met is False
    ]
    counts = f"{met} figures met, {len(missed)} missed"
    lines = [f"{counts}: {'; '.join(missed)}." if missed else f"{counts}."]
    lines += [f"Not measured: {row.name} ({row.reason})." for row in skipped(rows)]
    return "\n".join(lines)


def to_json(rows: Sequence[Row], facts: Mapping[str, str]) -> str:
    """Everything in the table and the machine, for programs."""
    written = {
        "machine": facts,
        "figures": [asdict(figure) for figure in measured(rows)],
        "skipped": [asdict(row) for row in skipped(rows)],
    }
    return json.dumps(written, indent=2) + "\n"


def _cells(row: Row) -> tuple[str, ...]:
    if isinstance(row, Skipped):
        return (row.name, "", "", "", "", f"not measured: {row.reason}")
    ratio = row.ratio
    return (
        row.name,
        f"{_number(row.ours)} {row.unit}",
        f"{_number(row.peer)} {row.unit} ({row.peer_name})",
        f"{ratio.median:.2f}x ({ratio.low:.2f} to {ratio.high:.2f})" if ratio else "",
        row.bar,
        _VERDICTS[row.is_met],
    )


def _number(value: float) -> str:
    return f"{value:.0f}" if value == int(value) or value >= 100 else f"{value:.3g}"


def _memory_bytes() -> int:
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def _cpu_model() -> str:
    facts = Path("/proc/cpuinfo")
    if facts.exists():
        for line in facts.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
