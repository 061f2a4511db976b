"""What the colours of a timeline mean: only those that are in it."""

from __future__ import annotations

from collections.abc import Iterator
from types import MappingProxyType

from stageflow_actors.drawing.labels import cells
from stageflow_actors.drawing.timeline.chart import BarKind
from stageflow_actors.drawing.timeline.frame import Frame
from stageflow_actors.drawing.timeline.svg_path import has_colour
from stageflow_actors.story.critical_path import Spent
from stageflow_actors.story.parts import Outcome

_SMALL_CELL = 6.1
_SWATCH = 16.0
_LINE = 19.0
_BELOW = 24.0
_OUTCOMES = MappingProxyType(
    {
        Outcome.COMPLETED: "works",
        Outcome.OPEN: "goes on",
        Outcome.RETRIED: "fails, is retried",
        Outcome.REJECTED: "rejects",
        Outcome.FAILED: "fails",
        Outcome.LOST: "is lost",
        Outcome.CANCELLED: "is stopped",
        Outcome.SKIPPED: "skips itself",
    }
)


def legend(frame: Frame) -> Iterator[str]:
    """Swatches, each with its meaning; and how many rows are left out."""
    x, y = frame.margin, frame.legend_y
    for line in _lines(frame):
        x = frame.margin
        for mark, text in line:
            yield mark.format(x=x, y=y, end=x + _SWATCH)
            at = f'x="{x + _SWATCH + 6:.1f}" y="{y + 3.5:.1f}"'
            yield f'<text class="small" {at}>{text}</text>'
            x += _width_of(text)
        y += _LINE
    if frame.hidden:
        text = f"{frame.hidden} rows are left out"
        yield (f'<text class="small right" x="{frame.part_x:.1f}" y="{y + 3.5:.1f}">{text}</text>')


def legend_end(frame: Frame) -> float:
    """Where it ends, and the picture with it."""
    lines = len(_lines(frame)) + (1 if frame.hidden else 0)
    return frame.legend_y + max(0, lines - 1) * _LINE + _BELOW


def _width_of(text: str) -> float:
    return _SWATCH + 6 + cells(text) * _SMALL_CELL + 18


def _lines(frame: Frame) -> list[list[tuple[str, str]]]:
    lines: list[list[tuple[str, str]]] = []
    left = 0.0
    for mark, text in _entries(frame):
        width = _width_of(text)
        if not lines or width > left:
            lines.append([])
            left = frame.part_x - frame.margin
        lines[-1].append((mark, text))
        left -= width
    return lines


def _entries(frame: Frame) -> Iterator[tuple[str, str]]:
    bars = [bar for row in frame.rows for bar in row.bars if frame.is_seen(bar)]
    kinds = {bar.kind for bar in bars}
    if BarKind.WAITING in kinds:
        yield _rect("waiting", 5), "waits for its process"
    outcomes = {bar.outcome for bar in bars if bar.kind is BarKind.WORKING}
    for outcome, meaning in _OUTCOMES.items():
        if outcome in outcomes:
            yield _rect(f"{outcome} bar", 11), meaning
    if any(row.calls for row in frame.rows):
        yield _rect("call", 4), "provider call"
    if BarKind.RETRYING in kinds:
        yield _line("retrying"), "waits to be retried"
    if BarKind.RUN in kinds:
        yield _rect("run-bar", 3), "child run"
    if frame.chart.path:
        yield _line("path"), "critical path"
    if any(each.kind is Spent.RUNTIME and has_colour(frame, each) for each in frame.chart.path):
        yield _rect("runtime piece", 11), "the runtime is between two"


def _rect(looks: str, height: float) -> str:
    place = f'x="{{x:.1f}}" y="{{y:.1f}}" width="{_SWATCH:.0f}" height="{height:.0f}"'
    return (
        f'<rect class="{looks}" {place} rx="{min(3.0, height / 2):.1f}" '
        f'transform="translate(0 {-height / 2:.1f})"/>'
    )


def _line(looks: str) -> str:
    return f'<path class="{looks}" d="M{{x:.1f}},{{y:.1f}} L{{end:.1f}},{{y:.1f}}"/>'
