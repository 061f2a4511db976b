"""Which child runs are live, under which run: by hand, and against a model that only has a list."""

import json
import pickle
from dataclasses import FrozenInstanceError

import pytest
from hypothesis import strategies as st

from stageflow_actors.engine.child_runs import ChildRun, ChildRunMetrics, ChildRunTracker
from stageflow_actors.model.results import RunStatus
from tests.counted import few_or_many

OK = RunStatus.OK
ENDS = list(RunStatus)


def start(tracker, parent, *children, depth=1, pipeline="p", stage="s"):
    for child in children:
        assert tracker.register(parent, child, pipeline=pipeline, stage=stage, depth=depth)


@pytest.fixture
def family():
    """``top`` over ``a`` and ``b``; ``a`` over ``a1`` and ``a2``; ``a1`` over ``a11``."""
    tracker = ChildRunTracker()
    start(tracker, "top", "a")
    start(tracker, "a", "a1", depth=2)
    start(tracker, "a1", "a11", depth=3)
    start(tracker, "top", "b")
    start(tracker, "a", "a2", depth=2)
    return tracker


def test_a_run_that_nobody_knows_is_its_own_root_and_has_nobody():
    tracker = ChildRunTracker()
    assert tracker.root("top") == "top"
    assert tracker.parent("top") is tracker.find("top") is None
    assert tracker.children("top") == tracker.descendants("top") == ()
    assert tracker.metrics == ChildRunMetrics()


def test_what_was_said_of_a_child_is_found_while_it_lives():
    tracker = ChildRunTracker()
    start(tracker, "top", "a", pipeline="words", stage="split")
    assert tracker.find("a") == ChildRun("top", "top", "words", "split", 1)
    tracker.unregister("a", OK)
    assert tracker.find("a") is None


def test_children_are_those_directly_below_in_the_order_they_came(family):
    assert family.children("top") == ("a", "b")
    assert family.children("a") == ("a1", "a2")
    assert family.children("a11") == ()


def test_descendants_come_level_by_level_the_deepest_last(family):
    assert family.descendants("top") == ("a", "b", "a1", "a2", "a11")
    assert family.descendants("a") == ("a1", "a2", "a11")
    assert family.descendants("b") == ()


def test_parent_and_root_lead_up(family):
    assert [family.parent(run) for run in ("a11", "a1", "a", "top")] == ["a1", "a", "top", None]
    assert {family.root(run) for run in ("a11", "a2", "b", "top")} == {"top"}


def test_families_are_kept_apart(family):
    start(family, "other", "x")
    assert family.root("x") == "other"
    assert family.descendants("other") == ("x",)
    assert "x" not in family.descendants("top")


def test_a_line_of_thousands_is_walked_without_recursion():
    tracker = ChildRunTracker()
    for depth in range(1, 5001):
        start(tracker, str(depth - 1), str(depth), depth=depth)
    assert tracker.descendants("0") == tuple(str(depth) for depth in range(1, 5001))
    assert tracker.root("5000") == "0"


# --- ends -----------------------------------------------------------------------------------------


def test_a_child_that_ended_is_forgotten(family):
    assert family.unregister("b", OK)
    assert family.children("top") == ("a",)
    assert family.parent("b") is None
    assert family.root("b") == "b"


def test_children_of_a_child_that_ended_first_come_under_the_run_above(family):
    family.unregister("a", RunStatus.FAILED)
    assert family.children("top") == ("b", "a1", "a2")
    assert family.children("a") == ()
    assert family.parent("a1") == "top"
    assert family.find("a1").depth == 2
    assert family.descendants("top") == ("b", "a1", "a2", "a11")
    family.unregister("a1", RunStatus.FAILED)
    assert family.parent("a11") == "top"
    assert family.root("a11") == "top"


@pytest.mark.parametrize("status", ENDS)
def test_each_end_is_counted_as_what_it_was(status):
    tracker = ChildRunTracker()
    start(tracker, "top", "a")
    tracker.unregister("a", status)
    counts = tracker.metrics.to_dict()
    assert {end.value: counts[end.value] for end in ENDS} == {
        end.value: int(end is status) for end in ENDS
    }


def test_an_end_of_an_unknown_run_is_told_and_not_counted(family):
    family.unregister("b", OK)
    before = family.metrics
    for unknown in ("b", "top", "elsewhere"):
        assert not family.unregister(unknown, RunStatus.FAILED)
    assert family.metrics == before
    assert family.descendants("top") == ("a", "a1", "a2", "a11")


def test_an_end_that_there_is_not_changes_nothing(family):
    before = family.metrics
    with pytest.raises(KeyError):
        family.unregister("b", "gone")
    assert family.metrics == before
    assert family.parent("b") == "top"


def test_nothing_is_kept_of_those_that_have_ended():
    def after(runs):
        tracker = ChildRunTracker()
        for run in range(runs):
            start(tracker, f"top{run}", f"a{run}")
            start(tracker, f"a{run}", f"b{run}", depth=2)
            tracker.unregister(f"a{run}", OK)
            tracker.unregister(f"b{run}", OK)
        return len(pickle.dumps(tracker))

    assert after(200) <= after(1) + 16, "but for longer numbers"


# --- what is refused ------------------------------------------------------------------------------


def test_a_child_that_comes_twice_stays_as_it_was_and_counts_once(family):
    before, known = family.metrics, family.find("a1")
    for parent in ("a", "b", "elsewhere"):
        assert not family.register(parent, "a1", pipeline="q", stage="t", depth=9)
    assert family.find("a1") == known
    assert family.metrics == before
    assert family.children("elsewhere") == family.children("b") == ()


def test_an_id_of_one_that_ended_may_come_again():
    tracker = ChildRunTracker()
    start(tracker, "top", "a")
    tracker.unregister("a", OK)
    start(tracker, "other", "a")
    assert tracker.root("a") == "other"
    assert tracker.metrics.spawned == 2


@pytest.mark.parametrize(
    ("parent", "child"),
    [("x", "x"), ("a11", "top"), ("other", "top")],
    ids=["itself", "a circle", "its children came first"],
)
def test_a_run_above_others_cannot_come_below_another(family, parent, child):
    before = family.metrics
    with pytest.raises(ValueError, match=f"Run {child} cannot come under run {parent}"):
        family.register(parent, child, pipeline="p", stage="s", depth=4)
    assert family.metrics == before
    assert family.children(parent) == ()
    assert family.descendants("top") == ("a", "b", "a1", "a2", "a11")


# --- metrics --------------------------------------------------------------------------------------


def test_metrics_count_what_was_and_what_is(family):
    family.unregister("a11", OK)
    family.unregister("a1", RunStatus.TIMED_OUT)
    start(family, "b", "b1", depth=2)
    assert family.metrics == ChildRunMetrics(
        spawned=6, ok=1, failed=0, cancelled=0, timed_out=1, live=4, max_live=5, max_depth=3
    )


def test_metrics_are_a_picture_of_one_moment(family):
    taken = family.metrics
    family.unregister("b", OK)
    assert taken.live == 5
    with pytest.raises(FrozenInstanceError):
        taken.live = 0


def test_metrics_are_ready_for_json(family):
    told = json.loads(json.dumps(family.metrics.to_dict()))
    assert told == {
        "spawned": 5, "ok": 0, "failed": 0, "cancelled": 0, "timed_out": 0,
        "live": 5, "max_live": 5, "max_depth": 3,
    }  # fmt: skip


# --- against a naive model ------------------------------------------------------------------------

RUNS = "abcdefgh"
STEPS = st.one_of(
    st.tuples(st.just("register"), st.sampled_from(RUNS), st.sampled_from(RUNS), st.integers(0, 9)),
    st.tuples(st.just("unregister"), st.sampled_from(RUNS), st.sampled_from(ENDS)),
)


class NaiveTracker:
    """Pairs of child and parent in one list; everything is looked up anew."""

    def __init__(self):
        self.pairs = []
        self.depths = []
        self.ended = []
        self.sizes = [0]

    def register(self, parent, child, depth):
        if any(child == known for known, _parent in self.pairs):
            return False
        if child == parent or self.children(child):
            raise ValueError
        self.pairs.append((child, parent))
        self.depths.append(depth)
        self.sizes.append(len(self.pairs))
        return True

    def unregister(self, child, status):
        above = self.parent(child)
        if above is None:
            return False
        orphans = [(run, above) for run in self.children(child)]
        self.pairs = [pair for pair in self.pairs if child not in pair] + orphans
        self.ended.append(status)
        return True

    def parent(self, run):
        return dict(self.pairs).get(run)

    def children(self, run):
        return [child for child, parent in self.pairs if parent == run]

    def root(self, run):
        above = self.parent(run)
        return run if above is None else self.root(above)

    def descendants(self, run):
        levels, found = self.children(run), []
        while levels:
            found += levels
            levels = [below for each in levels for below in self.children(each)]
        return found

    def metrics(self):
        return {
            "spawned": len(self.depths),
            **{status.value: self.ended.count(status) for status in ENDS},
            "live": len(self.pairs),
            "max_live": max(self.sizes),
            "max_depth": max(self.depths, default=0),
        }


def said(call, *args, **kwargs):
    try:
        return call(*args, **kwargs)
    except ValueError:
        return ValueError


@few_or_many(st.lists(STEPS, max_size=40))
def test_it_agrees_with_a_model_that_has_only_a_list(steps):
    tracker, naive = ChildRunTracker(), NaiveTracker()
    for step, *args in steps:
        if step == "register":
            parent, child, depth = args
            told = said(tracker.register, parent, child, pipeline="p", stage="s", depth=depth)
            assert told == said(naive.register, parent, child, depth)
        else:
            assert tracker.unregister(*args) == naive.unregister(*args)
        for run in RUNS:
            assert tracker.parent(run) == naive.parent(run)
            assert tracker.root(run) == naive.root(run)
            assert tracker.children(run) == tuple(naive.children(run))
            assert tracker.descendants(run) == tuple(naive.descendants(run))
        assert tracker.metrics.to_dict() == naive.metrics()
