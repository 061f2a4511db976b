"""``Frame``: where the parts of a timeline lie, in pixels, before they become markup."""

from __future__ import annotations

from dataclasses import dataclass

from stageflow_actors.drawing.labels import MAX_CELLS, cells, short
from stageflow_actors.drawing.timeline.chart import Bar, BarKind, Chart, Row
from stageflow_actors.story.critical_path import shares_of

MOST_ROWS = 400
"""More are left out of a picture, and counted in it."""

_NAME_CELL = 7.3
_MARGIN = 20.0
_INDENT = 14.0
_ROW_HEIGHT = 25.0
_HEAD_Y = 31.0
_AXIS_Y = 60.0
_ROWS_Y = 70.0
_RIGHT_COLUMNS = 118.0
_PART_COLUMN = 40.0
_GAP = 16.0
_STRIP_HEIGHT = 46.0
_LEAST_LENGTH = 160.0
_LEAST_SEEN = 0.5


@dataclass(frozen=True, slots=True)
class Frame:
    """The picture's size, its scale, and the rows that it shows; ``hidden`` are left out."""

    chart: Chart
    rows: tuple[Row, ...]
    hidden: int
    width: float
    left: float
    length: float
    name_cells: int
    margin: float = _MARGIN
    indent: float = _INDENT
    head_y: float = _HEAD_Y
    axis_y: float = _AXIS_Y

    def x(self, at_s: float) -> float:
        """Where a moment of the run lies."""
        share = at_s / self.chart.seconds if self.chart.seconds > 0 else 0.0
        return self.left + min(1.0, max(0.0, share)) * self.length

    def is_seen(self, bar: Bar) -> bool:
        """Whether it is long enough to be drawn; what works is, however short."""
        if bar.kind in (BarKind.WORKING, BarKind.RUN):
            return True
        return self.x(bar.ended_s) - self.x(bar.started_s) >= _LEAST_SEEN

    def middle(self, index: int) -> float:
        """The middle of a row, from above."""
        return _ROWS_Y + (index + 0.5) * _ROW_HEIGHT

    @property
    def rows_end(self) -> float:
        """Where the last row ends."""
        return _ROWS_Y + len(self.rows) * _ROW_HEIGHT + 4

    @property
    def strip_y(self) -> float:
        """The middle of the critical path below the rows."""
        return self.rows_end + 24

    @property
    def legend_y(self) -> float:
        """The middle of the first line of the legend, which is the last of the picture."""
        return self.rows_end + (_STRIP_HEIGHT if self.chart.path else 0) + 16

    @property
    def worked_x(self) -> float:
        """Where the column of times ends."""
        return self.part_x - _PART_COLUMN

    @property
    def part_x(self) -> float:
        """Where the column of shares ends."""
        return self.width - _MARGIN


def frame_of(chart: Chart, width: float) -> Frame:
    """Lay ``chart`` out; names get as much room as they need, up to a third of it."""
    rows, hidden = _visible(chart)
    most = max(8, min(MAX_CELLS, int(width / 3 / _NAME_CELL)))
    needed = [cells(short(row.name, most)) + 2 * row.depth for row in rows]
    name_cells = min(most, max([8, len("critical path"), *needed]))
    left = _MARGIN + name_cells * _NAME_CELL + _GAP
    length = max(_LEAST_LENGTH, width - left - _RIGHT_COLUMNS - _MARGIN)
    return Frame(
        chart, rows, hidden, left + length + _RIGHT_COLUMNS + _MARGIN, left, length, name_cells
    )


def _visible(chart: Chart) -> tuple[tuple[Row, ...], int]:
    """All rows, or those that matter most: on the critical path, then failed, then long."""
    if len(chart.rows) <= MOST_ROWS:
        return chart.rows, 0
    parts = {share.stage: share.part for share in shares_of(chart.path)}
    ranked = sorted(
        range(len(chart.rows)),
        key=lambda n: (-parts.get(chart.rows[n].name, 0.0), -chart.rows[n].worked_s, n),
    )
    chosen = sorted(ranked[:MOST_ROWS])
    return tuple(chart.rows[n] for n in chosen), len(chart.rows) - MOST_ROWS
