"""A stage whose process dies time after time: tried alone, then never again."""

import pytest

from stageflow_actors.engine.commands import FallBack, StartStage
from stageflow_actors.engine.facts import TimerKind
from stageflow_actors.engine.state import StageState
from stageflow_actors.model.settings import Settings
from tests.engine.scene import Scene

TWICE = Settings(max_losses_per_stage=2, max_retries_per_run=9)
DEATHS = "Its process died 3 times, the last time while it worked on nothing else."
WORDS = ["effects:none", "effects:keyed", "retry:9 covers:loss", "effects:none retry:9 covers:loss"]


def begun(words, settings=TWICE, /, **timeouts):
    scene = Scene({"a": words}, settings, **timeouts)
    scene.begin()
    return scene


def again(scene):
    """The wait of the stage is over; whether it is tried alone."""
    told = scene.tick(scene.fired(TimerKind.RETRY, "a"))
    assert told.started == ["a"]
    return told.alone == ["a"]


def dies(scene, **hint):
    """Its process dies, and it is repeated; whether alone."""
    scene.tick(scene.lost("a", **hint))
    return again(scene)


def suspect(words, settings=TWICE, /, **timeouts):
    """A run whose stage is tried alone."""
    scene = begun(words, settings, **timeouts)
    while not dies(scene):
        pass
    return scene


@pytest.mark.parametrize("words", WORDS)
@pytest.mark.parametrize("most", [1, 3])
def test_a_stage_is_tried_alone_after_so_many_deaths_and_no_sooner(words, most):
    scene = Scene({"a": words}, Settings(max_losses_per_stage=most))
    assert scene.begin().alone == []
    assert [dies(scene) for _ in range(most)] == [False] * (most - 1) + [True]


@pytest.mark.parametrize("words", WORDS)
def test_a_stage_that_dies_alone_is_poisoned_and_not_repeated(words):
    scene = suspect(words)
    told = scene.tick(scene.lost("a"))
    assert told.verdict == ("failed", "a", DEATHS)
    assert told.events == ["stage.a.failed", "stage.error", "pipeline.failed"]
    assert scene.machine.state.notes.poisoned == {0: DEATHS}


def test_the_events_of_a_poisoned_stage_say_so_and_keep_the_rest():
    scene = suspect("effects:none")
    fact = scene.lost("a")
    fact.detail = {"status": "lost", "duration_ms": 7, "error_type": "StageLostError", "code": "X"}
    told = scene.tick(fact)
    said = {"error": DEATHS, "error_type": "PoisonedInputError", "code": "STAGE-POISONED"}
    assert told.event("stage.a.failed").data == {"status": "lost", "duration_ms": 7, **said}
    assert said.items() <= told.event("stage.error").data.items()


@pytest.mark.parametrize(("words", "ends_as"), [("tolerant", "failed"), ("fallback", "fell_back")])
def test_a_run_goes_on_without_a_poisoned_stage_as_without_any_failed_one(words, ends_as):
    scene = suspect(f"effects:none {words}")
    told = scene.tick(scene.lost("a"))
    assert told.verdict == ("ok", None, None)
    assert scene.state("a") == ends_as
    assert any(isinstance(command, FallBack) for command in told.commands) is (words == "fallback")


def test_what_lacks_a_poisoned_input_is_told_why():
    scene = Scene({"a": "effects:none tolerant", "b": "a"}, Settings(max_losses_per_stage=1))
    scene.begin()
    dies(scene)
    text = "Its process died 2 times, the last time while it worked on nothing else."
    assert scene.tick(scene.lost("a")).skipped == {"b": f"'a' failed: {text}"}


def test_deaths_that_a_policy_is_charged_for_count_and_are_still_charged():
    scene = begun("retry:9 covers:loss", Settings(max_losses_per_stage=2, max_retries_per_run=2))
    waits = []
    for _ in range(2):
        waits.append(scene.tick(scene.lost("a")).armed["retry", "a"])
        again(scene)
    assert waits == [1.0, 2.0]
    assert scene.machine.state.retries_left == 0


def test_a_policy_without_an_attempt_left_ends_it_before_it_is_a_suspect():
    scene = begun("retry:2 covers:loss")
    dies(scene)
    told = scene.tick(scene.lost("a", "died"))
    assert told.verdict == ("failed", "a", "died")
    assert told.event("stage.retry_exhausted").data["reason"] == "max_attempts"
    assert scene.machine.state.notes.poisoned == {}


def test_a_stage_that_must_not_run_twice_is_neither_a_suspect_nor_poisoned():
    scene = begun("effects:once_only retry:9 covers:loss", Settings(max_losses_per_stage=1))
    assert scene.tick(scene.lost("a", "died")).verdict == ("failed", "a", "died")
    assert scene.machine.state.notes.poisoned == {}


def test_a_death_that_another_execution_is_guilty_of_makes_no_suspect_and_clears_none():
    scene = begun("effects:none")
    assert [dies(scene, is_innocent=True) for _ in range(5)] == [False] * 5
    assert [dies(scene), dies(scene)] == [False, True]
    assert [dies(scene, is_innocent=True) for _ in range(5)] == [True] * 5
    assert scene.tick(scene.lost("a")).verdict == ("failed", "a", DEATHS)


def test_a_suspect_that_fails_in_another_way_stays_one():
    scene = suspect("effects:none retry:9")
    scene.tick(scene.flaw("a"))
    assert again(scene)
    scene.tick(scene.ask_again("a"))
    assert again(scene)
    assert scene.tick(scene.lost("a")).verdict == ("failed", "a", DEATHS)


def test_a_suspect_that_does_its_work_is_as_good_as_any():
    scene = suspect("effects:none")
    assert scene.tick(scene.ok("a")).verdict == ("ok", None, None)
    assert scene.machine.state.notes.poisoned == {}


def test_a_death_of_a_stage_whose_time_is_up_is_none():
    settings = Settings(max_losses_per_stage=1)
    scene = begun("effects:none retry:9 covers:timeout", settings, a=1.5)
    for _ in range(3):
        scene.tick(scene.timer("a"))
        assert not dies(scene)
    assert dies(scene)
    scene.tick(scene.timer("a"))
    assert dies(scene), "a suspect that timed out is tried alone again"
    assert scene.machine.state.notes.poisoned == {}


def test_a_suspect_that_is_told_to_stop_and_dies_has_stopped():
    scene = Scene({"a": "effects:none", "b": ""}, Settings(max_losses_per_stage=1))
    scene.begin()
    assert dies(scene)
    scene.tick(scene.fail("b"))
    assert scene.tick(scene.lost("a")).verdict == ("failed", "b", "boom")
    assert scene.state("a") is StageState.INTERRUPTED
    assert scene.machine.state.notes.poisoned == {}


def test_a_finalizer_is_tried_alone_and_poisoned_as_any_stage():
    scene = Scene({"b": "", "a": "effects:none any:b"}, Settings(max_losses_per_stage=1))
    scene.begin()
    scene.tick(scene.fail("b"))
    assert dies(scene)
    told = scene.tick(scene.lost("a"))
    assert told.event("stage.a.failed").data["code"] == "STAGE-POISONED"
    assert told.verdict == ("failed", "b", "boom")


def test_what_a_guard_has_made_again_begins_anew():
    graph = {
        "a": "effects:none tolerant",
        "check": "opt:a guard:a rejects:9 stagnant:9",
    }
    scene = Scene(graph, Settings(max_losses_per_stage=1))
    scene.begin()
    assert dies(scene)
    scene.tick(scene.lost("a"))
    assert scene.machine.state.notes.poisoned
    told = scene.tick(scene.reject("check"))
    assert (told.started, told.alone) == (["a"], [])
    assert scene.machine.state.notes.poisoned == {}


def test_only_the_suspect_is_tried_alone():
    scene = Scene({"a": "effects:none", "b": "a"}, Settings(max_losses_per_stage=1))
    scene.begin()
    assert dies(scene)
    told = scene.tick(scene.ok("a"))
    assert [c for c in told.commands if isinstance(c, StartStage)] == [StartStage(1, 1)]
