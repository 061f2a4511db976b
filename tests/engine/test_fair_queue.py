"""Whose turn it is: by hand, and against a naive queue over random histories."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stageflow_actors.engine.fair_queue import FairQueue
from tests.engine.naive_queue import NaiveQueue

GROUPS = st.sampled_from("abc")
SHARES = st.integers(1, 4)


def filled(*names, background=(), share=4):
    """A queue of items like ``a1``, whose group is the first letter."""
    queue = FairQueue(share)
    for name in names:
        queue.put(name, name[0], name, is_background=False)
    for name in background:
        queue.put(name, name[0], name, is_background=True)
    return queue


# --- by hand --------------------------------------------------------------------------------------


def test_groups_take_turns_and_each_is_first_in_first_out():
    queue = filled("a1", "a2", "a3", "b1", "b2", "c1")
    assert queue.drain() == ["a1", "b1", "c1", "a2", "b2", "a3"]


def test_a_group_that_comes_back_has_its_turn_after_those_that_wait():
    queue = filled("a1", "b1", "b2", "c1")
    assert queue.take() == "a1"
    queue.put("a2", "a", "a2", is_background=False)
    assert queue.drain() == ["b1", "c1", "a2", "b2"]


def test_interactive_goes_before_background():
    queue = filled("a1", background=["b1"])
    queue.put("a2", "a", "a2", is_background=False)
    assert queue.drain() == ["a1", "a2", "b1"]


def test_background_has_every_so_manieth_turn_while_it_waits():
    queue = filled("a1", "a2", "a3", "a4", "a5", background=["z1", "z2", "z3"], share=3)
    assert queue.drain() == ["a1", "a2", "z1", "a3", "a4", "z2", "a5", "z3"]


def test_with_a_share_of_one_background_goes_first():
    assert filled("a1", background=["z1", "z2"], share=1).drain() == ["z1", "z2", "a1"]


def test_background_that_comes_late_has_no_credit_from_before():
    queue = filled("a1", "a2", "a3", "a4", share=3)
    assert [queue.take(), queue.take()] == ["a1", "a2"]
    queue.put("z1", "z", "z1", is_background=True)
    assert queue.drain() == ["a3", "a4", "z1"]


def test_one_group_may_have_both_and_they_take_turns_apart():
    queue = filled("a1", "b1", background=["a2", "b2"], share=2)
    assert queue.drain() == ["a1", "a2", "b1", "b2"]


def test_what_was_taken_back_is_not_taken_and_costs_its_group_no_turn():
    queue = filled("a1", "a2", "b1", "b2")
    assert queue.remove("a1") == "a1"
    assert queue.remove("a1") is None
    assert queue.drain() == ["a2", "b1", "b2"]


def test_a_group_of_which_all_was_taken_back_is_gone():
    queue = filled("a1", "b1")
    queue.remove("a1")
    queue.put("a2", "a", "a2", is_background=False)
    assert queue.drain() == ["b1", "a2"]


def test_a_queue_knows_how_much_it_holds():
    queue = FairQueue(4)
    queue.put(1, "a", "x", is_background=False, size=10)
    queue.put(2, "a", "y", is_background=True, size=5)
    assert (len(queue), queue.bytes, 1 in queue, 3 in queue) == (2, 15, True, False)
    queue.take()
    assert (len(queue), queue.bytes, 1 in queue) == (1, 5, False)
    queue.remove(2)
    assert (len(queue), queue.bytes, queue.has_next) == (0, 0, False)


def test_nothing_can_be_taken_from_an_empty_queue():
    for empty in (FairQueue(4), filled("a1")):
        empty.drain()
        for ask in (empty.take, empty.peek):
            with pytest.raises(IndexError, match="Nothing may be taken"):
                ask()


def test_a_key_is_good_for_one_item_at_a_time():
    queue = filled("a1")
    with pytest.raises(ValueError, match="'a1' already"):
        queue.put("a1", "b", "other", is_background=True)
    assert queue.drain() == ["a1"]
    queue.put("a1", "a", "again", is_background=False)
    assert queue.take() == "again"


@pytest.mark.parametrize("share", [0, -1])
def test_a_share_of_less_than_one_in_one_means_nothing(share):
    with pytest.raises(ValueError, match=f"at least 1, got {share}"):
        FairQueue(share)


# --- held groups ----------------------------------------------------------------------------------


def test_a_group_that_is_held_lets_others_pass_and_waits():
    queue = filled("a1", "a2", "b1", "b2")
    queue.hold("a")
    queue.put("a3", "a", "a3", is_background=False)
    assert [queue.take(), queue.take(), queue.has_next] == ["b1", "b2", False]
    assert (len(queue), "a3" in queue) == (3, True)
    queue.release("a")
    assert queue.drain() == ["a1", "a2", "a3"]


def test_a_group_that_is_released_has_its_turn_after_those_that_wait():
    queue = filled("a1", "b1", "c1")
    queue.hold("a")
    queue.release("a")
    assert queue.drain() == ["b1", "c1", "a1"]


def test_holding_and_releasing_twice_is_holding_and_releasing_once():
    queue = filled("a1", "b1")
    queue.hold("a")
    queue.hold("a")
    queue.release("a")
    queue.release("a")
    assert queue.drain() == ["b1", "a1"]


def test_background_that_is_held_has_no_share():
    queue = filled("a1", "a2", "a3", background=["z1"], share=2)
    queue.hold("z")
    assert [queue.take(), queue.take()] == ["a1", "a2"]
    queue.release("z")
    assert queue.drain() == ["a3", "z1"]


def test_all_is_drained_held_or_not():
    queue = filled("a1", "b1", background=["a2"])
    queue.hold("a")
    assert sorted(queue.drain()) == ["a1", "a2", "b1"]
    queue.put("a3", "a", "a3", is_background=False)
    assert queue.take() == "a3"


# --- over random histories ------------------------------------------------------------------------

PUT = st.tuples(st.just("put"), GROUPS, st.booleans(), st.integers(0, 9))
TAKE = st.tuples(st.just("take"))
REMOVE = st.tuples(st.just("remove"), st.integers(0, 20))
HOLD = st.tuples(st.sampled_from(["hold", "release"]), GROUPS)
HISTORIES = st.lists(PUT | TAKE | REMOVE | HOLD, max_size=60)


def perform(step, key, queue, naive):
    """One step on both: what each says of it."""
    match step:
        case ("put", group, is_background, size):
            for each in (queue, naive):
                each.put(key, group, f"item {key}", is_background=is_background, size=size)
        case ("take",):
            expected = naive.next()
            if expected is not None:
                assert queue.peek() == expected.item
                assert (queue.take(), naive.take()) == (expected.item, expected)
        case ("remove", which):
            found = naive.remove(which)
            assert queue.remove(which) == (found.item if found else None)
        case ("hold" | "release" as change, group):
            getattr(queue, change)(group)
            getattr(naive, change)(group)


@given(SHARES, HISTORIES)
def test_it_agrees_with_a_naive_queue_over_random_histories(share, history):
    queue, naive = FairQueue(share), NaiveQueue(share)
    for key, step in enumerate(history):
        perform(step, key, queue, naive)
        assert len(queue) == len(naive.waiting)
        assert queue.bytes == sum(each.size for each in naive.waiting)
        assert all(each.key in queue for each in naive.waiting)
        assert queue.has_next is (naive.next() is not None)
    for group in tuple(naive.held):
        queue.release(group)
        naive.release(group)
    assert queue.drain() == [naive.take().item for _ in range(len(naive.waiting))]
    assert (len(queue), queue.bytes) == (0, 0)


@given(SHARES, st.lists(st.tuples(GROUPS, st.booleans()), max_size=60))
def test_background_is_never_passed_by_as_many_as_its_share_in_a_row(share, arrivals):
    queue = FairQueue(share)
    for key, (group, is_background) in enumerate(arrivals):
        queue.put(key, group, is_background, is_background=is_background)
    order = queue.drain()
    last = max((place for place, is_background in enumerate(order) if is_background), default=-1)
    for start in range(last + 2 - share):
        assert any(order[start : start + share])


@given(st.lists(GROUPS, max_size=60))
def test_no_group_has_two_turns_while_another_waits_for_one(arrivals):
    queue = FairQueue(4)
    for key, group in enumerate(arrivals):
        queue.put(key, group, group, is_background=False)
    order = queue.drain()
    for group in set(order):
        turns = [place for place, each in enumerate(order) if each == group]
        for before, after in zip(turns, turns[1:]):
            between = order[before + 1 : after]
            assert len(between) == len(set(between))
