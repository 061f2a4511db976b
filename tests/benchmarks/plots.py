"""The ratios of all figures as bar charts, each with the bar that it has to meet."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

from tests.benchmarks.figures import Figure

_MET, _MISSED, _REPORTED = "#2a9d5c", "#d1495b", "#8d99ae"
_ROW_INCHES, _MARGIN_INCHES, _WIDTH_INCHES = 0.32, 1.2, 10.0


def is_available() -> bool:
    """Whether matplotlib is installed."""
    return find_spec("matplotlib") is not None


def draw(figures: Sequence[Figure], folder: Path) -> list[Path]:
    """Write an SVG of the ratios that had better be low, and one of those that had better be high.

    Returns what was written: a file for each kind of which there is a figure.
    """
    folder.mkdir(parents=True, exist_ok=True)
    kinds = {
        "less_is_better.svg": [each for each in figures if not each.is_more_better],
        "more_is_better.svg": [each for each in figures if each.is_more_better],
    }
    drawn = []
    for name, rows in kinds.items():
        with_ratios = [row for row in rows if row.ratio is not None]
        if with_ratios:
            _draw(with_ratios, name.partition(".")[0].replace("_", " "), folder / name)
            drawn.append(folder / name)
    return drawn


def _draw(figures: Sequence[Figure], title: str, path: Path) -> None:
    # Not pyplot, which keeps every drawing and looks for a display.
    import matplotlib as mpl
    from matplotlib.figure import Figure as Sheet

    height = _MARGIN_INCHES + _ROW_INCHES * len(figures)
    sheet = Sheet(figsize=(_WIDTH_INCHES, height), layout="constrained")
    axes = sheet.subplots()
    rows = range(len(figures))
    ratios = [figure.ratio for figure in figures if figure.ratio is not None]
    medians = [ratio.median for ratio in ratios]
    below = [ratio.median - ratio.low for ratio in ratios]
    above = [ratio.high - ratio.median for ratio in ratios]
    colors = [_color(figure) for figure in figures]
    axes.barh(rows, medians, xerr=[below, above], color=colors, ecolor="#444444", height=0.6)
    limits = [(row, each.limit) for row, each in zip(rows, figures) if each.limit is not None]
    if limits:
        axes.scatter(
            [limit for _row, limit in limits],
            [row for row, _limit in limits],
            marker="|", s=220, color="black", zorder=3, label="bar",
        )  # fmt: skip
        axes.legend(loc="lower right")
    axes.axvline(1.0, color="#bbbbbb", linewidth=0.8, zorder=0)
    axes.set_xscale("log")
    axes.set_xlim(left=min(ratio.low for ratio in ratios) / 2)  # a bar has no end at nothing
    axes.set_yticks(rows, [f"{figure.name} / {figure.peer_name}" for figure in figures])
    axes.invert_yaxis()  # in the order of the table
    axes.xaxis.set_major_formatter("{x:g}x")
    axes.set_xlabel(f"ours as a multiple of the peer's, {title}", loc="right")
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": title}):  # text stays text
        sheet.savefig(path, format="svg", metadata={"Date": None})


def _color(figure: Figure) -> str:
    if figure.is_met is None:
        return _REPORTED
    return _MET if figure.is_met else _MISSED
