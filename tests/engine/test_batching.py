"""What goes into the next batch, in which order, and when: by hand, and as a naive model says."""

import math
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stageflow_actors.engine.batching import MAX_PASSED, BatchLimits, BatchQueue


def queue_of(*items, background=(), **limits):
    queue = BatchQueue(BatchLimits(**{"max_size": 4, **limits}))
    for item in items:
        queue.join(item)
    for item in background:
        queue.join(item, is_background=True)
    return queue


def weighed(max_weight, *weights):
    queue = BatchQueue(BatchLimits(16, max_weight))
    for number, weight in enumerate(weights):
        queue.join(number, weight)
    return queue


# --- which ----------------------------------------------------------------------------------------


def test_nothing_waits_and_nothing_is_taken():
    assert queue_of().take(0.0) == ()


def test_as_many_as_fit_are_taken_in_the_order_in_which_they_came():
    queue = queue_of(*"abcdef")
    assert queue.take(0.0) == tuple("abcd")
    assert queue.take(0.0) == tuple("ef")
    assert len(queue) == 0


def test_who_has_left_is_not_taken():
    queue = queue_of(*"abc")
    assert queue.leave("b")
    assert not queue.leave("b")
    assert queue.take(0.0) == ("a", "c")
    assert not queue.leave("a")


def test_clearing_tells_who_was_waiting():
    queue = queue_of(*"ab", background="c")
    assert queue.clear() == ("a", "b", "c")
    assert (len(queue), queue.take(0.0)) == (0, ())


def test_weights_of_a_batch_add_up_to_the_limit_at_most():
    queue = weighed(10, 4, 6, 1)
    assert queue.take(0.0) == (0, 1)
    assert queue.take(0.0) == (2,)


def test_an_item_that_is_too_heavy_for_any_batch_goes_alone():
    queue = weighed(10, 1, 50, 1)
    assert [queue.take(0.0) for _ in range(3)] == [(0,), (1,), (2,)]


def test_a_light_item_does_not_overtake_one_that_finds_no_room():
    assert weighed(10, 6, 5, 1).take(0.0) == (0,)


def test_background_items_come_after_interactive_ones_that_came_later():
    queue = queue_of(background="xy")
    queue.join("a")
    assert queue.take(0.0) == ("a", "x", "y")


def test_background_items_have_a_place_after_so_many_batches_without_one():
    queue = queue_of(background="xy", max_size=1)
    taken = []
    for number in range(2 * MAX_PASSED + 2):
        queue.join(number)
        taken += queue.take(0.0)
    assert [at for at, item in enumerate(taken) if item in ("x", "y")] == [
        MAX_PASSED,
        2 * MAX_PASSED + 1,
    ]


def test_a_background_item_that_comes_late_has_not_been_passed_over_by_batches_before_it():
    queue = queue_of(max_size=1)
    for number in range(MAX_PASSED + 1):
        queue.join(number)
        queue.take(0.0)
    queue.join("x", is_background=True)
    queue.join("a")
    assert queue.take(0.0) == ("a",)


# --- when -----------------------------------------------------------------------------------------


def test_an_idle_stage_takes_a_lone_item_at_once_however_long_it_may_wait():
    assert queue_of("a", wait_s=60.0).take(0.0) == ("a",)


def test_a_stage_that_has_finished_a_batch_waits_for_a_full_one_and_no_longer_than_it_may():
    queue = queue_of("a", wait_s=5.0)
    queue.free(100.0)
    assert queue.take(104.9) == ()
    assert queue.starts_at == 105.0
    assert queue.take(105.0) == ("a",)


def test_a_full_batch_waits_for_nothing():
    queue = queue_of(*"abcd", wait_s=5.0)
    queue.free(100.0)
    assert queue.take(100.0) == tuple("abcd")


@pytest.mark.parametrize("weights", [(6, 5), (10,), (50,), (3, 7)])
def test_a_batch_that_nothing_can_be_added_to_is_full(weights):
    queue = BatchQueue(BatchLimits(16, 10, wait_s=5.0))
    queue.free(100.0)
    for number, weight in enumerate(weights):
        queue.join(number, weight)
    assert queue.take(100.0)


def test_a_stage_that_was_free_for_long_enough_takes_a_late_item_at_once():
    queue = queue_of(wait_s=5.0)
    queue.free(100.0)
    queue.join("a")
    assert queue.take(200.0) == ("a",)


def test_without_a_wait_the_next_batch_starts_when_the_last_has_ended():
    queue = queue_of("a")
    queue.free(100.0)
    assert queue.take(100.0) == ("a",)


# --- as a naive model says ------------------------------------------------------------------------


@dataclass
class NaiveQueue:
    """The same rules, told item by item from one list in the order of arrival."""

    limits: BatchLimits
    waiting: list = field(default_factory=list)
    without_background: int = 0
    last_freed: float = -math.inf

    def order(self):
        quick = [each for each in self.waiting if not each[2]]
        slow = [each for each in self.waiting if each[2]]
        if self.without_background >= MAX_PASSED:
            return [*slow[:1], *quick, *slow[1:]]
        return quick + slow

    def take(self, now):
        order = self.order()
        size = 0
        for size in range(len(order), -1, -1):
            weight = sum(each[1] for each in order[:size])
            fits = weight <= self.limits.max_weight or size == 1
            if size <= self.limits.max_size and fits:
                break
        batch = order[:size]
        weight = sum(each[1] for each in batch)
        can_grow = len(batch) < self.limits.max_size and weight < self.limits.max_weight
        is_full = len(order) > len(batch) or not can_grow
        if not is_full and now < self.last_freed + self.limits.wait_s:
            return ()
        slow = [each for each in self.waiting if each[2]]
        if slow and not any(each[2] for each in batch):
            self.without_background += 1
        else:
            self.without_background = 0
        self.waiting = [each for each in self.waiting if each not in batch]
        return tuple(each[0] for each in batch)


LIMITS = st.builds(
    BatchLimits,
    st.integers(1, 4),
    st.sampled_from([math.inf, 3, 5]),
    st.sampled_from([0.0, 2.0]),
)
JOIN = st.tuples(st.just("join"), st.integers(0, 6), st.booleans())
STEPS = st.lists(
    JOIN
    | JOIN
    | st.tuples(st.just("leave"), st.integers(0, 30), st.none())
    | st.tuples(st.just("take"), st.integers(0, 2), st.booleans()),
    max_size=60,
)


@given(LIMITS, STEPS)
def test_batches_are_those_of_the_naive_model(limits, steps):
    queue, naive = BatchQueue(limits), NaiveQueue(limits)
    now = 0.0
    for number, (what, amount, flag) in enumerate(steps):
        if what == "join":
            queue.join(number, amount, is_background=flag)
            naive.waiting.append((number, amount, flag))
        elif what == "leave":
            was_there = any(each[0] == amount for each in naive.waiting)
            naive.waiting = [each for each in naive.waiting if each[0] != amount]
            assert queue.leave(amount) is was_there
        else:
            now += amount
            batch = queue.take(now)
            assert batch == naive.take(now)
            if batch and flag:  # it is executed in no time
                queue.free(now)
                naive.last_freed = now
        assert len(queue) == len(naive.waiting)
