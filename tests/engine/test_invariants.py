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
def state():
    """``a`` has passed, ``b`` and ``d`` run, ``c`` waits for ``b``."""
    scene = Scene({"a": "", "d": "", "b": "a", "c": "b"})
    scene.begin()
    scene.tick(scene.ok("a"))
    check(scene.machine.state)
    return scene.machine.state


def index(state, name):
    return state.plan.stage_names.index(name)


def put(state, name, to):
    """Put a stage into another state, with counts that fit."""
    state.stages[index(state, name)] = to
    state.live = sum(stage.is_live for stage in state.stages)
    waiting = sum(stage is StageState.WAITING for stage in state.stages)
    state.remaining = state.live + waiting


def miscount_live(state):
    state.live += 1


def miscount_remaining(state):
    state.remaining -= 1


def miscount_waiting_for(state):
    state.waiting_for[index(state, "c")] = 0


def start_too_early(state):
    put(state, "c", StageState.RUNNING)


def end_while_live(state):
    state.phase = RunPhase.ENDED
    state.cause = Cause(CauseKind.FAILURE, 0, "")


def stop_without_a_cause(state):
    state.phase = RunPhase.STOPPING


def complete_too_early(state):
    put(state, "b", StageState.FAILED)
    put(state, "d", StageState.OK)
    state.phase = RunPhase.ENDED


def run_with_nothing_live(state):
    put(state, "b", StageState.FAILED)
    put(state, "d", StageState.OK)


def keep_what_is_ready(state):
    state.ready.append(index(state, "c"))


def keep_a_cause(state):
    state.tick_causes.append(Cause(CauseKind.FAILURE, 0, ""))


def forget_a_ready_stage(state):
    put(state, "b", StageState.OK)
    state.waiting_for[index(state, "c")] = 0


MUTANTS = {
    miscount_live: "live is",
    miscount_remaining: "remaining is",
    miscount_waiting_for: "waits for",
    start_too_early: "started before its dependencies",
    end_while_live: "verdict was given while a body was live",
    stop_without_a_cause: "stopping without a cause",
    complete_too_early: "completed although",
    run_with_nothing_live: "running, but nothing is live",
    keep_what_is_ready: "notes of a tick outlived it",
    keep_a_cause: "notes of a tick outlived it",
    forget_a_ready_stage: "a ready stage was not started",
}


@pytest.mark.parametrize("corrupt", MUTANTS, ids=lambda corrupt: corrupt.__name__)
def test_a_state_that_must_not_exist_is_reported_by_what_is_wrong_with_it(state, corrupt):
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


def test_a_state_that_a_run_reaches_passes():
    scene = Scene({"a": "", "b": "a"})
    check(scene.machine.state)
    scene.begin()
    scene.tick(scene.fail("a"))
    check(scene.machine.state)
