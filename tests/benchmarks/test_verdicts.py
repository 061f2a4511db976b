"""A benchmark that calls a missed bar met is worse than none."""

from __future__ import annotations

import json

from tests.benchmarks.figures import (
    Figure,
    Skipped,
    bounded_figure,
    counted_figure,
    rate_figure,
    reported_figure,
    timed_figure,
)
from tests.benchmarks.measure import Comparison, Rounds, compare
from tests.benchmarks.report import summary, to_json, to_markdown


def of_ratios(*ratios: float, at_most: float = 1.2) -> Figure:
    measured = Comparison(ours=ratios, peer=(1.0,) * len(ratios))
    return timed_figure("walk", "ms", "run", measured, at_most=at_most)


async def test_two_sides_are_measured_by_turns_and_warm_up_turns_do_not_count():
    turns: list[str] = []

    async def ours() -> float:
        turns.append("ours")
        return 100.0 if turns.count("ours") == 1 else 2.0

    async def peer() -> float:
        turns.append("peer")
        return 1.0

    measured = await compare(ours, peer, Rounds(pairs=2, turns=3, warm_up=1))

    assert turns == ["ours", "peer"] * 7
    assert measured.ratios == (2.0, 2.0)


def test_a_timed_figure_is_judged_by_the_median_of_its_pairs():
    assert of_ratios(1.0, 1.2, 9.0).is_met
    assert not of_ratios(0.1, 1.21, 1.3).is_met


def test_a_counted_figure_off_by_a_fraction_is_missed():
    assert counted_figure("calls", "calls", 5.0, 5, "stages + 1").is_met
    assert not counted_figure("calls", "calls", 5.02, 5, "stages + 1").is_met


def test_a_rate_is_judged_by_the_median_of_its_pairs_and_is_met_by_more():
    def of_rates(*rates: float) -> Figure:
        measured = Comparison(ours=rates, peer=(1.0,) * len(rates))
        return rate_figure("throw", "1/s", "run", measured, at_least=2)

    assert of_rates(0.1, 2.0, 3.0).is_met
    assert not of_rates(1.0, 1.9, 9.0).is_met


def test_times_as_rates_turn_their_ratio_around():
    rates = Comparison(ours=(2.0, 4.0), peer=(1.0, 1.0)).rates(8)

    assert rates.ours == (4.0, 2.0)
    assert rates.ratios == (0.5, 0.25)


def test_an_amount_that_is_larger_than_its_bar_is_missed():
    assert bounded_figure("memory", "kB", 10.0, at_most=10).is_met
    assert not bounded_figure("memory", "kB", 10.1, at_most=10).is_met


def test_what_has_no_bar_is_neither_met_nor_missed():
    reported = reported_figure("cost", "s", "run", Comparison((9.0,), (1.0,)))

    assert summary([reported]) == "0 figures met, 0 missed."
    assert "9.00x" in to_markdown([reported])


def test_what_was_not_measured_says_why_and_counts_as_nothing():
    skipped = Skipped("swim", "no water")

    assert summary([skipped]) == "0 figures met, 0 missed.\nNot measured: swim (no water)."
    assert "no water" in to_markdown([skipped])
    assert json.loads(to_json([skipped], {}))["skipped"] == [{"name": "swim", "reason": "no water"}]


def test_a_missed_figure_is_named_in_the_table_and_in_the_last_line():
    figures = [of_ratios(1.0), of_ratios(2.0)]

    assert "MISSED" in to_markdown(figures).splitlines()[-1]
    assert summary(figures) == "1 figures met, 1 missed: walk / run."


def test_the_json_report_has_the_verdict_of_every_figure():
    written = json.loads(to_json([of_ratios(1.0), of_ratios(2.0)], {"cores": "2"}))

    assert [figure["is_met"] for figure in written["figures"]] == [True, False]
