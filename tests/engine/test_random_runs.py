"""Random plans, random facts: the engine agrees with a naive model and breaks no invariant."""

from collections import Counter
from random import Random

import pytest
from hypothesis import strategies as st

from tests.counted import few_or_many
from tests.engine.random_runs import RandomRun

TRIED = [
    "ok",
    "failed",
    "timed_out",
    "cancelled",
    "run limit",
    "escalated",
    "alone",
    "poisoned",
    "total limit",
    "pipeline.route",
    "unselected",
    "blocked",
    "skipped as conditional",
    "branch cancelled",
    "error: retry",
    "error: guard_retry",
    "error: fallback",
    "error: continue",
    "error: stop_run",
    "retry",
    "loss",
    "innocent loss",
    "stage.retry_exhausted: max_attempts",
    "stage.retry_exhausted: budget",
    "guard_retry.recovered",
    "guard_retry.exhausted: max_attempts",
    "guard_retry.exhausted: stagnation",
    "guard_retry.exhausted: timeout",
    "between producer and guard",
    "repeated with the same feedback",
    "killed",
    "ahead",
    "ahead of a run that stops",
    "heard",
    "doomed",
    "started in a stopping run",
    "skipped in a stopping run",
    "retried in a stopping run",
    "retried in the tick of the stop",
    "finalizers told to stop",
]


@few_or_many(st.randoms(use_true_random=False))
def test_the_engine_agrees_with_the_naive_model(random):
    RandomRun(random).play()


FEW, MANY = (1_500, 1), (15_000, 20)
"""Runs, and how often each thing is tried in them at least."""


@pytest.mark.parametrize(
    ("count", "least"), [FEW, pytest.param(*MANY, marks=pytest.mark.stress)], ids=["few", "many"]
)
def test_the_engine_agrees_with_the_naive_model_over_thousands_of_runs(count, least):
    seen = Counter()
    for seed in range(count):
        seen += RandomRun(Random(seed)).play()
    assert {what: seen[what] for what in TRIED if seen[what] < least} == {}, "rarely tried"
