"""A run in which nothing goes wrong."""

import pytest

from stageflow_actors.engine.commands import ArmTimer, DisarmTimer, StartStage
from stageflow_actors.engine.facts import Ending, Timer, TimerKind
from stageflow_actors.engine.machine import RunMachine
from stageflow_actors.engine.state import RunPhase, StageState
from stageflow_actors.model.settings import Settings
from tests.engine.graphs import plan_of
from tests.engine.scene import Scene

DIAMOND = {"a": "", "b": "a", "c": "a", "d": "b c"}


def test_a_run_that_is_accepted_starts_every_stage_without_dependencies():
    scene = Scene({"a": "", "b": "", "c": "a"})
    told = scene.begin()
    assert told.started == ["a", "b"]
    assert scene.phase is RunPhase.RUNNING
    assert scene.state("c") is StageState.WAITING


def test_a_stage_starts_as_soon_as_its_last_dependency_has_passed():
    scene = Scene(DIAMOND)
    scene.begin()
    assert scene.tick(scene.ok("a")).started == ["b", "c"]
    assert scene.tick(scene.ok("c")).started == []
    assert scene.tick(scene.ok("b")).started == ["d"]


def test_stages_that_become_ready_in_one_tick_start_in_the_order_of_the_plan():
    for x, y in ("ab", "ba"):
        scene = Scene({"a": "", "b": "", "x": x, "y": y})
        scene.begin()
        names = [name for name in scene.plan.stage_names if name in "xy"]
        assert scene.tick(scene.ok("b"), scene.ok("a")).started == names


def test_both_dependencies_ending_in_one_tick_start_the_stage_once():
    scene = Scene(DIAMOND)
    scene.begin()
    scene.tick(scene.ok("a"))
    assert scene.tick(scene.ok("c"), scene.ok("b")).started == ["d"]


def test_a_skipped_stage_lets_its_dependents_run():
    scene = Scene({"a": "", "b": "a"})
    scene.begin()
    told = scene.tick(scene.skip("a"))
    assert told.started == ["b"]
    assert told.events[0] == "stage.a.skipped"
    assert scene.state("a") is StageState.SKIPPED


def test_a_run_completes_when_its_last_stage_has_passed():
    scene = Scene(DIAMOND)
    scene.begin()
    for name in "abc":
        assert scene.tick(scene.ok(name)).verdict is None
    assert scene.tick(scene.skip("d")).verdict == ("ok", None, None)
    assert scene.phase is RunPhase.ENDED


def test_a_lone_stage_is_a_whole_run():
    scene = Scene({"a": ""})
    assert scene.begin().started == ["a"]
    assert scene.tick(scene.ok("a")).verdict == ("ok", None, None)


def test_the_events_of_a_run_tell_its_story_in_order():
    scene = Scene({"a": "", "b": "a"})
    assert scene.begin().events == ["pipeline.created", "pipeline.started", "stage.a.started"]
    assert scene.tick(scene.ok("a")).events == ["stage.a.completed", "stage.b.started"]
    assert scene.tick(scene.ok("b")).events == ["stage.b.completed", "pipeline.completed"]


def test_an_event_of_a_stage_has_its_index_attempt_time_and_detail():
    scene = Scene({"a": "", "b": "a"})
    scene.begin()
    event = scene.tick(scene.ended("a", Ending.OK, duration_ms=7)).event("stage.a.completed")
    assert (event.stage, event.attempt, event.at) == (scene.index("a"), 1, 101.0)
    assert event.data == {"duration_ms": 7}


def test_the_event_of_the_end_has_status_and_duration_from_acceptance():
    scene = Scene({"a": ""})
    scene.begin()
    scene.now += 0.5
    event = scene.tick(scene.ok("a")).event("pipeline.completed")
    assert (event.stage, event.attempt) == (None, None)
    assert event.data == {"status": "ok", "duration_ms": 1500}


def test_a_run_whose_clock_was_set_back_took_no_time_at_all():
    scene = Scene({"a": ""})
    scene.begin()
    scene.now -= 60
    assert scene.tick(scene.ok("a")).event("pipeline.completed").data["duration_ms"] == 0


def test_a_run_ends_with_the_last_of_the_facts_seen_together():
    for order in (1, -1):
        scene = Scene({"a": "", "b": ""})
        scene.begin()
        facts = [scene.ok("a"), scene.ok("b")]
        facts[0].at = scene.now + 3
        event = scene.tick(*facts[::order]).event("pipeline.completed")
        assert event.at == facts[0].at


def test_a_stage_with_a_timeout_has_a_timer_for_as_long_as_it_runs():
    scene = Scene({"a": "", "b": ""}, a=2.5)
    told = scene.begin()
    timer = Timer(TimerKind.ATTEMPT, 0, 1)
    assert [c for c in told.commands if isinstance(c, ArmTimer)] == [ArmTimer(timer, 2.5)]
    assert told.commands.index(StartStage(0, 1)) < told.commands.index(ArmTimer(timer, 2.5))
    told = scene.tick(scene.ok("a"))
    assert [c for c in told.commands if isinstance(c, DisarmTimer)] == [DisarmTimer(timer)]
    assert not [c for c in scene.tick(scene.ok("b")).commands if isinstance(c, DisarmTimer)]


def test_a_tick_without_facts_does_nothing():
    scene = Scene({"a": ""})
    assert scene.tick() == []
    scene.begin()
    before = [getattr(scene.machine.state, name) for name in ("phase", "live", "remaining")]
    assert scene.tick() == []
    assert before == [getattr(scene.machine.state, name) for name in ("phase", "live", "remaining")]


def test_two_runs_of_one_plan_share_nothing():
    plan = plan_of(DIAMOND)
    first, second = Scene(DIAMOND), Scene(DIAMOND)
    first.machine, second.machine = RunMachine(plan, Settings()), RunMachine(plan, Settings())
    first.begin()
    second.begin()
    first.tick(first.fail("a"))
    assert second.tick(second.ok("a")).started == ["b", "c"]


@pytest.mark.parametrize("first", ["ok", "skip", "fail", "cancel"])
def test_a_second_end_of_one_stage_changes_nothing(first):
    scene = Scene({"a": "", "b": "", "c": "a"})
    scene.begin()
    scene.tick(getattr(scene, first)("a"))
    before = list(scene.machine.state.stages)
    assert scene.tick(scene.fail("a"), scene.ok("a"), scene.cancel("a")) == []
    assert scene.machine.state.stages == before
    assert scene.late_facts == 3


def test_an_end_of_a_stage_that_has_not_started_changes_nothing():
    scene = Scene({"a": "", "b": "a"})
    scene.begin()
    assert scene.tick(scene.ok("b")) == []
    assert scene.state("b") is StageState.WAITING
    assert scene.late_facts == 1


def test_a_timer_of_a_stage_that_is_not_running_or_has_none_changes_nothing():
    scene = Scene({"a": "", "b": "", "c": "a"}, a=1, c=1)
    scene.begin()
    scene.tick(scene.ok("a"))
    assert scene.tick(scene.timer("a"), scene.timer("b")) == []
    assert scene.late_facts == 2
    assert scene.phase is RunPhase.RUNNING
