"""The delays before retries: their formulas, their bounds, and what a failure may ask for."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stageflow_actors.engine.backoff import chosen_delay_s, delay_s
from stageflow_actors.model.policies.retry import BackoffStrategy, JitterStrategy, RetryPolicy

MOST = 1 - 2**-53
"""The largest chance there is."""

BACKOFFS = st.sampled_from(BackoffStrategy)
JITTERS = st.sampled_from(JitterStrategy)
SECONDS = st.floats(0, 1e7)
CHANCES = st.floats(0, MOST)
RETRIES = st.integers(1, 10_000)


def schedule(backoff="exponential", jitter="none", shortest=1.0, longest=30.0):
    return RetryPolicy(
        initial_delay_s=shortest, max_delay_s=longest, backoff=backoff, jitter=jitter
    ).schedule


def delays(made, count, chance=0.0):
    """The first ``count`` delays, each told of the one before it."""
    waited = []
    for retry in range(1, count + 1):
        waited.append(delay_s(made, retry, waited[-1] if waited else 0.0, chance))
    return waited


@pytest.mark.parametrize(
    ("backoff", "expected"),
    [
        ("exponential", [1, 2, 4, 8, 16, 30, 30]),
        ("linear", [1, 2, 3, 4, 5, 6, 7]),
        ("constant", [1, 1, 1, 1, 1, 1, 1]),
    ],
)
def test_the_delay_grows_as_its_strategy_says(backoff, expected):
    assert delays(schedule(backoff), 7) == expected


@pytest.mark.parametrize("backoff", BackoffStrategy)
def test_the_delay_starts_from_the_shortest_and_is_never_above_the_longest(backoff):
    assert delays(schedule(backoff, shortest=0.5, longest=0.75), 1) == [0.5]
    assert delays(schedule(backoff, shortest=5, longest=3), 2) == [3, 3]


@pytest.mark.parametrize(
    ("jitter", "at_0", "at_half"),
    [("none", 4, 4), ("full", 0, 2), ("equal", 2, 3)],
)
def test_jitter_spreads_the_delay_between_its_two_ends(jitter, at_0, at_half):
    made = schedule(jitter=jitter)
    assert delay_s(made, 3, 0.0, 0.0) == at_0
    assert delay_s(made, 3, 0.0, 0.5) == at_half
    assert delay_s(made, 3, 0.0, MOST) == pytest.approx(4)


@pytest.mark.parametrize(("jitter", "expected"), [("full", 15), ("equal", 22.5)])
def test_the_delay_is_capped_before_jitter_spreads_it(jitter, expected):
    assert delay_s(schedule(jitter=jitter), 20, 0.0, 0.5) == expected


def test_decorrelated_jitter_spreads_between_the_shortest_and_three_times_the_last_delay():
    made = schedule(jitter="decorrelated")
    assert delay_s(made, 2, 5.0, 0.0) == 1
    assert delay_s(made, 2, 5.0, 0.5) == 8
    assert delay_s(made, 2, 5.0, MOST) == pytest.approx(15)
    assert delay_s(made, 2, 20.0, 0.9) == 30


@pytest.mark.parametrize("previous_s", [0.0, 1000.0])
def test_decorrelated_jitter_takes_the_shortest_for_the_last_delay_of_the_first_retry(previous_s):
    assert delay_s(schedule(jitter="decorrelated"), 1, previous_s, 0.5) == 2


def test_decorrelated_jitter_is_not_shorter_than_the_shortest_after_a_shorter_delay():
    assert delay_s(schedule(jitter="decorrelated"), 2, 0.1, 0.9) == 1


def test_decorrelated_jitter_does_not_depend_on_the_backoff():
    made = {tuple(delays(schedule(each, "decorrelated"), 6, 0.7)) for each in BackoffStrategy}
    assert len(made) == 1


@pytest.mark.parametrize("jitter", JitterStrategy)
@pytest.mark.parametrize("backoff", BackoffStrategy)
@pytest.mark.parametrize("retry", [10_000, 10**400])
def test_a_delay_after_very_many_retries_does_not_overflow(backoff, jitter, retry):
    made = schedule(backoff, jitter, shortest=0.001)
    assert 0 <= delay_s(made, retry, 30.0, MOST) <= 30


def test_even_the_shortest_delay_reaches_the_longest():
    assert delay_s(schedule(shortest=5e-324), 10_000, 0.0, 0.0) == 30


def test_no_delay_stays_none():
    assert delays(schedule(shortest=0), 3) == [0, 0, 0]
    assert delay_s(schedule(shortest=0), 10**400, 0.0, 0.0) == 0


@settings(deadline=None)
@given(BACKOFFS, JITTERS, SECONDS, SECONDS, RETRIES, SECONDS, CHANCES)
def test_every_delay_is_within_its_bounds(backoff, jitter, shortest, longest, retry, last, chance):
    made = schedule(backoff, jitter, shortest, longest)
    least = 0.0 if jitter == "full" else min(shortest, longest) / (2 if jitter == "equal" else 1)
    assert least <= delay_s(made, retry, last, chance) <= longest


# --- what a failure asks for ----------------------------------------------------------------------


@pytest.mark.parametrize(("asked", "waited"), [(None, 4), (3.0, 4), (4.0, 4), (50.0, 50), (0.0, 4)])
def test_what_a_failure_asks_for_is_the_least_that_is_waited(asked, waited):
    assert chosen_delay_s(schedule(), 3, 0.0, 0.0, asked) == waited


def test_what_a_failure_asks_for_is_not_spread_by_jitter():
    assert chosen_delay_s(schedule(jitter="full"), 3, 0.0, 0.5, 10.0) == 10
