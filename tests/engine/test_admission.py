"""Who may run, who waits, and who is to come back later: case by case."""

import pytest

from stageflow_actors.engine.admission import Admission, Admitted, Limits, Refused, TenantLoad

RUN, WAIT = Admitted.RUN, Admitted.WAIT
SHARE = 4


def admission(running=1, waiting=100, nbytes=1000, tenant_running=None, tenant_waiting=None):
    limits = Limits(running, waiting, nbytes, tenant_running, tenant_waiting)
    return Admission(limits, SHARE)


def arrive(made, *names, size=1, is_background=False):
    """Items like ``a1``, whose tenant is the first letter: what becomes of each."""
    return [
        made.arrive(name, name[0], size, f"item {name}", is_background=is_background)
        for name in names
    ]


def all_next(made):
    return list(iter(made.next, None))


# --- running and waiting --------------------------------------------------------------------------


def test_as_many_run_as_may_and_the_others_wait():
    made = admission(running=2)
    assert arrive(made, "a1", "a2", "a3") == [RUN, RUN, WAIT]
    assert (made.running, made.waiting, made.next()) == (2, 1, None)


def test_one_that_leaves_makes_room_for_one():
    made = admission()
    arrive(made, "a1", "a2", "a3")
    made.leave("a1", 1.0)
    assert all_next(made) == ["item a2"]
    assert (made.running, made.waiting) == (1, 1)


def test_tenants_take_turns():
    made = admission()
    arrive(made, "a1", "a2", "a3", "b1", "b2", "c1")
    order = []
    for name in ("a1", "a2", "b1", "c1", "a3", "b2"):
        made.leave(name, 0.0)
        order += all_next(made)
    assert order == ["item a2", "item b1", "item c1", "item a3", "item b2"]


def test_background_waits_for_interactive_but_has_its_share():
    made = admission()
    arrive(made, "x0")
    arrive(made, "z1", "z2", is_background=True)
    arrive(made, "a1", "a2", "a3", "a4")
    order, running = [], "x0"
    for _ in range(6):
        made.leave(running, 0.0)
        (item,) = all_next(made)
        running = item.removeprefix("item ")
        order.append(running)
    assert order == ["a1", "a2", "a3", "z1", "a4", "z2"]


def test_who_arrives_does_not_overtake_one_that_could_run_now():
    made = admission()
    arrive(made, "a1", "a2")
    made.leave("a1", 0.0)
    assert arrive(made, "b1") == [WAIT]
    assert all_next(made) == ["item a2"]


def test_one_that_waits_can_be_taken_back():
    made = admission()
    arrive(made, "a1", "a2", "a3")
    made.leave("a2", 0.0)
    assert (made.running, made.waiting, made.waiting_bytes) == (1, 1, 1)
    made.leave("a1", 0.0)
    assert all_next(made) == ["item a3"]


def test_one_that_is_not_here_leaves_without_a_trace():
    made = admission()
    arrive(made, "a1", "a2")
    made.leave("b1", 0.0)
    made.leave("a1", 0.0)
    made.leave("a1", 0.0)
    assert (made.running, made.waiting) == (0, 1)


def test_a_key_is_good_for_one_at_a_time():
    made = admission()
    arrive(made, "a1", "a2")
    for name in ("a1", "a2"):
        with pytest.raises(ValueError, match=f"'{name}' already"):
            arrive(made, name)
    assert (made.running, made.waiting, made.refused) == (1, 1, 0)


# --- limits of a tenant ---------------------------------------------------------------------------


def test_a_tenant_at_its_limit_waits_and_keeps_nobody_else_waiting():
    made = admission(running=3, tenant_running=1)
    assert arrive(made, "a1", "a2", "a3", "b1") == [RUN, WAIT, WAIT, RUN]
    assert made.next() is None
    assert arrive(made, "c1", "b2") == [RUN, WAIT]
    made.leave("b1", 0.0)
    assert all_next(made) == ["item b2"]


def test_a_tenant_below_its_limit_again_has_its_turn_after_the_others():
    made = admission(running=1, tenant_running=1)
    arrive(made, "a1", "a2", "b1")
    made.leave("a1", 0.0)
    assert all_next(made) == ["item b1"]
    made.leave("b1", 0.0)
    assert all_next(made) == ["item a2"]


def test_a_tenant_at_its_limit_runs_no_background_either():
    made = admission(running=3, tenant_running=1)
    arrive(made, "a1")
    assert arrive(made, "a2", is_background=True) == [WAIT]
    assert made.next() is None


# --- refusals -------------------------------------------------------------------------------------


def refusal(made, name, size=1):
    (refused,) = arrive(made, name, size=size)
    assert isinstance(refused, Refused)
    return refused.reason


def test_no_more_wait_than_may():
    made = admission(waiting=1)
    arrive(made, "a1", "a2")
    assert refusal(made, "b1") == "1 are running and 1 waiting; no more may wait."
    assert (made.running, made.waiting, made.refused) == (1, 1, 1)


def test_no_more_bytes_wait_than_may():
    made = admission(nbytes=10)
    arrive(made, "a1", "a2", size=6)
    assert refusal(made, "b1", size=5) == (
        "6 bytes are waiting, this has 5, and no more than 10 may wait."
    )
    assert arrive(made, "b2", size=4) == [WAIT]
    assert made.waiting_bytes == 10


def test_what_is_too_large_to_wait_may_run():
    made = admission(nbytes=10)
    assert arrive(made, "a1", size=11) == [RUN]
    assert made.waiting_bytes == 0


def test_no_more_of_one_tenant_wait_than_may():
    made = admission(tenant_waiting=1)
    arrive(made, "a1", "a2")
    assert refusal(made, "a3") == "Tenant 'a' has 1 running and 1 waiting; no more of it may wait."
    assert arrive(made, "b1") == [WAIT]


def test_where_none_may_wait_some_run():
    made = admission(running=2, waiting=0)
    assert arrive(made, "a1", "a2") == [RUN, RUN]
    refusal(made, "a3")
    made.leave("a1", 0.0)
    assert arrive(made, "a4") == [RUN]


def test_the_reason_is_short_whatever_the_tenant_is_called():
    made = admission(tenant_waiting=0)
    arrive(made, "a1")
    refused = made.arrive("x", "t" * 10_000, 1, None, is_background=False)
    assert len(refused.reason) < 200


@pytest.mark.parametrize("limits", [Limits(0, 1, 1), Limits(1, 1, 1, 0, 1)])
def test_limits_under_which_nothing_ever_runs_are_refused(limits):
    with pytest.raises(ValueError, match="Nothing may ever run"):
        Admission(limits, SHARE)


# --- when to come back ----------------------------------------------------------------------------


def retry_after(made):
    (refused,) = arrive(made, "z9", size=10_000)
    return refused.retry_after_s


def busy(gaps, waiting=1):
    """Always one running and so many waiting; the ends are so many seconds apart."""
    made = admission()
    count = len(gaps) + 2 + waiting
    arrive(made, *(f"a{n}" for n in range(count)))
    at = 100.0
    for n, gap_s in enumerate([0.0, *gaps]):
        at += gap_s
        made.leave(f"a{n}", at)
        made.next()
    assert made.waiting == waiting
    return made


def test_before_anything_has_ended_it_is_a_second_for_each_that_waits():
    made = admission()
    arrive(made, "a1")
    assert retry_after(made) == 1.0
    arrive(made, "a2", "a3", "a4")
    assert retry_after(made) == 3.0


@pytest.mark.parametrize("waiting", [1, 5])
def test_it_is_the_time_in_which_those_that_wait_will_have_left(waiting):
    assert retry_after(busy([2.0, 2.0, 2.0], waiting)) == pytest.approx(2.0 * waiting)


def test_the_pace_is_smoothed_and_follows_a_change():
    assert retry_after(busy([2.0, 2.0, 4.0])) == pytest.approx(2.4)
    assert retry_after(busy([2.0] + [4.0] * 30)) == pytest.approx(4.0, rel=0.01)


@pytest.mark.parametrize(("gap_s", "clamped"), [(0.0, 0.1), (0.001, 0.1), (1e9, 60.0), (-5.0, 0.1)])
def test_it_is_never_shorter_nor_longer_than_makes_sense(gap_s, clamped):
    assert retry_after(busy([gap_s, gap_s])) == clamped


def one_after_the_other(*ends):
    """Each arrives when nothing runs, and ends then."""
    made = admission()
    for at in ends:
        arrive(made, "a1")
        made.leave("a1", at)
    arrive(made, "a1")
    return made


def test_time_in_which_nothing_ran_does_not_make_it_longer():
    assert retry_after(one_after_the_other(0.0, 2.0, 50.0)) == 2.0


def test_time_in_which_nothing_ran_may_make_it_shorter():
    assert retry_after(one_after_the_other(0.0, 20.0, 30.0)) == 18.0


def test_what_is_taken_back_says_nothing_of_the_pace():
    made = busy([2.0, 2.0], waiting=2)
    made.leave("a4", 1000.0)
    assert retry_after(made) == pytest.approx(2.0)


# --- what is kept ---------------------------------------------------------------------------------


def test_tenants_are_described_while_they_have_something_here_and_then_forgotten():
    made = admission(running=2, tenant_running=1, tenant_waiting=1)
    arrive(made, "a1", "a2", "a3", "b1", "c1")
    assert made.describe() == {
        "a": TenantLoad(1, 1),
        "b": TenantLoad(1, 0),
        "c": TenantLoad(0, 1),
    }
    for name in ("c1", "b1", "a2", "a1"):
        made.leave(name, 0.0)
    assert made.describe() == {}


def kept(thing, seen):
    """How many entries the containers below ``thing`` have, all together."""
    if id(thing) in seen:
        return 0
    seen.add(id(thing))
    if isinstance(thing, dict):
        return len(thing) + sum(kept(each, seen) for each in thing.values())
    slots = [name for cls in type(thing).__mro__ for name in getattr(cls, "__slots__", ())]
    return sum(kept(getattr(thing, name), seen) for name in slots if hasattr(thing, name))


def test_nothing_is_kept_of_those_that_have_left():
    made = admission(running=2, waiting=5, tenant_running=1, tenant_waiting=2)
    for n in range(100):
        for each in ("first", "second", "third", "fourth"):
            made.arrive(f"{n} {each}", f"tenant {n}", 1, each, is_background=n % 2 == 0)
        made.leave(f"{n} second", n)
        made.leave(f"{n} first", n)
        while made.next():
            made.leave(f"{n} third", n)
    assert (made.running, made.waiting, kept(made, set())) == (0, 0, 0)
