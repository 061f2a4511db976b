"""What must hold after every step of a run. Used by tests and simulations, not in production."""

from __future__ import annotations

from stageflow_actors.engine.state import PASSED, RunPhase, RunState, StageState


class InvariantViolation(AssertionError):
    """The engine reached a state that must not exist."""


def check(state: RunState) -> None:
    """Check every invariant.

    Raises:
        InvariantViolation: names the first that does not hold.
    """
    _counts_match(state)
    _only_ready_stages_started(state)
    _phase_matches(state)


def _require(holds: bool, what: str) -> None:
    if not holds:
        raise InvariantViolation(what)


def _counts_match(state: RunState) -> None:
    live = sum(stage.is_live for stage in state.stages)
    waiting = sum(stage is StageState.WAITING for stage in state.stages)
    _require(state.live == live, f"live is {state.live}, but {live} stages are live")
    _require(
        state.remaining == live + waiting,
        f"remaining is {state.remaining}, but {live + waiting} stages have not ended",
    )


def _only_ready_stages_started(state: RunState) -> None:
    for index, stage in enumerate(state.plan.stages):
        open_dependencies = sum(
            state.stages[other] not in PASSED for other in (*stage.dependencies, *stage.after)
        )
        _require(
            state.waiting_for[index] == open_dependencies,
            f"{stage.name} waits for {state.waiting_for[index]}, not for {open_dependencies}",
        )
        started = state.stages[index] is not StageState.WAITING
        _require(
            not (started and open_dependencies),
            f"{stage.name} started before its dependencies had passed",
        )


def _phase_matches(state: RunState) -> None:
    ended = state.phase is RunPhase.ENDED
    _require(not (ended and state.live), "the verdict was given while a body was live")
    _require(
        state.phase is not RunPhase.STOPPING or state.cause is not None, "stopping without a cause"
    )
    _require(
        not (ended and state.cause is None and state.remaining),
        "completed although stages have not ended",
    )
    if state.phase is RunPhase.RUNNING:
        _require(bool(state.live), "running, but nothing is live")
    _require(not state.ready and not state.tick_causes, "notes of a tick outlived it")
    _require(
        state.phase is not RunPhase.RUNNING
        or all(
            state.stages[index] is not StageState.WAITING or waiting
            for index, waiting in enumerate(state.waiting_for)
        ),
        "a ready stage was not started",
    )
