"""What follows when the process of a stage dies: how far it got is unknown."""

import pytest

from stageflow_actors.engine.facts import TimerKind
from stageflow_actors.engine.state import StageState
from stageflow_actors.model.settings import Settings
from tests.engine.scene import Scene

FREE = {"delay_ms": 0, "backoff_strategy": "none"}


def begun(words, settings=None):
    scene = Scene({"a": words}, settings)
    scene.begin()
    return scene


def survives(scene, **hint):
    """Lose the stage; whether it is repeated. If so, the next attempt runs."""
    scene.tick(scene.lost("a", **hint))
    if scene.state("a") is not StageState.RETRYING:
        return False
    scene.tick(scene.fired(TimerKind.RETRY, "a"))
    return True


@pytest.mark.parametrize(
    ("words", "guilty", "innocent"),
    [
        pytest.param("", False, False, id="nobody said what repeating does"),
        pytest.param("effects:none", True, True, id="no effects"),
        pytest.param("effects:keyed", True, True, id="effects that count once"),
        pytest.param("effects:once_only", False, False, id="only once"),
        pytest.param("retry:3", False, False, id="policy without losses"),
        pytest.param("retry:3 covers:loss", True, True, id="policy with losses"),
        pytest.param("retry:3 covers:loss effects:once_only", False, False, id="only once wins"),
        pytest.param("retry:1 covers:loss", False, True, id="policy that has no attempt left"),
    ],
)
def test_effects_and_policy_say_whether_a_loss_is_survived(words, guilty, innocent):
    assert survives(begun(words)) is guilty
    assert survives(begun(words), is_innocent=True) is innocent


def test_a_loss_that_is_not_survived_is_a_failure():
    scene = begun("")
    told = scene.tick(scene.lost("a", "process died"))
    assert told.events == ["stage.a.failed", "stage.error", "pipeline.failed"]
    assert told.verdict == ("failed", "a", "process died")
    assert "stage.retry_exhausted" not in told.events


@pytest.mark.parametrize("effects", ["none", "keyed"])
def test_a_harmless_stage_is_repeated_at_once_and_without_charge(effects):
    scene = begun(f"retry:2 effects:{effects}", Settings(max_retries_per_run=1))
    told = scene.tick(scene.lost("a"))
    assert told.armed == {("retry", "a"): 0.0}
    assert FREE.items() <= told.event("stage.retry_scheduled").data.items()
    scene.tick(scene.fired(TimerKind.RETRY, "a"))
    assert scene.tick(scene.flaw("a")).armed == {("retry", "a"): 1.0}  # its first, and the run's


@pytest.mark.parametrize("most", [1, 3])
def test_a_harmless_stage_survives_as_many_losses_as_the_settings_say(most):
    scene = begun("effects:none", Settings(max_losses_per_stage=most))
    assert [survives(scene) for _ in range(most + 1)] == [True] * most + [False]


def test_a_covered_loss_waits_as_any_retry_and_counts_as_one():
    scene = begun("retry:2 covers:loss")
    assert scene.tick(scene.lost("a")).armed == {("retry", "a"): 1.0}
    scene.tick(scene.fired(TimerKind.RETRY, "a"))
    told = scene.tick(scene.flaw("a", "again"))
    assert told.event("stage.retry_exhausted").data["reason"] == "max_attempts"


@pytest.mark.parametrize("words", ["effects:keyed", "retry:2 covers:loss"])
def test_a_stage_survives_any_number_of_losses_that_others_are_guilty_of(words):
    scene = begun(words, Settings(max_losses_per_stage=1, max_retries_per_run=1))
    for _ in range(9):
        assert survives(scene, is_innocent=True)
    assert survives(scene)


def test_a_failure_that_was_seen_is_no_loss():
    scene = begun("effects:none")
    assert scene.tick(scene.fail("a")).verdict == ("failed", "a", "boom")


def test_a_stage_that_must_not_run_twice_is_retried_after_a_failure_that_it_reported():
    scene = begun("retry:2 effects:once_only")
    scene.tick(scene.flaw("a"))
    assert scene.state("a") is StageState.RETRYING


def test_a_late_stage_whose_process_died_has_timed_out():
    scene = Scene({"a": "effects:none"}, a=1.5)
    scene.begin()
    scene.tick(scene.timer("a"))
    told = scene.tick(scene.lost("a"))
    assert told.verdict == ("timed_out", "a", "Stage timed out after 1500ms")


def test_a_stage_that_was_told_to_stop_and_whose_process_died_has_stopped():
    scene = Scene({"a": "effects:none", "b": ""})
    scene.begin()
    scene.tick(scene.fail("b"))
    assert scene.tick(scene.lost("a")).events[0] == "stage.a.cancelled"
    assert scene.state("a") is StageState.INTERRUPTED
