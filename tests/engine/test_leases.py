"""Which stages a process may begin ahead of a run: those that would be started in any case."""

from __future__ import annotations

from dataclasses import replace

import pytest

from stageflow_actors.engine.leases import followers_in
from stageflow_actors.model.plan import Plan
from tests.engine.graphs import plan_of

CHAIN = {"a": "", "b": "a", "c": "b"}


def followers(plan, stages=None):
    """By stage, who may follow it, what each reads and what it waits for, as names."""
    names = plan.stage_names
    here = range(len(names)) if stages is None else [names.index(each) for each in stages.split()]
    return {
        names[before]: {
            names[each.stage]: (
                {name: names[index] for name, index in each.inputs.items()},
                {names[index] for index in each.waits_for},
            )
            for each in following
        }
        for before, following in followers_in(plan, here).items()
    }


def test_each_stage_of_a_chain_follows_the_one_before_it():
    assert followers(plan_of(CHAIN)) == {
        "a": {"b": ({"a": "a"}, {"a"})},
        "b": {"c": ({"b": "b"}, {"b"})},
    }


def test_one_that_waits_for_several_follows_each_of_them_once_all_have_ended():
    found = followers(plan_of({"a": "", "b": "a", "c": "a", "d": "b c"}))
    joined = {"d": ({"b": "b", "c": "c"}, {"b", "c"})}
    assert list(found["a"]) == ["b", "c"]
    assert (found["b"], found["c"]) == (joined, joined)


def test_what_only_comes_before_is_waited_for_and_not_read():
    found = followers(plan_of({"a": "", "b": "", "c": "a after:b"}))
    assert found["a"] == found["b"] == {"c": ({"a": "a"}, {"a", "b"})}


def test_only_stages_of_the_host_follow_and_only_those_that_wait_for_nobody_else():
    plan = plan_of({**CHAIN, "d": "b", "e": "c d"})
    assert followers(plan, "a b d e") == {
        "a": {"b": ({"a": "a"}, {"a"})},
        "b": {"d": ({"b": "b"}, {"b"})},
    }
    assert followers(plan, "a c e") == {}
    assert followers(plan, "b") == {}


def test_nobody_follows_what_it_does_not_wait_for():
    assert followers(plan_of({"a": "", "b": ""})) == {}


@pytest.mark.parametrize(
    "words",
    [
        "a any:a",
        "a conditional",
        "a route:left",
        "opt:a",
        "a retry:2",
        "a total:5",
        "a guard:a",
    ],
)
def test_what_is_decided_by_more_than_its_data_follows_nobody(words):
    assert "a" not in followers(plan_of({"a": "", "b": words}))


@pytest.mark.parametrize(
    "option",
    [
        {"concurrency": 1},
        {"is_batching": True},
    ],
)
def test_what_may_have_to_wait_follows_nobody(option):
    plan = plan_of(CHAIN)
    a, b, c = plan.stages
    assert list(followers(Plan("p", (a, replace(b, **option), c)))) == ["b"]


def test_what_a_guard_has_to_let_pass_follows_nobody():
    plan = plan_of({"a": "", "check": "a guard:a", "out": "a"})
    assert followers(plan) == {}


def test_what_a_finalizer_waits_for_follows_nobody():
    """Where the run stops, the finalizer starts without having waited for it."""
    assert followers(plan_of({"a": "", "b": "a", "close": "any:b"})) == {}
    assert followers(plan_of({"a": "", "b": "a", "close": "b any:a"})) == {}


def test_a_stage_with_a_fallback_or_a_time_for_each_attempt_may_follow():
    plan = plan_of({"a": "", "b": "a fallback", "c": "a"}, {"c": 1.0})
    assert list(followers(plan)["a"]) == ["b", "c"]


# --- what must not be executed twice --------------------------------------------------------------


@pytest.mark.parametrize(
    "words",
    ["effects:none", "effects:keyed", "retry:2 covers:loss", "retry:2 covers:timeout", "fallback"],
)
def test_what_must_not_happen_twice_follows_only_what_stops_the_run_if_it_is_lost(words):
    """A process that dies may have begun ``b``, and nobody knows of it: ``b`` must not start."""
    assert followers(plan_of({"a": words, "b": "a"})) == {}
    assert followers(plan_of({"a": words, "b": "a effects:once_only"})) == {}
    assert list(followers(plan_of({"a": words, "b": "a effects:none"}))["a"]) == ["b"]
    assert list(followers(plan_of({"a": words, "b": "a effects:keyed"}))["a"]) == ["b"]


def test_what_must_not_happen_twice_does_not_follow_what_the_run_can_do_without():
    assert followers(plan_of({"a": "tolerant", "b": "after:a"})) == {}
    assert followers(plan_of({"a": "tolerant", "b": "after:a effects:none"})) != {}
    assert followers(plan_of({"a": "", "x": "effects:none", "b": "a x"})) == {}


def test_a_retry_that_covers_neither_loss_nor_timeout_is_no_reason():
    assert list(followers(plan_of({"a": "retry:2", "b": "a"}))["a"]) == ["b"]
