"""A drawing that leaves out a figure, or the bar that it misses, hides it."""

from __future__ import annotations

import pytest

from tests.benchmarks import plots
from tests.benchmarks.figures import bounded_figure, rate_figure, timed_figure
from tests.benchmarks.measure import Comparison

pytestmark = pytest.mark.skipif(not plots.is_available(), reason="needs matplotlib")


def test_every_ratio_is_drawn_among_those_of_its_direction(tmp_path):
    ratio = Comparison((2.0,), (1.0,))
    figures = [
        timed_figure("walk", "ms", "run", ratio, at_most=1.2),
        rate_figure("throw", "1/s", "run", ratio, at_least=4),
        bounded_figure("weigh", "kB", 3.0, at_most=9),
    ]

    less, more = (path.read_text() for path in plots.draw(figures, tmp_path / "new"))

    assert "walk / run" in less
    assert "throw" not in less
    assert "throw / run" in more
    assert "weigh" not in less + more


def test_nothing_is_drawn_of_what_has_no_ratio(tmp_path):
    assert plots.draw([bounded_figure("weigh", "kB", 3.0, at_most=9)], tmp_path) == []
