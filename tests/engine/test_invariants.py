"""Every invariant goes red on a state that breaks it and nothing before it."""

import ast
import inspect

import pytest

from stageflow_actors.engine import invariants
from stageflow_actors.engine.invariants import InvariantViolation, check
from stageflow_actors.engine.state import RunPhase, StageState
from stageflow_actors.engine.verdict import Cause, CauseKind
from tests.engine.scene import Scene


@pytest.fixture
def running():
    """``a`` has passed, ``b`` and ``d`` run, ``c`` waits for ``b``."""
    scene = Scene({"a": "", "d": "", "b": "a", "c": "b"})
    scene.begin()
    scene.tick(scene.ok("a"))
    return scene.machine.state


@pytest.fixture
def branched():
    """``left`` runs; ``right``, ``cut`` and ``routed`` are unselected, what is idle is skipped."""
    graph = {"router": "", "left": "router route:left", "right": "router route:right"}
    joins = {"cut": "right", "join": "left cut", "close": "any:left"}
    idle = {"idle": "", "on_idle": "idle conditional", "routed": "idle route:left"}
    scene = Scene({**graph, **joins, **idle})
    scene.begin()
    scene.tick(scene.ok("router", route="left"), scene.skip("idle"))
    return scene.machine.state


@pytest.fixture
def stopping():
    """``a`` has failed, ``b`` stops, ``close`` will start when it has."""
    scene = Scene({"a": "", "b": "", "close": "any:a any:b"})
    scene.begin()
    scene.tick(scene.fail("a"))
    return scene.machine.state


@pytest.fixture
def failing():
    """``a`` is tolerated, ``b`` lacks it, ``c`` waits to be retried, ``d`` fell back, ``e`` runs;
    ``check`` has rejected what ``make`` made.
    """
    graph = {"a": "tolerant", "b": "a", "c": "retry:2", "d": "fallback", "e": "opt:a d"}
    scene = Scene({**graph, "make": "", "check": "make guard:make"})
    scene.begin()
    scene.tick(scene.fail("a"), scene.flaw("c"), scene.fail("d"), scene.ok("make"))
    scene.tick(scene.reject("check"))
    return scene.machine.state


def index(state, name):
    return state.plan.stage_names.index(name)


def put(state, name, to):
    """Put a stage into another state, with counts that fit."""
    state.stages[index(state, name)] = to
    state.live = sum(stage.is_live for stage in state.stages)
    state.retrying = state.stages.count(StageState.RETRYING)
    state.remaining = state.live + state.retrying + state.stages.count(StageState.WAITING)


def miscount_live(running):
    running.live += 1


def miscount_remaining(running):
    running.remaining -= 1


def miscount_waiting_for(running):
    running.waiting_for[index(running, "c")] = 0


def start_too_early(running):
    put(running, "c", StageState.RUNNING)


def start_a_finalizer_too_early(branched):
    put(branched, "close", StageState.RUNNING)


def start_a_finalizer_too_early_in_a_run_that_stops(stopping):
    put(stopping, "close", StageState.RUNNING)


def skip_for_no_reason(branched):
    del branched.noting().skip_reasons[index(branched, "idle")]


def unselect_a_stage_that_runs(branched):
    branched.noting().unselected[index(branched, "left")] = ""


def skip_for_an_unselected_stage(branched):
    branched.noting().skip_reasons[index(branched, "right")] = ""


def skip_for_a_stage_that_waits(branched):
    branched.noting().skip_reasons[index(branched, "join")] = ""


def take_a_route_while_running(branched):
    branched.noting().taken[index(branched, "left")] = "left"


def take_a_route_and_skip(branched):
    branched.noting().taken[index(branched, "idle")] = "left"


def unselect_for_no_reason(branched):
    idle = index(branched, "idle")
    branched.noting().unselected[idle] = branched.noting().skip_reasons.pop(idle)


def start_off_route(branched):
    put(branched, "right", StageState.OK)
    del branched.noting().unselected[index(branched, "right")]


def start_on_a_route_that_nobody_took(branched):
    put(branched, "routed", StageState.OK)
    del branched.noting().unselected[index(branched, "routed")]


def start_what_is_cut_off(branched):
    put(branched, "cut", StageState.OK)
    del branched.noting().unselected[index(branched, "cut")]


def start_in_spite_of_a_skip(branched):
    put(branched, "on_idle", StageState.OK)
    del branched.noting().skip_reasons[index(branched, "on_idle")]


def miscount_expected(stopping):
    stopping.noting().expected[index(stopping, "close")] = 2


def expect_nothing(stopping):
    stopping.noting().expected.clear()


def expect_a_finalizer_in_a_run_that_goes_on(running):
    running.noting().expected[index(running, "c")] = 1


def expect_a_finalizer_in_a_cancelled_run(stopping):
    stopping.is_cancelled = True


def expect_a_finalizer_after_a_cancel_by_a_stage(stopping):
    stopping.cause = Cause(CauseKind.STAGE_CANCEL, 0, "")


def forget_a_finalizer(stopping):
    put(stopping, "b", StageState.INTERRUPTED)
    stopping.noting().expected[index(stopping, "close")] = 0


def run_on(stopping):
    put(stopping, "b", StageState.RUNNING)


def miscount_retrying(failing):
    failing.retrying = 0


def block_a_stage_that_runs(failing):
    failing.noting().blocked[index(failing, "e")] = ""


def tolerate_a_stage_that_is_not_tolerant(failing):
    put(failing, "e", StageState.FAILED)
    failing.noting().tolerated[index(failing, "e")] = ""


def tolerate_a_stage_that_has_not_failed(failing):
    put(failing, "a", StageState.OK)


def fall_back_on_nothing(failing):
    put(failing, "e", StageState.FELL_BACK)


def start_without_an_input(failing):
    put(failing, "b", StageState.RUNNING)
    del failing.noting().blocked[index(failing, "b")]


def survive_too_many_losses(failing):
    failing.noting().tries[index(failing, "c")].losses = failing.settings.max_losses_per_stage + 1


def poison_a_stage_that_waits_to_be_retried(failing):
    failing.noting().poisoned[index(failing, "c")] = ""


def poison_a_stage_that_was_never_lost(failing):
    failing.noting().poisoned[index(failing, "a")] = ""


def retry_too_often(failing):
    failing.noting().tries[index(failing, "c")].retries = 2


def retry_beyond_the_budget(failing):
    failing.retries_left = -1


def keep_the_rounds_of_a_guard_that_has_passed(failing):
    failing.noting().rounds[index(failing, "d")] = failing.noting().rounds.pop(
        index(failing, "check")
    )


def end_while_retrying(failing):
    put(failing, "e", StageState.INTERRUPTED)
    put(failing, "make", StageState.INTERRUPTED)
    failing.noting().rounds.clear()
    failing.phase = RunPhase.ENDED


def hear_a_stop_that_was_not_told(running):
    running.noting().heard.add(index(running, "b"))


def end_while_live(running):
    running.phase = RunPhase.ENDED
    running.cause = Cause(CauseKind.FAILURE, 0, "")


def stop_without_a_cause(running):
    put(running, "b", StageState.STOPPING)
    put(running, "d", StageState.STOPPING)
    running.phase = RunPhase.STOPPING


def complete_too_early(running):
    put(running, "b", StageState.FAILED)
    put(running, "d", StageState.OK)
    running.phase = RunPhase.ENDED


def run_with_nothing_live(running):
    put(running, "b", StageState.FAILED)
    put(running, "d", StageState.OK)


def keep_what_is_ready(running):
    running.ready.append(index(running, "c"))


def keep_a_cause(running):
    running.tick_causes.append(Cause(CauseKind.FAILURE, 0, ""))


def forget_a_ready_stage(running):
    put(running, "b", StageState.OK)
    running.waiting_for[index(running, "c")] = 0


MUTANTS = {
    miscount_live: "live is",
    miscount_remaining: "remaining is",
    miscount_waiting_for: "waits for",
    start_too_early: "started too early",
    start_a_finalizer_too_early: "started too early",
    start_a_finalizer_too_early_in_a_run_that_stops: "started too early",
    skip_for_no_reason: "skipped without a reason",
    unselect_a_stage_that_runs: "an unselected stage was not skipped",
    skip_for_an_unselected_stage: "an unselected stage is a reason",
    skip_for_a_stage_that_waits: "before it has passed",
    take_a_route_while_running: "took a route and did not end ok",
    take_a_route_and_skip: "took a route and did not end ok",
    unselect_for_no_reason: "is unselected, and nothing says so",
    start_off_route: "started off its route",
    start_on_a_route_that_nobody_took: "started off its route",
    start_what_is_cut_off: "started, though its inputs are unselected",
    start_in_spite_of_a_skip: "started, though it is conditional on a skip",
    miscount_expected: "finalizers are expected",
    expect_nothing: "finalizers are expected",
    expect_a_finalizer_in_a_run_that_goes_on: "finalizers are expected",
    expect_a_finalizer_in_a_cancelled_run: "finalizers are expected",
    expect_a_finalizer_after_a_cancel_by_a_stage: "finalizers are expected",
    forget_a_finalizer: "a ready finalizer was not started",
    run_on: "runs on in a run that stops",
    miscount_retrying: "retrying is",
    block_a_stage_that_runs: "a blocked stage was not skipped",
    tolerate_a_stage_that_is_not_tolerant: "failed, and its run must not go on",
    tolerate_a_stage_that_has_not_failed: "is tolerated, and has not failed",
    fall_back_on_nothing: "fell back on nothing",
    start_without_an_input: "started without what it requires",
    survive_too_many_losses: "was repeated after too many losses",
    poison_a_stage_that_waits_to_be_retried: "is poisoned, and has not failed",
    poison_a_stage_that_was_never_lost: "is poisoned, and was not tried alone",
    retry_too_often: "was retried too often",
    retry_beyond_the_budget: "more retries than the run has",
    keep_the_rounds_of_a_guard_that_has_passed: "the rounds of",
    hear_a_stop_that_was_not_told: "a body stops that was not told to",
    end_while_live: "verdict was given while a body was live",
    end_while_retrying: "the verdict was given before a retry",
    stop_without_a_cause: "stopping without a cause",
    complete_too_early: "completed although",
    run_with_nothing_live: "running, but nothing is live",
    keep_what_is_ready: "notes of a tick outlived it",
    keep_a_cause: "notes of a tick outlived it",
    forget_a_ready_stage: "a ready stage was not started",
}


@pytest.mark.parametrize("corrupt", MUTANTS, ids=lambda corrupt: corrupt.__name__)
def test_a_state_that_must_not_exist_is_reported_by_what_is_wrong_with_it(request, corrupt):
    state = request.getfixturevalue(next(iter(inspect.signature(corrupt).parameters)))
    check(state)
    corrupt(state)
    with pytest.raises(InvariantViolation, match=MUTANTS[corrupt]):
        check(state)


def test_every_invariant_has_a_state_that_breaks_it():
    calls = [
        node
        for node in ast.walk(ast.parse(inspect.getsource(invariants)))
        if isinstance(node, ast.Call) and getattr(node.func, "id", None) == "_require"
    ]
    texts = [" ".join(ast.unparse(call.args[1]).split()) for call in calls]
    assert [text for text in texts if not any(part in text for part in MUTANTS.values())] == []
    assert len(set(MUTANTS.values())) == len(calls)


@pytest.mark.parametrize("fixture", ["running", "branched", "stopping", "failing"])
def test_a_state_that_a_run_reaches_passes(request, fixture):
    check(request.getfixturevalue(fixture))


def test_the_states_before_the_start_and_after_the_end_pass():
    scene = Scene({"a": "", "b": "a"})
    check(scene.machine.state)
    scene.begin()
    scene.tick(scene.fail("a"))
    assert scene.phase is RunPhase.ENDED
    check(scene.machine.state)
