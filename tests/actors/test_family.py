"""Who waits for whom: no execution counts as ended before the children that it has started."""

from __future__ import annotations

import pytest

from stageflow_actors.actors.event_log import EventLog
from stageflow_actors.actors.family import LEFT, ChildFacts, Family
from stageflow_actors.actors.messages import Assignment, Receipt
from stageflow_actors.actors.parental_bodies import ParentalBodies
from stageflow_actors.model.results import RunStatus

PARENT = ("run", 0, 1)


def facts(child, parent="top", depth=1):
    return ChildFacts("words", child, parent, "split", "corr", depth)


class Home:
    """A family with one execution in it, and what it was told."""

    def __init__(self):
        self.family, self.log, self.told = Family(), EventLog(100), []
        self.family.enter(PARENT, self.log)

    def adopt(self, child):
        born = self.family.adopt(PARENT, facts(child))
        assert born is not None
        born.tell = lambda reason: self.told.append((child, reason))
        return born

    def bury(self, child, status=RunStatus.OK, reason=None):
        self.family.bury(PARENT, child, status, reason)

    def leave(self):
        self.family.leave(PARENT, lambda: self.told.append("ended"))

    @property
    def types(self):
        return [event.type for event in self.log.take()]


def test_without_children_an_execution_ends_at_once():
    home = Home()
    home.leave()
    assert home.told == ["ended"]


def test_an_execution_with_children_ends_with_the_last_of_them_and_tells_them_to_stop():
    home = Home()
    first, second = home.adopt("a"), home.adopt("b")
    home.leave()
    assert home.told == [("a", LEFT), ("b", LEFT)]
    home.bury(first, RunStatus.CANCELLED, LEFT)
    assert "ended" not in home.told
    home.bury(second, RunStatus.CANCELLED, LEFT)
    assert home.told[2:] == ["ended"]


def test_children_that_ended_before_are_not_waited_for():
    home = Home()
    home.bury(home.adopt("a"))
    home.leave()
    assert home.told == ["ended"]


@pytest.mark.parametrize("when", ["it has ended", "it waits for a child", "it never began"])
def test_an_execution_that_is_not_there_has_no_children(when):
    home = Home()
    if when == "it waits for a child":
        home.adopt("a")
    if when != "it never began":
        home.leave()
    parent = ("other", 0, 1) if when == "it never began" else PARENT
    known = home.family.tracker.metrics.spawned
    assert home.family.adopt(parent, facts("late")) is None
    assert home.family.tracker.metrics.spawned == known
    assert home.types.count("pipeline.spawned_child") == known


def test_the_first_reason_to_stop_stays_and_is_told_once():
    home = Home()
    child = home.adopt("a")
    home.family.cancel(PARENT, "first")
    home.family.cancel(PARENT, "second")
    home.family.cancel_one(PARENT, "a", "third")
    home.leave()
    assert home.told == [("a", "first")]
    assert child.reason == "first"


def test_a_child_that_is_told_before_it_can_hear_keeps_the_reason():
    home = Home()
    child = home.family.adopt(PARENT, facts("a"))
    home.family.cancel(PARENT, "early")
    assert (child.reason, child.tell) == ("early", None)


def test_a_child_that_is_given_up_before_its_request_arrives_is_told_when_it_does():
    """Ray may deliver the two in either order."""
    home = Home()
    home.family.cancel_one(PARENT, "a", "given up")
    child = home.family.adopt(PARENT, facts("a"))
    assert child is not None
    assert child.reason == "given up"


def test_one_may_be_told_alone_and_who_is_unknown_is_not():
    home = Home()
    home.adopt("a")
    home.adopt("b")
    home.family.cancel_one(PARENT, "b", "given up")
    home.family.cancel_one(PARENT, "unknown", "given up")
    home.family.cancel_one(("other", 0, 1), "a", "given up")
    home.family.cancel(("other", 0, 1), "given up")
    assert home.told == [("b", "given up")]


def test_executions_are_told_apart_by_run_stage_and_attempt():
    home = Home()
    home.adopt("a")
    for other in (("run", 0, 2), ("run", 1, 1), ("other", 0, 1)):
        home.family.enter(other, home.log)
        home.family.cancel(other, "not meant")
        home.family.leave(other, lambda: home.told.append("other ended"))
    assert home.told == ["other ended"] * 3


@pytest.mark.parametrize(
    ("status", "type_"),
    [
        (RunStatus.OK, "pipeline.child_completed"),
        (RunStatus.FAILED, "pipeline.child_failed"),
        (RunStatus.TIMED_OUT, "pipeline.child_failed"),
        (RunStatus.CANCELLED, "pipeline.child_cancelled"),
    ],
)
def test_each_end_is_told_in_the_log_of_the_parent_and_counted(status, type_):
    home = Home()
    reason = None if status is RunStatus.OK else "why"
    home.bury(home.adopt("a"), status, reason)
    began, ended = home.log.take()
    assert (began.type, ended.type) == ("pipeline.spawned_child", type_)
    told = {
        "parent_run_id": "top",
        "child_run_id": "a",
        "parent_stage_id": "split",
        "pipeline_name": "words",
        "correlation_id": "corr",
    }
    assert began.data == told
    more = {} if reason is None else {"error_message": "why"}
    assert ended.data == {
        **told,
        "status": status.value,
        "duration_ms": ended.data["duration_ms"],
        **more,
    }
    assert (ended.stage, ended.attempt) == ("split", 1)
    counts = home.family.tracker.metrics.to_dict()
    assert (counts[status.value], counts["live"]) == (1, 0)


def test_nothing_is_kept_of_executions_that_have_ended():
    home = Home()
    home.bury(home.adopt("a"))
    home.leave()
    assert not home.family._children
    assert not home.family._logs
    assert not home.family._waiting


# --- the bodies of a run, with their children -----------------------------------------------------


RECEIPT = Receipt("ok", 0.0, 1.0)


class Bodies:
    """Notes what it is told to do."""

    def __init__(self):
        self.calls = []

    def start(self, ends, stage, assignment):
        self.calls.append(("start", stage, assignment.attempt))
        return True

    def interrupt(self, ends, stage, attempt, reason):
        self.calls.append(("interrupt", stage, attempt, reason))

    def kill(self, ends, stage, attempt):
        self.calls.append(("kill", stage, attempt))


class Run:
    """Notes which of its stages have ended."""

    def __init__(self):
        self.ends = []

    def stage_ended(self, stage, attempt, receipt):
        self.ends.append((stage, attempt, receipt))


class Scene:
    """One run whose stage 0 is executed for the first time, and has a child."""

    def __init__(self):
        self.family, self.run, self.inner = Family(), Run(), Bodies()
        self.bodies = ParentalBodies(self.inner, self.family, "run")
        self.bodies.open(EventLog(100))
        self.bodies.start(self.run, 0, Assignment(1, {}))
        self.child = self.family.adopt(PARENT, facts("a"))

    def end_child(self):
        self.family.bury(PARENT, self.child, RunStatus.CANCELLED, None)


def test_the_run_hears_of_a_stage_when_its_child_has_ended():
    scene = Scene()
    scene.bodies.stage_ended(0, 1, RECEIPT)
    assert scene.run.ends == []
    assert scene.child.reason == LEFT
    scene.end_child()
    assert scene.run.ends == [(0, 1, RECEIPT)]


def test_a_stage_without_children_ends_when_its_body_does():
    scene = Scene()
    scene.end_child()
    scene.bodies.stage_ended(0, 1, RECEIPT)
    assert scene.run.ends == [(0, 1, RECEIPT)]


def test_interrupt_and_kill_reach_the_body_and_its_children():
    for act, args in (("interrupt", ("enough",)), ("kill", ())):
        scene = Scene()
        getattr(scene.bodies, act)(scene.run, 0, 1, *args)
        assert scene.inner.calls[1:] == [(act, 0, 1, *args)]
        assert scene.child.reason == (args[0] if args else "the stage that started it was ended")


def test_a_body_that_has_ended_is_left_alone_while_its_children_are_waited_for():
    scene = Scene()
    scene.bodies.stage_ended(0, 1, RECEIPT)
    scene.bodies.interrupt(scene.run, 0, 1, "enough")
    scene.bodies.kill(scene.run, 0, 1)
    scene.bodies.stage_ended(0, 1, RECEIPT)
    assert scene.inner.calls == [("start", 0, 1)]
    scene.end_child()
    assert scene.run.ends == [(0, 1, RECEIPT)]


def test_what_an_attempt_that_is_over_says_counts_for_nothing():
    scene = Scene()
    scene.bodies.start(scene.run, 0, Assignment(2, {}))
    scene.bodies.stage_ended(0, 1, RECEIPT)
    assert scene.run.ends == []
    assert scene.child.reason is None
