"""What must hold after every step of a run. Used by tests and simulations, not in production."""

from __future__ import annotations

from stageflow_actors.engine.state import PASSED, RunPhase, RunState, StageState
from stageflow_actors.engine.verdict import CauseKind
from stageflow_actors.model.plan import StagePlan


class InvariantViolation(AssertionError):
    """The engine reached a state that must not exist."""


def check(state: RunState) -> None:
    """Check every invariant.

    Raises:
        InvariantViolation: names the first that does not hold.
    """
    _counts_match(state)
    _only_ready_stages_started(state)
    _signals_match(state)
    _branches_match(state)
    _finalizers_match(state)
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
            state.stages[other] not in PASSED
            for other in (*stage.dependencies, *stage.after, *stage.after_any)
        )
        _require(
            state.waiting_for[index] == open_dependencies,
            f"{stage.name} waits for {state.waiting_for[index]}, not for {open_dependencies}",
        )
        if state.stages[index] is not StageState.WAITING:
            _require(_may_have_started(state, stage), f"{stage.name} started too early")


def _may_have_started(state: RunState, stage: StagePlan) -> bool:
    """Strictly before it have passed; ``after_any``, once the run stops, only have to be over."""
    strict = all(state.stages[other] in PASSED for other in (*stage.dependencies, *stage.after))
    before = [state.stages[other] for other in stage.after_any]
    if state.phase is RunPhase.RUNNING:
        return strict and all(other in PASSED for other in before)
    return strict and not any(other.is_live for other in before)


def _signals_match(state: RunState) -> None:
    skipped = {index for index, stage in enumerate(state.stages) if stage is StageState.SKIPPED}
    passed = {index for index, stage in enumerate(state.stages) if stage in PASSED}
    unselected, reasons = state.unselected.keys(), state.skip_reasons.keys()
    _require(skipped <= unselected | reasons, "a stage was skipped without a reason")
    _require(unselected <= skipped, "an unselected stage was not skipped")
    _require(not unselected & reasons, "an unselected stage is a reason to skip others")
    _require(reasons <= passed, "a stage is a reason to skip others before it has passed")
    _require(state.taken.keys() <= passed - skipped, "a stage took a route and did not end ok")


def _branches_match(state: RunState) -> None:
    unselected = state.unselected.keys()
    for index, stage in enumerate(state.plan.stages):
        is_off_route = stage.router is not None and state.taken.get(stage.router) not in stage.route
        is_cut_off = bool(stage.dependencies) and all(
            other in unselected for other in stage.dependencies
        )
        if index in unselected:
            _require(is_off_route or is_cut_off, f"{stage.name} is unselected, and nothing says so")
        elif state.stages[index] not in (StageState.WAITING, StageState.SKIPPED):
            _require(not is_off_route, f"{stage.name} started off its route")
            _require(not is_cut_off, f"{stage.name} started, though its inputs are unselected")
            _require(
                not stage.conditional or state.skip_reasons.keys().isdisjoint(stage.dependencies),
                f"{stage.name} started, though it is conditional on a skip",
            )


def _finalizers_match(state: RunState) -> None:
    due = _due_finalizers(state)
    noted = {
        index: count
        for index, count in state.expected.items()
        if state.stages[index] is StageState.WAITING
    }
    _require(noted == due, f"finalizers are expected as {noted}, not as {due}")
    _require(0 not in due.values(), "a ready finalizer was not started")
    if state.phase is RunPhase.STOPPING:
        spared = state.plan.finalizers if _runs_finalizers(state) else ()
        for index, stage in enumerate(state.stages):
            name = state.plan.stages[index].name
            _require(
                stage is not StageState.RUNNING or index in spared,
                f"{name} runs on in a run that stops",
            )


def _due_finalizers(state: RunState) -> dict[int, int]:
    """Those that may still start, and how many stages each waits for."""
    due: dict[int, int] = {}
    for index in state.plan.finalizers if _runs_finalizers(state) else ():
        stage = state.plan.stages[index]
        strict = (*stage.dependencies, *stage.after)
        before = (*strict, *stage.after_any)
        open_before = [other for other in before if state.stages[other].is_live or other in due]
        if state.stages[index] is StageState.WAITING and all(
            other in open_before or state.stages[other] in PASSED for other in strict
        ):
            due[index] = len(open_before)
    return due


def _runs_finalizers(state: RunState) -> bool:
    kind = None if state.cause is None else state.cause.kind
    return kind in (CauseKind.FAILURE, CauseKind.TIMEOUT) and not state.is_cancelled


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
