"""How long a keeper stays."""

from __future__ import annotations

from stageflow_actors.serving.replicas.tenure import Tenure

STAY, RETIRE = False, True


def tenure():
    return Tenure(0.0, left_s=2.0, lost_s=10.0, orphaned_s=30.0)


def told(of, now, *, is_served=True, has_heir=False):
    return of.is_over(now, is_served=is_served, has_heir=has_heir)


def test_it_stays_while_a_replica_is_there():
    keeper = tenure()
    keeper.seen("a", 0.0)
    assert told(keeper, 9.0, has_heir=True) is STAY
    keeper.seen("a", 9.0)
    assert told(keeper, 18.0, is_served=False) is STAY
    assert keeper.replicas == {"a"}


def test_it_goes_some_time_after_the_last_has_left():
    keeper = tenure()
    keeper.seen("a", 0.0)
    keeper.seen("b", 0.0)
    keeper.left("a", 5.0)
    assert told(keeper, 8.0) is STAY
    keeper.left("b", 8.0)
    keeper.left("b", 9.5)  # told twice
    assert [told(keeper, now) for now in (10.0, 10.1)] == [STAY, RETIRE]


def test_a_replica_that_comes_back_in_time_keeps_it():
    keeper = tenure()
    keeper.seen("a", 0.0)
    keeper.left("a", 1.0)
    keeper.seen("b", 2.5)
    assert told(keeper, 10.0) is STAY


def test_it_waits_longer_where_the_last_was_lost():
    keeper = tenure()
    keeper.seen("a", 0.0)
    keeper.seen("a", 5.0)
    assert [told(keeper, now) for now in (15.0, 15.1, 35.0, 35.2)] == [STAY, STAY, STAY, RETIRE]


def test_one_that_was_lost_before_the_last_left_keeps_it_no_longer():
    keeper = tenure()
    keeper.seen("a", 1.0)
    keeper.seen("b", 2.0)
    keeper.left("b", 8.0)
    assert [told(keeper, now) for now in (11.0, 11.1)] == [STAY, RETIRE]


def test_without_a_serve_or_with_another_version_it_goes_at_once():
    for what in ({"is_served": False}, {"has_heir": True}):
        keeper = tenure()
        keeper.seen("a", 0.0)
        keeper.left("a", 1.0)
        assert told(keeper, 1.1) is STAY
        assert told(keeper, 1.1, **what) is RETIRE


def test_a_keeper_that_nobody_ever_joined_goes_too():
    assert [told(tenure(), now) for now in (30.0, 30.1)] == [STAY, RETIRE]
