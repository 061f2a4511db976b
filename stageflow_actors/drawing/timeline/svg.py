"""A timeline as SVG: one file, no script, no font, no link; legible on light and dark pages."""

from __future__ import annotations

from collections.abc import Iterator

from stageflow_actors.drawing.labels import cells, short, shown
from stageflow_actors.drawing.svg import xml_text
from stageflow_actors.drawing.timeline.chart import Bar, BarKind, Chart, Row, outcome_of_run
from stageflow_actors.drawing.timeline.frame import Frame, frame_of
from stageflow_actors.drawing.timeline.svg_legend import legend, legend_end
from stageflow_actors.drawing.timeline.svg_path import path_line, path_strip
from stageflow_actors.drawing.timeline.svg_style import STYLE
from stageflow_actors.drawing.timeline.ticks import duration, percent, ticks
from stageflow_actors.story.parts import Outcome

DEFAULT_WIDTH = 960
LEAST_WIDTH = 480
_PIXELS_PER_TICK = 95.0
_LEAST_BAR = 1.5
_SMALL_CELL = 6.1
_QUIET = frozenset({None, Outcome.SKIPPED})


def to_svg(chart: Chart, width: int = DEFAULT_WIDTH) -> str:
    """The picture as an SVG document, ``width`` pixels wide, but never less than 480."""
    frame = frame_of(chart, max(width, LEAST_WIDTH))
    return "\n".join([*_markup(frame), ""])


def _markup(frame: Frame) -> Iterator[str]:
    chart = frame.chart
    height = legend_end(frame)
    size = f'width="{frame.width:.0f}" height="{height:.0f}"'
    box = f'viewBox="0 0 {frame.width:.0f} {height:.0f}"'
    yield f'<svg xmlns="http://www.w3.org/2000/svg" {size} {box} role="img">'
    yield f"<title>{xml_text(shown(chart.title))}</title>"
    yield f"<desc>{xml_text(_in_words(chart))}</desc>"
    yield STYLE
    yield f'<rect class="page" width="{frame.width:.0f}" height="{height:.0f}" rx="10"/>'
    yield from _head(frame)
    yield from _axis(frame)
    for index, row in enumerate(frame.rows):
        yield from _row(frame, index, row)
    yield from path_line(frame)
    yield from path_strip(frame)
    yield from legend(frame)
    yield "</svg>"


def _in_words(chart: Chart) -> str:
    status = "has not ended" if chart.status is None else f"ended {shown(chart.status)}"
    rows = ", ".join(
        f"{shown(row.name)} {duration(row.worked_s)}" for row in chart.rows if not row.is_run
    )
    return f"Timeline of run {shown(chart.run_id)}, which {status}: {rows}."


def _head(frame: Frame) -> Iterator[str]:
    chart = frame.chart
    status = "has not ended" if chart.status is None else shown(chart.status).replace("_", " ")
    outcome = outcome_of_run(chart.status)
    told = f"{status} after {duration(chart.seconds)}"
    title = short(chart.title or "run")
    reason = f": {shown(chart.reason)}" if chart.reason else ""
    start = frame.margin + cells(title) * 8.5 + 14
    room = int((frame.width - frame.margin - start) / 7.3)
    at = f'y="{frame.head_y:.1f}"'
    yield f'<text class="title" x="{frame.margin:.1f}" {at}>{xml_text(title)}</text>'
    yield (
        f'<text class="verdict {outcome}" x="{start:.1f}" {at}>'
        f"{xml_text(short(told + reason, max(8, room)))}</text>"
    )


def _axis(frame: Frame) -> Iterator[str]:
    """Round moments: a line down through the rows, and its label above."""
    most = max(2, int(frame.length / _PIXELS_PER_TICK))
    bottom = frame.rows_end
    for tick in ticks(frame.chart.seconds, most):
        x = frame.x(tick.at_s)
        line = f'x1="{x:.1f}" y1="{frame.axis_y + 6:.1f}" x2="{x:.1f}" y2="{bottom:.1f}"'
        yield f'<line class="grid" {line}/>'
        yield f'<text class="tick" x="{x:.1f}" y="{frame.axis_y:.1f}">{tick.label}</text>'
    if frame.chart.status == "timed_out":
        x = frame.x(frame.chart.seconds)
        line = f'x1="{x:.1f}" y1="{frame.axis_y + 6:.1f}" x2="{x:.1f}" y2="{bottom:.1f}"'
        yield f'<line class="end" {line}><title>its time was up</title></line>'
    for x, text in ((frame.worked_x, "worked"), (frame.part_x, "path")):
        yield f'<text class="small right" x="{x:.1f}" y="{frame.axis_y:.1f}">{text}</text>'


def _row(frame: Frame, index: int, row: Row) -> Iterator[str]:
    y = frame.middle(index)
    yield from _name(frame, row, y)
    for bar in sorted(row.bars, key=lambda bar: bar.kind is BarKind.WORKING):
        if frame.is_seen(bar):
            yield _bar(frame, bar, y)
    for call in row.calls:
        start, length = _extent(frame, call)
        yield (
            f'<rect class="call" x="{start:.1f}" y="{y + 1.5:.1f}" width="{length:.1f}" '
            f'height="4"><title>{xml_text(shown(call.tip))}</title></rect>'
        )
    if row.note and row.started_s is not None:
        yield from _note(frame, row, y)
    if row.bars:
        yield _right(frame.worked_x, y, duration(row.worked_s))
    elif row.note:
        yield _right(frame.worked_x, y, row.note)
    if row.part is not None:
        yield _right(frame.part_x, y, percent(row.part))


def _right(x: float, y: float, text: str) -> str:
    return f'<text class="small right" x="{x:.1f}" y="{y + 3.5:.1f}">{xml_text(text)}</text>'


def _name(frame: Frame, row: Row, y: float) -> Iterator[str]:
    name = short(row.name, frame.name_cells - 2 * row.depth)
    tip = f"<title>{xml_text(shown(row.name))}</title>" if name != row.name else ""
    quiet = " quiet" if row.outcome in _QUIET and not row.is_run else ""
    run = " run" if row.is_run else ""
    x = frame.margin + frame.indent * row.depth
    text = f'<text class="name{quiet}{run}" x="{x:.1f}" y="{y + 4:.1f}">'
    yield f"{text}{xml_text(name)}{tip}</text>"


def _bar(frame: Frame, bar: Bar, y: float) -> str:
    start, length = _extent(frame, bar)
    tip = f"<title>{xml_text(shown(bar.tip))}</title>"
    if bar.kind is BarKind.RETRYING:
        end = start + length
        return (
            f'<line class="retrying" x1="{start:.1f}" y1="{y:.1f}" x2="{end:.1f}" y2="{y:.1f}">'
            f"{tip}</line>"
        )
    looks, height = f"{bar.outcome} bar", 13.0
    if bar.kind is BarKind.WAITING:
        looks, height = "waiting", 5.0
    if bar.kind is BarKind.RUN:
        looks, height = "run-bar", 3.0
    top, round_ = y - height / 2, min(3.0, height / 2, length / 2)
    return (
        f'<rect class="{looks}" x="{start:.1f}" y="{top:.1f}" width="{length:.1f}" '
        f'height="{height:.0f}" rx="{round_:.1f}">{tip}</rect>'
    )


def _extent(frame: Frame, bar: Bar) -> tuple[float, float]:
    """Where a bar begins, and how long it is; the shortest is seen, and all are inside."""
    start, end = frame.x(bar.started_s), frame.x(bar.ended_s)
    is_needed = bar.kind in (BarKind.WORKING, BarKind.RUN)
    length = max(end - start, _LEAST_BAR if is_needed else 0.0)
    return min(start, frame.left + frame.length - length), length


def _note(frame: Frame, row: Row, y: float) -> Iterator[str]:
    """Behind the last bar, or before the first, wherever there is room."""
    width = cells(shown(row.note)) * _SMALL_CELL
    end, first = frame.x(row.bars[-1].ended_s) + 8, frame.x(row.bars[0].started_s) - 8
    text = xml_text(shown(row.note))
    if end + width <= frame.left + frame.length:
        yield f'<text class="small" x="{end:.1f}" y="{y + 3.5:.1f}">{text}</text>'
    elif first - width >= frame.left:
        yield f'<text class="small right" x="{first:.1f}" y="{y + 3.5:.1f}">{text}</text>'
