"""The transition tables: an example for every entry, and no gap that a runtime could fall into."""

import itertools

import pytest

from stageflow_actors.engine.facts import (
    CancelRequested,
    Ending,
    Escalated,
    RunAccepted,
    StageEnded,
    StopHeard,
    TimerFired,
)
from stageflow_actors.engine.state import RunPhase, StageState
from stageflow_actors.engine.transitions import RUN_TRANSITIONS, STAGE_TRANSITIONS
from tests.engine.scene import Scene

ENDS_AS = {
    Ending.OK: StageState.OK,
    Ending.SKIP: StageState.SKIPPED,
    Ending.FAIL: StageState.FAILED,
    Ending.CANCEL: StageState.CANCELLED,
    Ending.INTERRUPTED: StageState.INTERRUPTED,
    Ending.CANCEL_BRANCH: StageState.BRANCH_CANCELLED,
    Ending.TIMED_OUT: StageState.TIMED_OUT,
    Ending.RETRY: StageState.RETRYING,
    Ending.LOST: StageState.FAILED,
}
STOPS_AS = {Ending.RETRY: StageState.FAILED, Ending.LOST: StageState.INTERRUPTED}
"""Where the end of a stage that was told to stop means something else."""
WORD = {
    StageState.OK: "completed",
    StageState.SKIPPED: "skipped",
    StageState.FAILED: "failed",
    StageState.TIMED_OUT: "failed",
    StageState.CANCELLED: "cancelled",
    StageState.INTERRUPTED: "cancelled",
    StageState.BRANCH_CANCELLED: "cancelled",
}
STAGE_ENTRIES = list(STAGE_TRANSITIONS)


def scene_in(state):
    """A run in which stage ``a`` is in ``state``; ``b`` runs beside it and ``c`` waits for it."""
    scene = Scene({"a": "", "b": "", "c": "a"}, a=1.0)
    scene.begin()
    if state is StageState.STOPPING:
        scene.tick(scene.outside())
    elif state is StageState.TIMING_OUT:
        scene.tick(scene.timer("a"))
    assert scene.state("a") is state
    return scene


@pytest.mark.parametrize(("state", "ending"), STAGE_ENTRIES, ids=lambda part: part.value)
def test_every_end_of_an_attempt_leads_to_one_state_and_one_event(state, ending):
    scene = scene_in(state)
    told = scene.tick(scene.ended("a", ending, "why"))
    expected = StageState.TIMED_OUT
    if state is not StageState.TIMING_OUT:
        ends_as = ENDS_AS | STOPS_AS if state is StageState.STOPPING else ENDS_AS
        expected = ends_as[ending]
    assert scene.state("a") is expected
    event = f"stage.a.{WORD[expected]}" if expected in WORD else "stage.retry_scheduled"
    about = [e for e in told.events if ".a." in e or e == "stage.retry_scheduled"]
    assert about == [event]


@pytest.mark.parametrize(("state", "ending"), STAGE_ENTRIES, ids=lambda part: part.value)
def test_only_a_pass_in_a_running_run_starts_the_dependents(state, ending):
    scene = scene_in(state)
    told = scene.tick(scene.ended("a", ending))
    passed = state is StageState.RUNNING and ending in (Ending.OK, Ending.SKIP)
    assert told.started == (["c"] if passed else [])


def test_every_end_of_a_live_stage_has_a_transition():
    live = [state for state in StageState if state.is_live]
    assert set(itertools.product(live, Ending)) - set(STAGE_TRANSITIONS) == set()


def test_no_end_of_a_stage_that_is_not_live_has_a_transition():
    assert all(state.is_live for state, _ending in STAGE_TRANSITIONS)


def scene_at(phase):
    scene = Scene({"a": "", "b": "", "c": "b"}, b=1.0)
    if phase is not RunPhase.CREATED:
        scene.begin()
    if phase in (RunPhase.STOPPING, RunPhase.ENDED):
        scene.tick(scene.fail("a"))
    if phase is RunPhase.ENDED:
        scene.tick(scene.interrupted("b"))
    assert scene.phase is phase
    return scene


FACTS = {
    RunAccepted: Scene.accepted,
    StageEnded: lambda scene: scene.ok("b"),
    StopHeard: lambda scene: scene.heard("b"),
    TimerFired: lambda scene: scene.timer("b"),
    CancelRequested: Scene.outside,
    Escalated: Scene.escalated,
}
LEADS_TO = {
    (RunPhase.CREATED, RunAccepted): (RunPhase.RUNNING, 0),
    (RunPhase.RUNNING, StageEnded): (RunPhase.RUNNING, 0),
    (RunPhase.RUNNING, StopHeard): (RunPhase.RUNNING, 1),
    (RunPhase.RUNNING, TimerFired): (RunPhase.STOPPING, 0),
    (RunPhase.RUNNING, CancelRequested): (RunPhase.STOPPING, 0),
    (RunPhase.RUNNING, Escalated): (RunPhase.STOPPING, 0),
    (RunPhase.STOPPING, StageEnded): (RunPhase.ENDED, 0),
    (RunPhase.STOPPING, StopHeard): (RunPhase.STOPPING, 0),
    (RunPhase.STOPPING, TimerFired): (RunPhase.STOPPING, 1),
    (RunPhase.STOPPING, CancelRequested): (RunPhase.STOPPING, 1),
    (RunPhase.STOPPING, Escalated): (RunPhase.STOPPING, 1),
    (RunPhase.ENDED, StageEnded): (RunPhase.ENDED, 1),
    (RunPhase.ENDED, StopHeard): (RunPhase.ENDED, 1),
    (RunPhase.ENDED, TimerFired): (RunPhase.ENDED, 1),
    (RunPhase.ENDED, CancelRequested): (RunPhase.ENDED, 1),
    (RunPhase.ENDED, Escalated): (RunPhase.ENDED, 1),
}


@pytest.mark.parametrize(
    ("phase", "fact"), LEADS_TO, ids=lambda part: getattr(part, "__name__", None) or part.value
)
def test_every_fact_leads_a_run_to_one_phase_or_is_counted_as_late(phase, fact):
    scene = scene_at(phase)
    scene.tick(FACTS[fact](scene))
    assert (scene.phase, scene.late_facts) == LEADS_TO[phase, fact]


def test_every_entry_of_the_table_of_a_run_has_its_example():
    assert set(RUN_TRANSITIONS) == set(LEADS_TO)


def test_once_accepted_a_run_takes_every_fact_in_every_phase():
    phases = [phase for phase in RunPhase if phase is not RunPhase.CREATED]
    facts = [fact for fact in FACTS if fact is not RunAccepted]
    assert set(itertools.product(phases, facts)) <= set(RUN_TRANSITIONS)
