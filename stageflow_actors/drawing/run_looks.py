"""The colours of outcomes in a picture of a pipeline that shows a run."""

from __future__ import annotations

from types import MappingProxyType

from stageflow_actors.drawing.labels import cells
from stageflow_actors.story.parts import Outcome

COLORS = MappingProxyType(
    {
        Outcome.COMPLETED: ("#e6f6ee", "#3c9f6f"),
        Outcome.OPEN: ("#e8f1fd", "#4d8ad6"),
        Outcome.FAILED: ("#fdebec", "#cc5a62"),
        Outcome.LOST: ("#fdebec", "#cc5a62"),
        Outcome.RETRIED: ("#fdf1de", "#cf8a1f"),
        Outcome.REJECTED: ("#f2ebfc", "#8d63c9"),
        Outcome.CANCELLED: ("#e6eaf0", "#77859a"),
        Outcome.SKIPPED: ("#f8f9fb", "#b4bfcc"),
        None: ("#ffffff", "#b4bfcc"),
    }
)
"""Fill and line for a light page, by outcome; ``None``: it did not start."""

_DARK = MappingProxyType(
    {
        Outcome.COMPLETED: ("#15302a", "#4fb586"),
        Outcome.OPEN: ("#17293f", "#5b9be8"),
        Outcome.FAILED: ("#391d21", "#dd727a"),
        Outcome.LOST: ("#391d21", "#dd727a"),
        Outcome.RETRIED: ("#352811", "#dca03b"),
        Outcome.REJECTED: ("#2b2140", "#a780e0"),
        Outcome.CANCELLED: ("#2c3541", "#8493a8"),
        Outcome.SKIPPED: ("#1b222c", "#4a5766"),
        None: ("#151b23", "#4a5766"),
    }
)
_MEANINGS = MappingProxyType(
    {
        Outcome.COMPLETED: "ok",
        Outcome.OPEN: "goes on",
        Outcome.FAILED: "failed",
        Outcome.LOST: "lost",
        Outcome.RETRIED: "to be retried",
        Outcome.REJECTED: "rejected",
        Outcome.CANCELLED: "stopped",
        Outcome.SKIPPED: "skipped",
        None: "not started",
    }
)
_SWATCH = 14.0
_SMALL_CELL = 6.1


def class_of(outcome: Outcome | None) -> str:
    """The class of a stage with this outcome, in SVG and in Mermaid."""
    return "unstarted" if outcome is None else outcome.value


def _rules(colors: MappingProxyType[Outcome | None, tuple[str, str]]) -> str:
    return "\n".join(
        f".ran.{name} rect, .ran.{name} polygon, .ran.{name} {{ fill: {fill}; stroke: {line}; }}"
        for name, (fill, line) in ((class_of(outcome), pair) for outcome, pair in colors.items())
    )


RUN_STYLE = f"""<style>
{_rules(COLORS)}
.ran text {{ stroke: none; }} .ran.skipped .name, .ran.unstarted .name {{ fill: #8a97a6; }}
.ran.critical rect, .ran.critical polygon {{ stroke-width: 2.6; }}
.edge.critical {{ stroke: #33475b; stroke-width: 2.6; }} .tip.critical {{ fill: #33475b; }}
@media (prefers-color-scheme: dark) {{
{_rules(_DARK)}
.ran.skipped .name, .ran.unstarted .name {{ fill: #748293; }}
.edge.critical {{ stroke: #d3dce6; }} .tip.critical {{ fill: #d3dce6; }}
}}
</style>"""
"""What a picture of a run adds to the style of all pictures."""

CRITICAL_ARROW = (
    '<defs><marker id="critical-end" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="4.6" '
    'markerHeight="4.6" orient="auto"><path class="tip critical" d="M0,1 L10,5 L0,9 z"/></marker>'
    "</defs>"
)


def run_legend(outcomes: set[Outcome | None], is_critical: bool, x: float, y: float) -> str:
    """One line of swatches from ``x`` on, around ``y``: the outcomes that the picture has."""
    marks = []
    for outcome, meaning in _MEANINGS.items():
        if outcome in outcomes:
            marks.append(
                f'<rect class="ran {class_of(outcome)}" x="{x:.1f}" y="{y - 8:.1f}" '
                f'width="{_SWATCH:.0f}" height="9" rx="2.5"/>{_text(x, y, meaning)}'
            )
            x += _SWATCH + 24 + cells(meaning) * _SMALL_CELL
    if is_critical:
        line = f"M{x:.1f},{y - 3.5:.1f} L{x + _SWATCH:.1f},{y - 3.5:.1f}"
        marks.append(f'<path class="edge critical" d="{line}"/>{_text(x, y, "critical path")}')
    return "".join(marks)


def legend_width(outcomes: set[Outcome | None], is_critical: bool) -> float:
    """How wide ``run_legend`` gets, in pixels."""
    texts = [meaning for outcome, meaning in _MEANINGS.items() if outcome in outcomes]
    texts += ["critical path"] if is_critical else []
    return sum(_SWATCH + 24 + cells(text) * _SMALL_CELL for text in texts)


def _text(x: float, y: float, text: str) -> str:
    return f'<text class="note" x="{x + _SWATCH + 6:.1f}" y="{y:.1f}">{text}</text>'
