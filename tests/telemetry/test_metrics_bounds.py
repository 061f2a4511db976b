"""However many names there are, there are so many series; and no label is what it must not be."""

from __future__ import annotations

import threading
from uuid import uuid4

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

from stageflow_actors.actors.ray_metrics import ray_name
from stageflow_actors.telemetry.cardinality import MOST_SERIES, BoundedSeries, label_of
from stageflow_actors.telemetry.instruments import KEPT, Instruments, Kind, all_instruments
from stageflow_actors.telemetry.levels import Levels
from stageflow_actors.telemetry.measured import Measured, Measures
from stageflow_actors.telemetry.otel_metrics import OtelRecorder

NAMES = 10_000
OF_MANY_NAMES = [each for each in all_instruments() if not KEPT.issuperset(each.labels)]


@pytest.fixture
def recorded():
    """A recorder, and what it has recorded: attributes and values by the name of the metric."""
    reader = InMemoryMetricReader()
    provider = MeterProvider([reader], shutdown_on_exit=False)

    def points(instrument):
        data = reader.get_metrics_data()
        [resource] = data.resource_metrics
        return [
            (dict(point.attributes), getattr(point, "value", getattr(point, "count", None)))
            for scope in resource.scope_metrics
            for metric in scope.metrics
            if metric.name == instrument.name
            for point in metric.data.data_points
        ]

    yield OtelRecorder(provider), points
    provider.shutdown()


def labels_of(instrument, name):
    return tuple("few" if label in KEPT else name for label in instrument.labels)


@pytest.mark.parametrize("instrument", OF_MANY_NAMES, ids=lambda each: each.name)
def test_ten_thousand_names_are_two_hundred_series_and_nothing_is_lost(
    recorded, instrument, caplog
):
    recorder, points = recorded
    for number in range(NAMES):
        values = labels_of(instrument, f"tenant-{number}")
        if instrument.kind is Kind.GAUGE:
            recorder.show(instrument, 1, values, "one")
        else:
            recorder.adder(instrument, values)(1)
    found = points(instrument)
    assert 2 < len(found) <= MOST_SERIES
    (warning,) = caplog.messages
    assert instrument.name in warning
    if instrument is not Instruments.BREAKER:
        assert sum(value for _, value in found) == NAMES
    (rest,) = [each for each, _ in found if "other" in each.values()]
    assert rest == {name: "few" if name in KEPT else "other" for name in instrument.labels}


def test_what_is_kept_has_a_bound_too(recorded):
    recorder, points = recorded
    for number in range(NAMES):
        recorder.adder(Instruments.COST, (f"p{number}", "s", "acme", "m", f"C{number}"))(1)
    found = points(Instruments.COST)
    assert len(found) <= MOST_SERIES
    assert sum(value for _, value in found) == NAMES


def test_what_stands_for_others_keeps_outcomes_apart(recorded):
    recorder, points = recorded
    for number in range(NAMES):
        outcome = ("completed", "failed")[number % 2]
        error = (None, "ValueError")[number % 2]
        recorder.adder(Instruments.ATTEMPTS, (f"p{number}", "s", outcome, error))(1)
    rest = [
        each
        for each, _ in points(Instruments.ATTEMPTS)
        if each["stageflow.pipeline.name"] == "other"
    ]
    told = [(each["stageflow.attempt.outcome"], each.get("error.type")) for each in rest]
    assert sorted(told) == [("completed", None), ("failed", "other")]


def test_series_that_are_known_stay_what_they_were(recorded):
    recorder, points = recorded
    for number in (*range(NAMES), 0):
        recorder.adder(Instruments.REFUSED, (f"p{number}",))(1)
    counts = {each["stageflow.pipeline.name"]: value for each, value in points(Instruments.REFUSED)}
    assert counts["p0"] == 2


def test_threads_do_not_get_past_the_bound():
    series = BoundedSeries(Instruments.REFUSED, lambda values: values)
    made = set()

    def many(own):
        for number in range(500):
            made.add(series.of((f"{own}-{number}",)))

    threads = [threading.Thread(target=many, args=(own,)) for own in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) <= MOST_SERIES


@pytest.mark.parametrize(
    ("given", "label"),
    [
        (None, None),
        ("price", "price"),
        ("größe", "größe"),
        ("two\nlines\x00\u2028", "two lines  "),
        ("half\ud800", "half?"),
        ("x" * 1_000, "x" * 128),
        (7, "7"),
    ],
)
def test_labels_are_short_unicode_in_one_line(given, label):
    assert label_of(given) == label


def test_no_label_is_an_id():
    for instrument in all_instruments():
        assert not [name for name in instrument.labels if name.endswith("id")], instrument.name


# --- gauges of several deployments ----------------------------------------------------------------


def test_what_several_deployments_say_is_put_together():
    levels, labels = Levels(Instruments.REPLICAS), object()
    levels.put("one", ("shop", "price"), 2, labels)
    levels.put("other", ("shop", "price"), 3, labels)
    assert levels.totals() == [(5, labels)]
    levels.put("one", ("shop", "price"), None, labels)
    assert levels.total(labels) == 3
    levels.put("other", ("shop", "price"), None, labels)
    assert levels.total(labels) is None


def test_the_worst_state_of_a_breaker_is_the_one_that_is_told():
    levels, labels = Levels(Instruments.BREAKER), object()
    for source, state in (("one", 2), ("other", 1)):
        levels.put(source, ("shop", "price"), state, labels)
    assert levels.totals() == [(2, labels)]


# --- which pipelines ------------------------------------------------------------------------------


def test_what_is_not_measured_is_remembered_within_bounds():
    measured = Measured()
    for _ in range(20_000):
        measured.tell(str(uuid4()), Measures(stages=False))
    measured.tell("shop", Measures(children=False))
    assert measured.of("shop") == Measures(children=False)
    assert measured.of("unknown") == Measures()
    assert len(measured._others) <= 10_000
    measured.tell("shop", Measures())
    assert measured.of("shop") == Measures()


# --- names ----------------------------------------------------------------------------------------


def test_names_do_not_collide_whoever_records_them():
    instruments = list(all_instruments())
    assert len({each.name for each in instruments}) == len(instruments)
    names = [ray_name(each) for each in instruments]
    assert len(set(names)) == len(names)
    for name in names:
        assert name.startswith("stageflow_")
        assert name.replace("_", "").isalnum()


def test_boundaries_go_up_from_above_zero():
    for instrument in all_instruments():
        bounds = instrument.boundaries
        assert bool(bounds) is (instrument.kind is Kind.HISTOGRAM)
        assert list(bounds) == sorted(set(bounds))
        assert all(bound > 0 for bound in bounds)
