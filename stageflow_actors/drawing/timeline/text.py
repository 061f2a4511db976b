"""A timeline for a terminal: names, times and bars on one scale."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from math import floor
from types import MappingProxyType

from stageflow_actors.drawing.canvas import plain
from stageflow_actors.drawing.labels import cells, padded, short, shown
from stageflow_actors.drawing.timeline.chart import Bar, BarKind, Chart, Row
from stageflow_actors.drawing.timeline.ticks import duration, percent, ticks
from stageflow_actors.story.critical_path import shares_of
from stageflow_actors.story.parts import Outcome

WAITS, READY, WORKS, FAILS, STOPPED, RETRIES, RUNS = "·░█▓▒─═"
_BLANK = " "
"""Within a bar: neither at work nor waiting for anything but the next decision."""
_MEANINGS = (
    (WAITS, "waits for others"),
    (READY, "waits for its process"),
    (WORKS, "works"),
    (FAILS, "fails"),
    (STOPPED, "is stopped"),
    (RETRIES, "waits to be retried"),
    (RUNS, "child run"),
    (_BLANK, "the runtime, or a guard, is between two attempts"),
)
_SIGN_OF_END = MappingProxyType(
    {
        Outcome.FAILED: FAILS,
        Outcome.RETRIED: FAILS,
        Outcome.REJECTED: FAILS,
        Outcome.LOST: FAILS,
        Outcome.CANCELLED: STOPPED,
    }
)
_TICK = "╵"
_TIME_CELLS = 11
_PART_CELLS = 6
_CELLS_BESIDE_NAME = 2 * _TIME_CELLS + _PART_CELLS + 4
_LEAST_BAR = 10
_CELLS_PER_TICK = 7
_MOST_SHARES = 6


def report(chart: Chart, *, width: int = 100, is_plain: bool = False) -> str:
    """What became of the run, its timeline, and who spent its time."""
    lines = [_verdict(chart), f"run {shown(chart.run_id)}", ""]
    text = "\n".join(short(line, width) for line in lines) + "\n"
    spent = "\n".join(_wrapped(list(_spent(chart)), width))
    text += _table(chart, width) + (f"\n{spent}\n" if spent else "")
    return plain(text) if is_plain else text


def timeline(chart: Chart, *, width: int = 80, is_plain: bool = False) -> str:
    """Names, times and bars, and what the bars mean; with ``is_plain`` in ASCII.

    Up to ``width`` columns wide, unless that leaves no room for bars.
    """
    text = _table(chart, width)
    return plain(text) if is_plain else text


def drawn_bar(row: Row, seconds: float, length: int) -> str:
    """The bars of ``row`` in signs, where the whole run is ``length`` of them."""
    signs = [" "] * length
    scale = _Scale(max(seconds, 1e-9), length)
    first = scale.cell(row.bars[0].started_s) if row.bars else 0
    signs[:first] = WAITS * first
    for bar in sorted(row.bars, key=lambda bar: _RANK.index(bar.kind)):
        start, end = scale.cell(bar.started_s), scale.cell(bar.ended_s)
        if bar.kind in (BarKind.WORKING, BarKind.RUN):  # the shortest is seen
            start = min(start, length - 1)
            end = max(end, start + 1)
        signs[start:end] = _sign(bar) * (end - start)
    return "".join(signs).rstrip()


_RANK = (BarKind.RUN, BarKind.WAITING, BarKind.RETRYING, BarKind.WORKING)


def _table(chart: Chart, width: int) -> str:
    names = ["  " * row.depth + short(row.name, max(8, width // 3)) for row in chart.rows]
    room = min(max(map(cells, names), default=0), max(8, width // 3))
    names = [short(name, room) for name in names]
    length = max(_LEAST_BAR, width - room - _CELLS_BESIDE_NAME)
    head = f"{'started':>{_TIME_CELLS}}{'worked':>{_TIME_CELLS}}{'path':>{_PART_CELLS}}"
    lines, used = [f"{'':{room}}  {head}"], set[str]()
    for name, row in zip(names, chart.rows, strict=True):
        bar = drawn_bar(row, chart.seconds, length)
        used.update(bar)
        lines.append(f"{padded(name, room)}  {_times(row)}  {bar}".rstrip())
    lines.append(" " * (room + _CELLS_BESIDE_NAME - 2) + "  " + _axis(chart.seconds, length))
    names_of_signs = {_BLANK: "blank:"}
    meanings = [
        f"{names_of_signs.get(sign, sign)} {meaning}" for sign, meaning in _MEANINGS if sign in used
    ]
    return "\n".join([*lines, *_wrapped(meanings, width), ""])


def _verdict(chart: Chart) -> str:
    status = "has not ended" if chart.status is None else chart.status.replace("_", " ")
    return f"{shown(chart.title)}: {shown(status)} after {duration(chart.seconds)}" + (
        f": {shown(chart.reason)}" if chart.reason else ""
    )


def _spent(chart: Chart) -> Iterator[str]:
    """Who spent the time, the largest share first."""
    shares = shares_of(chart.path)
    if not shares:
        return
    for index, share in enumerate(shares[:_MOST_SHARES]):
        name = "between stages" if share.stage is None else short(share.stage)
        decided = " (decided)" if share.stage and share.stage == chart.decided_by else ""
        told = f"{name} {percent(share.part)}{decided}"
        yield f"Critical path: {told}" if not index else told
    if len(shares) > _MOST_SHARES:
        rest = sum(share.part for share in shares[_MOST_SHARES:])
        yield f"{len(shares) - _MOST_SHARES} more {percent(rest)}"


def _times(row: Row) -> str:
    if row.started_s is None:
        return f"{row.note:>{2 * _TIME_CELLS}}{'':{_PART_CELLS}}"
    part = "" if row.part is None else percent(row.part)
    started, worked = duration(row.started_s), duration(row.worked_s)
    return f"{started:>{_TIME_CELLS}}{worked:>{_TIME_CELLS}}{part:>{_PART_CELLS}}"


def _sign(bar: Bar) -> str:
    if bar.kind is BarKind.WAITING:
        return READY
    if bar.kind is BarKind.RETRYING:
        return RETRIES
    if bar.kind is BarKind.RUN:
        return RUNS
    return _SIGN_OF_END.get(bar.outcome, WORKS)


def _axis(seconds: float, length: int) -> str:
    """Round moments below the bars, as many as have room for their labels."""
    for most in range(max(1, length // _CELLS_PER_TICK), 0, -1):
        line = _marks(seconds, length, most)
        if line is not None:
            return line
    return _TICK + ticks(seconds, 1)[0].label


def _marks(seconds: float, length: int, most: int) -> str | None:
    """Each label behind its mark; ``None`` where two would touch. The last may reach the end."""
    scale = _Scale(max(seconds, 1e-9), length)
    line = ""
    for tick in ticks(seconds, most):
        at, label = min(scale.cell(tick.at_s), length - 1), _TICK + tick.label
        if line and at <= len(line):
            return None
        if at + len(label) <= length:
            line = line.ljust(at) + label
    return line


def _wrapped(parts: Iterable[str], width: int) -> list[str]:
    """``parts`` with commas between them, on as many lines as it takes."""
    lines = [""]
    for part in parts:
        longer = f"{lines[-1]}, {part}" if lines[-1] else part
        if lines[-1] and cells(longer) > width - 1:
            lines[-1] += ","
            lines.append(part)
        else:
            lines[-1] = longer
    return [line for line in lines if line]


class _Scale:
    def __init__(self, seconds: float, length: int) -> None:
        self._seconds = seconds
        self._length = length

    def cell(self, at_s: float) -> int:
        return min(self._length, max(0, floor(at_s / self._seconds * self._length + 0.5)))
