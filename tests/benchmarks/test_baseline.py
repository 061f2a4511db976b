"""A pass that is called as good as the last one has to be."""

from __future__ import annotations

import pytest

from tests.benchmarks.baseline import (
    Baseline,
    merged,
    other_facts,
    read,
    without_baseline,
    worse_than,
)
from tests.benchmarks.figures import (
    Figure,
    Skipped,
    counted_figure,
    percentile_figure,
    rate_figure,
    reported_figure,
    timed_figure,
)
from tests.benchmarks.measure import Comparison
from tests.benchmarks.report import to_json


def time_of(ours: float, peer: float = 1.0, name: str = "walk", peer_name: str = "run") -> Figure:
    return timed_figure(name, "ms", peer_name, Comparison((ours,), (peer,)), at_most=9)


def rate_of(ours: float) -> Figure:
    return rate_figure("throw", "1/s", "run", Comparison((ours,), (1.0,)), at_least=0.1)


def single_of(ours: float) -> Figure:
    return percentile_figure("wait", "ms", [ours], [1.0], "run", at_most=9)


def names_of_worse(before: Figure, now: Figure) -> list[str]:
    return [change.name for change in worse_than([before], [now])]


@pytest.mark.parametrize(
    ("before", "now", "is_worse"),
    [
        (time_of(1.0), time_of(1.14), False),
        (time_of(1.0), time_of(1.16), True),
        (time_of(1.0), time_of(0.1), False),
        (rate_of(1.0), rate_of(0.86), False),
        (rate_of(1.0), rate_of(0.84), True),
        (rate_of(1.0), rate_of(9.0), False),
        (single_of(1.0), single_of(1.14), False),
        (single_of(1.0), single_of(1.16), True),
    ],
)
def test_worse_is_what_is_off_by_more_than_15_percent_in_the_wrong_direction(before, now, is_worse):
    assert bool(names_of_worse(before, now)) is is_worse


def test_a_figure_with_a_ratio_is_not_worse_where_its_peer_has_slowed_down_as_much():
    assert names_of_worse(time_of(1.0), time_of(3.0, peer=3.0)) == []
    assert names_of_worse(time_of(1.0), time_of(1.0, peer=0.5)) == ["walk"]


def test_a_count_that_was_nothing_is_worse_as_soon_as_it_is_something():
    none, one = (counted_figure("modules", "modules", count, 0, "none") for count in (0, 1))
    assert names_of_worse(none, one) == ["modules"]
    assert names_of_worse(none, none) == []


def test_a_figure_without_a_bar_can_be_worse_too():
    before, now = (reported_figure("cost", "s", "run", Comparison((x,), (1.0,))) for x in (1, 2))
    assert names_of_worse(before, now) == ["cost"]


def test_figures_are_compared_against_the_same_peer_only():
    before = [time_of(1.0), time_of(5.0, peer_name="swim")]
    assert worse_than(before, [time_of(5.0, peer_name="swim")]) == []
    new = time_of(5.0, peer_name="fly")
    assert worse_than(before, [new]) == []
    assert without_baseline(before, [before[0], new]) == [new]


def test_a_change_says_what_it_was_and_what_it_is_in_what_was_compared():
    (change,) = worse_than([time_of(1.0)], [time_of(2.0)])
    assert str(change) == "walk: 1 x -> 2 x"
    (change,) = worse_than([single_of(1.0)], [single_of(2.0)])
    assert str(change) == "wait, P99: 1 ms -> 2 ms"


def test_what_is_kept_reads_back_as_it_was():
    figures = [time_of(1.0), rate_of(2.0), single_of(3.0)]
    written = to_json([*figures, Skipped("swim", "no water")], {"cores": "2"})

    assert read(written) == Baseline(figures, {"cores": "2"})


@pytest.mark.parametrize(
    "written", ["[]", "{}", "nothing", '{"figures": [{}]}', '{"figures": [1]}', '{"figures": []}']
)
def test_what_is_no_report_is_refused(written):
    with pytest.raises(ValueError, match=r"no report|no figure|Expecting value"):
        read(written)


def test_a_baseline_keeps_what_was_not_measured_this_time():
    walk, throw = time_of(1.0), rate_of(2.0)
    assert merged([walk, throw], [time_of(3.0)]) == [time_of(3.0), throw]


def test_another_machine_is_told_by_what_is_different():
    before = {"cores": "2", "ray": "1", "load": "1"}
    now = {"cores": "8", "ray": "1", "load": "3", "memory": "9 GB"}
    assert other_facts(before, now) == ["cores: 2 -> 8"]
