"""The critical path in a timeline: a line below the bars, and a strip that adds up to the run."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from types import MappingProxyType

from stageflow_actors.drawing.labels import cells, short, shown
from stageflow_actors.drawing.svg import xml_text
from stageflow_actors.drawing.timeline.frame import Frame
from stageflow_actors.drawing.timeline.ticks import duration, percent
from stageflow_actors.story.critical_path import Segment, Spent

_BELOW_BAR = 9.0
_STRIP_HEIGHT = 20.0
_CELL = 6.5
_WORDS = MappingProxyType({Spent.RETRYING: "retry wait", Spent.WAITING: "process"})
_LEAST_DRAWN = 0.4
"""Pixels; what is shorter is left to its neighbours, whose edges meet there."""
_LEAST_COLOURED = 2.0


def path_line(frame: Frame) -> Iterator[str]:
    """From row to row, where the run's end waited for them."""
    places = {row.name: n for n, row in enumerate(frame.rows) if not row.depth}
    steps: list[str] = []
    pieces = (piece for piece in frame.chart.path if piece.stage in places)
    for stage, group in groupby(pieces, key=lambda piece: piece.stage):
        these = list(group)
        y = frame.middle(places[stage or ""]) + _BELOW_BAR
        start, end = frame.x(these[0].started_at), frame.x(these[-1].ended_at)
        steps.append(f"{'L' if steps else 'M'}{start:.1f},{y:.1f} L{end:.1f},{y:.1f}")
    if steps:
        yield f'<path class="path" d="{" ".join(steps)}"/>'


def path_strip(frame: Frame) -> Iterator[str]:
    """One piece after the other, named where there is room."""
    if not frame.chart.path:
        return
    rule = frame.rows_end + 4
    yield (
        f'<line class="rule" x1="{frame.margin:.1f}" y1="{rule:.1f}" x2="{frame.part_x:.1f}" '
        f'y2="{rule:.1f}"/>'
    )
    y = frame.strip_y
    yield f'<text class="name" x="{frame.margin:.1f}" y="{y + 4:.1f}">critical path</text>'
    for piece in frame.chart.path:
        yield from _piece(frame, piece, y)


def has_colour(frame: Frame, piece: Segment) -> bool:
    """Whether a piece of the critical path is so long that more of it is seen than its edges."""
    return frame.x(piece.ended_at) - frame.x(piece.started_at) >= _LEAST_COLOURED


def _piece(frame: Frame, piece: Segment, y: float) -> Iterator[str]:
    start, end = frame.x(piece.started_at), frame.x(piece.ended_at)
    if end - start < _LEAST_DRAWN:
        return
    top = y - _STRIP_HEIGHT / 2
    yield (
        f'<rect class="piece {piece.kind}" x="{start:.1f}" y="{top:.1f}" '
        f'width="{end - start:.1f}" height="{_STRIP_HEIGHT:.0f}">'
        f"<title>{xml_text(_tip(frame, piece))}</title></rect>"
    )
    if piece.stage is None or piece.kind is Spent.RUNTIME:
        return
    is_work = piece.kind is Spent.WORKING
    middle, room = (start + end) / 2, (end - start - 8) / _CELL
    name = short(piece.stage) if is_work else _WORDS[piece.kind]
    part = f" {percent(piece.seconds / frame.chart.seconds)}"
    text = name + part if cells(name + part) <= room else name
    looks = "inside" if is_work else "inside quiet"
    if cells(text) <= room:
        yield f'<text class="{looks}" x="{middle:.1f}" y="{y + 3.8:.1f}">{xml_text(text)}</text>'


def _tip(frame: Frame, piece: Segment) -> str:
    stage = "the run itself" if piece.stage is None else shown(piece.stage)
    share = percent(piece.seconds / frame.chart.seconds)
    return f"{stage}, {piece.kind}: {duration(piece.seconds)}, {share}"
