"""How many replicas: by hand, over random loads, and against the whole history of them."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stageflow_actors.engine.scaling import Load, Scaler, Scaling, least_loaded
from stageflow_actors.model.policies.scaling import Autoscaling

UP, DOWN = 3.0, 10.0


def policy(**changed):
    chosen = {
        "min_replicas": 1,
        "max_replicas": 8,
        "target_ongoing_requests": 2.0,
        "upscale_delay_s": UP,
        "downscale_delay_s": DOWN,
    }
    return Autoscaling(**chosen | changed)


class Stage:
    """A stage that has the replicas it was told last to have, ``lag`` loads later."""

    def __init__(self, replicas=1, lag=0, **changed):
        self.policy = policy(**changed)
        self.scaler = Scaler(self.policy)
        self.replicas = replicas
        self.lag = lag
        self.waits = 0
        self.target = replicas
        self.told = []

    def load(self, at, ongoing):
        decision = self.scaler.decide(Load(at, ongoing, self.replicas))
        if decision is not None:
            self.told.append((at, decision.target))
            self.target, self.waits = decision.target, self.lag
        if self.replicas != self.target:
            self.waits -= 1
            self.replicas = self.target if self.waits < 0 else self.replicas
        return decision and decision.target

    def loads(self, *steps):
        return [self.load(at, ongoing) for at, ongoing in steps]


# --- up -------------------------------------------------------------------------------------------


def test_it_goes_up_once_more_was_wanted_for_its_delay():
    assert Stage().loads((0, 6), (2.9, 6), (3, 6), (4, 6)) == [None, None, 3, None]


@pytest.mark.parametrize(
    ("ongoing", "replicas"), [(2, 1), (3, 2), (4, 2), (5, 3), (16, 8), (17, 8), (10**30, 8)]
)
def test_there_are_as_many_as_have_their_share_each_and_never_more_than_may_be(ongoing, replicas):
    stage = Stage(upscale_delay_s=0)
    stage.load(0, ongoing)
    assert stage.replicas == replicas


def test_a_share_too_small_to_reckon_with_is_as_many_as_may_be():
    assert Stage(upscale_delay_s=0, target_ongoing_requests=5e-324).load(0, 1) == 8


def test_a_load_that_falls_meanwhile_starts_the_delay_anew():
    assert Stage().loads((0, 6), (2, 2), (3, 6), (5, 6), (6, 6)) == [None, None, None, None, 3]


def test_it_goes_to_what_is_wanted_when_the_delay_is_over():
    assert Stage().loads((0, 16), (3, 4)) == [None, 2]


# --- down -----------------------------------------------------------------------------------------


def test_it_goes_down_once_fewer_were_wanted_for_its_delay():
    assert Stage(8).loads((0, 2), (9.9, 2), (10, 2), (11, 2)) == [None, None, 1, None]


def test_it_goes_down_no_further_than_the_most_that_was_wanted_meanwhile():
    stage = Stage(8)
    assert stage.loads((0, 2), (5, 9), (10, 2)) == [None, None, 5]
    assert stage.loads((11, 2), (20, 2), (21, 2)) == [None, None, 1]


def test_a_peak_starts_the_delay_anew():
    assert Stage(8).loads((0, 2), (9, 16), (10, 2), (19, 2), (20, 2))[2:] == [None, None, 1]


def test_it_never_goes_below_the_least():
    assert Stage(8, min_replicas=3, downscale_delay_s=0).load(0, 0) == 3


# --- both -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("lag", [0, 3, 1000])
def test_a_step_of_the_load_goes_up_once_and_down_once(lag):
    stage = Stage(max_replicas=16, lag=lag)
    steps = [1] * 20 + [64] * 20 + [1] * 40
    stage.loads(*enumerate(steps))
    assert stage.told == [(20 + UP, 16), (40 + DOWN, 1)]


def test_what_was_asked_for_and_is_not_there_yet_is_not_asked_for_again():
    stage = Stage(lag=1000)
    stage.loads(*((at, 16) for at in range(100)))
    assert (stage.replicas, stage.told) == (1, [(3, 8)])


def test_replicas_that_were_there_and_are_lost_are_asked_for_again():
    stage = Stage(upscale_delay_s=0)
    stage.loads((0, 16), (1, 16))
    stage.replicas = stage.target = 5
    assert stage.load(2, 16) == 8


def test_replicas_that_are_lost_do_not_turn_the_way_down_into_one_up():
    stage = Stage(8)
    stage.loads((0, 2), (5, 13))
    stage.replicas = stage.target = 3
    assert stage.loads((10, 2), (19, 2), (20, 2)) == [None, None, 1]


def test_the_reason_has_the_numbers():
    stage = Stage()
    stage.load(0, 6)
    assert stage.scaler.decide(Load(3.5, 6, 1)) == Scaling(
        3,
        "More than 1 were wanted for 3.5 s; 6 are ongoing, 2 for each, with 1 to 8 replicas.",
    )
    stage.scaler.decide(Load(4, 1, 3))
    assert stage.scaler.decide(Load(14, 2, 3)).reason == (
        "No more than 1 of 3 were wanted for 10.0 s; "
        "2 are ongoing, 2 for each, with 1 to 8 replicas."
    )


# --- over random loads ----------------------------------------------------------------------------

LOADS = st.lists(st.tuples(st.sampled_from([0.0, 1.0, 4.0, 11.0]), st.integers(0, 20)), max_size=40)
LAGS = st.integers(0, 3)


def at_times(loads):
    """From the time since the last one to the time."""
    at = 0.0
    for passed_s, ongoing in loads:
        at += passed_s
        yield at, ongoing


def wanted_of(chosen, ongoing):
    wanted = math.ceil(ongoing / chosen.target_ongoing_requests)
    return min(max(wanted, chosen.min_replicas), chosen.max_replicas)


@given(LOADS, LAGS)
def test_it_stays_within_its_bounds_and_says_only_what_changes(loads, lag):
    stage = Stage(replicas=2, lag=lag, min_replicas=2)
    stage.loads(*at_times(loads))
    targets = [2, *(target for _, target in stage.told)]
    assert all(2 <= target <= 8 for target in targets)
    assert all(before != after for before, after in zip(targets, targets[1:]))


@given(LOADS, LAGS)
def test_it_never_goes_below_what_was_wanted_within_the_delay(loads, lag):
    stage = Stage(lag=lag)
    seen, before = [], 1
    for at, ongoing in at_times(loads):
        seen.append((at, wanted_of(stage.policy, ongoing)))
        target = stage.load(at, ongoing)
        if target is not None and target < before:
            assert target >= max(wanted for then, wanted in seen if then > at - DOWN)
        before = target or before


def agreed(history, target, delay_s, is_other_way):
    """The loads since the last that did not want it this way; none if they are too short a time."""
    last = []
    for at, wanted in reversed(history):
        if not is_other_way(wanted, target):
            break
        last.append((at, wanted))
    return last if last and last[0][0] - last[-1][0] >= delay_s else []


@given(LOADS, LAGS)
def test_it_agrees_with_one_that_looks_through_all_loads_since_the_last_change(loads, lag):
    stage, target, history = Stage(lag=lag), 1, []
    for at, ongoing in at_times(loads):
        history.append((at, wanted_of(stage.policy, ongoing)))
        more = agreed(history, target, UP, int.__gt__)
        fewer = agreed(history, target, DOWN, int.__lt__)
        expected = more[0][1] if more else max((wanted for _, wanted in fewer), default=None)
        assert stage.load(at, ongoing) == expected
        if expected is not None:
            target, history = expected, []


# --- who is given work ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("loads", "limit", "index"),
    [
        ([], None, None),
        ([], 1, None),
        ([3], None, 0),
        ([2, 1, 1], None, 1),
        ([2, 1, 0], 1, 2),
        ([2, 1, 1], 2, 1),
        ([2, 2, 3], 2, None),
        ((0, 0), 0, None),
    ],
)
def test_the_least_loaded_that_may_have_more_is_given_it(loads, limit, index):
    assert least_loaded(loads, limit) == index
