"""The breaker of a stage, case by case, and against a naive model over random histories."""

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from stageflow_actors.engine.breaker import Breaker, BreakerState
from stageflow_actors.model.policies.breaker import BreakerPolicy

CLOSED, OPEN, HALF_OPEN = BreakerState.CLOSED, BreakerState.OPEN, BreakerState.HALF_OPEN
WINDOW = 30.0


def breaker(failures=3, probes=1):
    policy = BreakerPolicy(
        failure_threshold=failures, reset_timeout_s=WINDOW, half_open_probes=probes
    )
    return Breaker(policy.settings)


def opened(at=0.0, probes=1):
    """A breaker that opened at ``at``."""
    made = breaker(failures=1, probes=probes)
    assert made.record_failure(made.admit(at), at) is OPEN
    return made


def probing(probes=1):
    """A breaker that opened at 0, and its first probe, admitted at ``WINDOW``."""
    made = opened(probes=probes)
    return made, made.admit(WINDOW)


def fail(made, now, times=1):
    return [made.record_failure(made.admit(now), now) for _ in range(times)]


# --- closed ---------------------------------------------------------------------------------------


def test_a_new_breaker_admits_everything():
    made = breaker()
    assert made.state is CLOSED
    assert made.retry_at is None
    assert all(made.admit(0.0) for _ in range(10))


def test_it_opens_with_the_last_of_its_failures_in_a_row_and_not_before():
    made = breaker(failures=3)
    assert fail(made, 1.0, times=3) == [None, None, OPEN]
    assert made.state is OPEN


def test_failures_with_a_success_between_them_are_not_in_a_row():
    made = breaker(failures=2)
    fail(made, 0.0)
    assert made.record_success(made.admit(0.0), 0.0) is None
    assert fail(made, 0.0, times=2) == [None, OPEN]


def test_an_end_that_says_nothing_neither_counts_nor_parts_the_failures():
    made = breaker(failures=2)
    fail(made, 0.0)
    assert made.record_neither(made.admit(0.0), 0.0) is None
    assert made.state is CLOSED
    assert fail(made, 0.0) == [OPEN]


def test_one_execution_counts_once_however_often_it_is_reported():
    made = breaker(failures=2)
    admission = made.admit(0.0)
    assert made.record_failure(admission, 0.0) is None
    assert made.record_failure(admission, 0.0) is None
    assert made.state is CLOSED
    made.record_success(admission, 0.0)
    assert fail(made, 0.0) == [OPEN]


# --- open -----------------------------------------------------------------------------------------


def test_an_open_breaker_admits_nothing_for_its_whole_window():
    made = opened(at=5.0)
    assert made.retry_at == 5.0 + WINDOW
    assert [made.admit(now) for now in (5.0, 20.0, 34.999)] == [None, None, None]
    assert made.state is OPEN
    assert made.admit(35.0) is not None


@pytest.mark.parametrize("end", ["success", "failure", "neither"])
def test_the_end_of_an_execution_from_before_it_opened_changes_nothing(end):
    made = breaker(failures=1)
    early = made.admit(0.0)
    fail(made, 1.0)
    assert getattr(made, f"record_{end}")(early, 10.0) is None
    assert made.state is OPEN
    assert made.retry_at == 1.0 + WINDOW
    assert made.admit(WINDOW) is None


@pytest.mark.parametrize("end", ["success", "failure", "neither"])
def test_the_end_of_an_execution_from_before_it_opened_decides_no_probing(end):
    made = breaker(failures=1)
    early = made.admit(0.0)
    fail(made, 0.0)
    probe = made.admit(WINDOW)
    assert getattr(made, f"record_{end}")(early, WINDOW) is None
    assert made.state is HALF_OPEN
    assert made.admit(WINDOW) is None, "the probe still holds its place"
    assert made.record_success(probe, WINDOW) is CLOSED


# --- half-open ------------------------------------------------------------------------------------


def test_the_first_probe_says_that_the_breaker_is_half_open_and_the_others_do_not():
    made, probe = probing(probes=2)
    assert probe.entered is HALF_OPEN
    made.record_success(probe, WINDOW)
    assert made.admit(WINDOW).entered is None
    assert breaker().admit(0.0).entered is None


def test_there_is_one_probe_at_a_time():
    made, probe = probing(probes=2)
    assert made.admit(WINDOW) is None
    made.record_success(probe, WINDOW)
    assert made.retry_at is None
    assert made.admit(WINDOW) is not None
    assert made.admit(WINDOW) is None


def test_as_many_successes_as_are_asked_for_close_it():
    made, probe = probing(probes=2)
    assert made.record_success(probe, WINDOW) is None
    assert made.state is HALF_OPEN
    assert made.record_success(made.admit(WINDOW), WINDOW) is CLOSED
    assert made.state is CLOSED
    assert made.retry_at is None


def test_a_failed_probe_opens_it_for_another_whole_window():
    made, probe = probing(probes=2)
    made.record_success(probe, WINDOW)
    assert made.record_failure(made.admit(WINDOW), 40.0) is OPEN
    assert made.retry_at == 40.0 + WINDOW
    assert made.admit(40.0 + WINDOW - 0.001) is None
    assert made.admit(40.0 + WINDOW).entered is HALF_OPEN


def test_successes_of_an_earlier_probing_do_not_count_in_the_next_one():
    made, probe = probing(probes=2)
    made.record_success(probe, WINDOW)
    made.record_failure(made.admit(WINDOW), WINDOW)
    assert made.record_success(made.admit(100.0), 100.0) is None
    assert made.state is HALF_OPEN


def test_a_probe_that_says_nothing_gives_its_place_back():
    made, probe = probing()
    assert made.record_neither(probe, WINDOW) is None
    assert made.state is HALF_OPEN
    assert made.retry_at is None
    assert made.record_success(made.admit(WINDOW), WINDOW) is CLOSED


def test_failures_from_before_it_opened_do_not_count_once_it_is_closed_again():
    made = breaker(failures=2)
    early = made.admit(0.0)
    fail(made, 0.0, times=2)
    made.record_success(made.admit(WINDOW), WINDOW)
    made.record_failure(early, WINDOW)
    assert fail(made, WINDOW, times=2) == [None, OPEN]


# --- probes of which nothing is heard -------------------------------------------------------------


def test_a_lost_probe_keeps_others_out_for_one_window():
    made, _ = probing()
    assert made.retry_at == 2 * WINDOW
    assert made.admit(2 * WINDOW - 0.001) is None
    assert made.record_success(made.admit(2 * WINDOW), 2 * WINDOW) is CLOSED


def test_probes_that_are_all_lost_come_once_per_window():
    made = opened()
    admitted = [now for now in range(301) if made.admit(float(now))]
    assert admitted == list(range(30, 301, 30))


@pytest.mark.parametrize(("end", "state"), [("success", CLOSED), ("failure", OPEN)])
def test_a_probe_that_is_heard_of_late_counts_while_the_state_lasts(end, state):
    made, late = probing()
    later = made.admit(2 * WINDOW)
    assert getattr(made, f"record_{end}")(late, 2 * WINDOW) is state
    assert made.record_success(later, 2 * WINDOW) is None
    assert made.state is state


def test_a_probe_that_is_heard_of_late_does_not_give_back_the_place_of_the_next_one():
    made, late = probing(probes=2)
    made.admit(2 * WINDOW)
    made.record_success(late, 2 * WINDOW)
    assert made.admit(2 * WINDOW) is None


def test_a_probe_that_is_heard_of_in_a_later_probing_says_nothing():
    made, late = probing()
    made.record_failure(made.admit(2 * WINDOW), 2 * WINDOW)
    probe = made.admit(3 * WINDOW)
    assert made.record_success(late, 3 * WINDOW) is None
    assert made.state is HALF_OPEN
    assert made.record_success(probe, 3 * WINDOW) is CLOSED


# --- random histories -----------------------------------------------------------------------------


class NaiveBreaker:
    """Keeps all that happened since the last change, and works everything out from that."""

    def __init__(self, failures, probes):
        self.failures, self.probes = failures, probes
        self.reported = set()
        self.change_to(CLOSED, 0)

    def change_to(self, state, now):
        self.state, self.since = state, now
        self.admitted = {}
        self.ends = []

    def admit(self, name, now):
        if self.state is OPEN and now >= self.since + WINDOW:
            self.change_to(HALF_OPEN, now)
        may = self.state is CLOSED or (self.state is HALF_OPEN and not self.is_probed(now))
        if may:
            self.admitted[name] = now
        return may

    def is_probed(self, now):
        if not self.admitted:
            return False
        last = list(self.admitted)[-1]
        return last not in self.reported and now < self.admitted[last] + WINDOW

    def report(self, name, end, now):
        if name in self.admitted and name not in self.reported and end != "neither":
            self.ends.append(end)
        self.reported.add(name)
        enough = self.failures if self.state is CLOSED else 1
        if self.state is not OPEN and self.ends[-enough:] == ["failure"] * enough:
            self.change_to(OPEN, now)
        elif self.state is HALF_OPEN and len(self.ends) == self.probes:
            self.change_to(CLOSED, now)


class RandomHistory(RuleBasedStateMachine):
    """Executions that end in any order, twice, late or never; time that stands still or leaps."""

    failures, probes = 2, 2

    def __init__(self):
        super().__init__()
        self.breaker = breaker(self.failures, self.probes)
        self.naive = NaiveBreaker(self.failures, self.probes)
        self.now = 0.0
        self.admissions = []
        self.announced = CLOSED

    @rule(seconds=st.sampled_from([1.0, 10.0, WINDOW, 3 * WINDOW]))
    def wait(self, seconds):
        self.now += seconds

    @rule()
    def admit(self):
        admission = self.breaker.admit(self.now)
        assert (admission is not None) == self.naive.admit(len(self.admissions), self.now)
        if admission is not None:
            self.admissions.append(admission)
            self.announced = admission.entered or self.announced

    @rule(data=st.data(), end=st.sampled_from(["success", "failure", "neither"]))
    def report(self, data, end):
        if self.admissions:
            # Counted from the end: the latest are the most telling.
            back = data.draw(st.integers(0, min(5, len(self.admissions) - 1)), label="back")
            name = len(self.admissions) - 1 - back
            record = getattr(self.breaker, f"record_{end}")
            self.announced = record(self.admissions[name], self.now) or self.announced
            self.naive.report(name, end, self.now)

    @invariant()
    def is_in_the_same_state(self):
        assert self.breaker.state is self.naive.state

    @invariant()
    def has_announced_every_change(self):
        assert self.announced is self.breaker.state

    @invariant()
    def admits_again_when_it_says(self):
        retry_at = self.breaker.retry_at
        assert retry_at is None or self.breaker.state is not CLOSED
        assert retry_at is None or retry_at <= self.now + WINDOW
        if self.naive.state is OPEN:
            assert retry_at == self.naive.since + WINDOW


@pytest.mark.parametrize(("failures", "probes"), [(1, 1), (2, 2), (3, 1), (1, 3)])
def test_it_agrees_with_a_naive_breaker_over_random_histories(failures, probes):
    history = type("History", (RandomHistory,), {"failures": failures, "probes": probes})
    run_state_machine_as_test(
        history, settings=settings(deadline=None, max_examples=60, stateful_step_count=40)
    )
