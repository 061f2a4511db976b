"""The supervisor gives up, for all of its runs: what becomes of one of them."""

import pytest

from stageflow_actors.engine.facts import TimerKind
from stageflow_actors.engine.state import RunPhase, StageState
from tests.engine.scene import Scene

VERDICT = ("failed", "<supervisor>", "too many deaths")


def begun(graph, /, **timeouts):
    scene = Scene(graph, **timeouts)
    scene.begin()
    return scene


def test_an_escalation_fails_a_run_in_the_name_of_the_supervisor():
    scene = begun({"a": "", "b": "a"})
    told = scene.tick(scene.escalated())
    assert told.interrupted == {"a": "too many deaths"}
    told = scene.tick(scene.interrupted("a"))
    assert told.verdict == VERDICT
    said = {"deciding_stage": "<supervisor>", "reason": "too many deaths"}
    assert said.items() <= told.event("pipeline.failed").data.items()


def test_a_run_that_is_accepted_when_the_supervisor_gives_up_starts_nothing():
    scene = Scene({"a": ""})
    told = scene.tick(scene.escalated(), scene.accepted())
    assert (told.started, told.verdict) == ([], VERDICT)


def test_nothing_is_repeated_after_an_escalation():
    scene = begun({"a": "retry:3", "b": "effects:none", "c": ""})
    scene.tick(scene.flaw("a"))
    told = scene.tick(scene.lost("b"), scene.escalated(), scene.fired(TimerKind.RETRY, "a"))
    assert (told.started, told.interrupted) == ([], {"c": "too many deaths"})
    assert scene.state("a") is scene.state("b") is StageState.INTERRUPTED
    assert scene.tick(scene.ok("c")).verdict == VERDICT


@pytest.mark.parametrize("others", [[], ["fail"]], ids=["alone", "with a failure"])
def test_no_finalizer_runs_after_an_escalation(others):
    scene = begun({"work": "", "beside": "", "close": "any:work"})
    told = scene.tick(*(getattr(scene, each)("work") for each in others), scene.escalated())
    assert told.started == []
    for name in ("work", "beside"):
        told = scene.tick(scene.interrupted(name)) if scene.state(name).is_live else told
    assert (told.started, told.verdict) == ([], VERDICT)


def test_an_escalation_while_a_run_stops_ends_its_finalizers_and_lets_the_first_cause_stand():
    graph = {"work": "", "flush": "any:work", "beside": "any:work retry:2", "close": "any:flush"}
    scene = begun(graph)
    scene.tick(scene.fail("work"))
    scene.tick(scene.flaw("beside"))
    told = scene.tick(scene.escalated())
    assert told.interrupted == {"flush": "too many deaths"}
    assert told.event("stage.beside.cancelled").data["reason"] == "too many deaths"
    told = scene.tick(scene.interrupted("flush"))
    assert (told.started, told.verdict) == ([], ("failed", "work", "boom"))


def test_a_second_escalation_changes_nothing():
    scene = begun({"a": ""})
    scene.tick(scene.escalated())
    assert scene.tick(scene.escalated("again")) == []
    assert scene.late_facts == 1
    assert scene.tick(scene.ok("a")).verdict == VERDICT


def test_an_escalation_after_the_verdict_comes_too_late():
    scene = begun({"a": ""})
    scene.tick(scene.ok("a"))
    assert scene.tick(scene.escalated()) == []
    assert (scene.phase, scene.late_facts) == (RunPhase.ENDED, 1)


def test_a_stage_that_answers_an_escalation_with_a_cancel_is_not_named():
    scene = begun({"a": ""})
    scene.tick(scene.escalated())
    assert scene.tick(scene.cancel("a")).verdict == VERDICT
