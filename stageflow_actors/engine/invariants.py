"""What must hold after every step of a run. Used by tests and simulations, not in production."""

from __future__ import annotations

from stageflow_actors.engine.state import PASSED, RunPhase, RunState, StageState
from stageflow_actors.engine.verdict import CauseKind
from stageflow_actors.model.plan import StagePlan

_FAILED = (StageState.FAILED, StageState.TIMED_OUT)


class InvariantViolation(AssertionError):
    """The engine reached a state that must not exist."""


def check(state: RunState) -> None:
    """Check every invariant.

    Raises:
        InvariantViolation: names the first that does not hold.
    """
    _counts_match(state)
    _stops_match(state)
    _only_ready_stages_started(state)
    _signals_match(state)
    _branches_match(state)
    _failures_match(state)
    _losses_match(state)
    _rounds_match(state)
    _finalizers_match(state)
    _phase_matches(state)


def _require(holds: bool, what: str) -> None:
    if not holds:
        raise InvariantViolation(what)


def _counts_match(state: RunState) -> None:
    live = sum(stage.is_live for stage in state.stages)
    waiting = sum(stage is StageState.WAITING for stage in state.stages)
    retrying = sum(stage is StageState.RETRYING for stage in state.stages)
    _require(state.live == live, f"live is {state.live}, but {live} stages are live")
    _require(state.retrying == retrying, f"retrying is {state.retrying}, but {retrying} stages are")
    _require(
        state.remaining == live + waiting + retrying,
        f"remaining is {state.remaining}, but {live + waiting + retrying} stages have not ended",
    )


def _stops_match(state: RunState) -> None:
    told = {
        index
        for index, stage in enumerate(state.stages)
        if stage.is_live and stage is not StageState.RUNNING
    }
    _require(state.notes.heard | state.notes.killed <= told, "a body stops that was not told to")


def _only_ready_stages_started(state: RunState) -> None:
    for index, stage in enumerate(state.plan.stages):
        open_dependencies = sum(
            not state.has_passed(other) for other in (*stage.strict, *stage.after_any)
        )
        _require(
            state.waiting_for[index] == open_dependencies,
            f"{stage.name} waits for {state.waiting_for[index]}, not for {open_dependencies}",
        )
        if state.stages[index] is not StageState.WAITING:
            _require(_may_have_started(state, stage), f"{stage.name} started too early")


def _may_have_started(state: RunState, stage: StagePlan) -> bool:
    """Strictly before it have passed; ``after_any``, once the run stops, only have to be over."""
    strict = all(state.has_passed(other) for other in stage.strict)
    if state.phase is RunPhase.RUNNING:
        return strict and all(state.has_passed(other) for other in stage.after_any)
    return strict and not any(state.stages[other].is_open for other in stage.after_any)


def _signals_match(state: RunState) -> None:
    skipped = {index for index, stage in enumerate(state.stages) if stage is StageState.SKIPPED}
    passed = {index for index, stage in enumerate(state.stages) if stage in PASSED}
    unselected, reasons = state.notes.unselected.keys(), state.notes.skip_reasons.keys()
    left = {
        index for index, stage in enumerate(state.stages) if stage is StageState.BRANCH_CANCELLED
    }
    blocked = state.notes.blocked.keys()
    _require(skipped <= unselected | reasons | blocked, "a stage was skipped without a reason")
    _require(blocked <= skipped, "a blocked stage was not skipped")
    _require(left <= unselected <= skipped | left, "an unselected stage was not skipped")
    _require(not unselected & reasons, "an unselected stage is a reason to skip others")
    _require(reasons <= passed, "a stage is a reason to skip others before it has passed")
    _require(
        state.notes.taken.keys() <= passed - skipped, "a stage took a route and did not end ok"
    )


def _branches_match(state: RunState) -> None:
    unselected = state.notes.unselected.keys()
    for index, stage in enumerate(state.plan.stages):
        has_router = stage.router is not None and stage.router not in (
            *state.notes.tolerated,
            *state.notes.blocked,
        )
        is_off_route = has_router and state.notes.taken.get(stage.router or 0) not in stage.route
        is_cut_off = bool(stage.dependencies) and all(
            other in unselected for other in stage.dependencies
        )
        if state.stages[index] is StageState.BRANCH_CANCELLED:
            continue
        if index in unselected:
            _require(is_off_route or is_cut_off, f"{stage.name} is unselected, and nothing says so")
        elif state.stages[index] not in (StageState.WAITING, StageState.SKIPPED):
            _require(not is_off_route, f"{stage.name} started off its route")
            _require(not is_cut_off, f"{stage.name} started, though its inputs are unselected")
            _require(
                not stage.conditional
                or state.notes.skip_reasons.keys().isdisjoint(stage.dependencies),
                f"{stage.name} started, though it is conditional on a skip",
            )


def _failures_match(state: RunState) -> None:
    for index, stage in enumerate(state.plan.stages):
        current = state.stages[index]
        if index in state.notes.tolerated:
            _require(stage.mode.is_tolerant, f"{stage.name} failed, and its run must not go on")
            _require(current in _FAILED, f"{stage.name} is tolerated, and has not failed")
        if current is StageState.FELL_BACK:
            _require(stage.fallback is not None, f"{stage.name} fell back on nothing")
        if current not in (StageState.WAITING, StageState.SKIPPED):
            required = {*stage.strict} - stage.optional | {stage.router}
            lacking = required & {*state.notes.tolerated, *state.notes.blocked}
            _require(not lacking, f"{stage.name} started without what it requires")
        tries = state.notes.tries.get(index)
        if tries is not None and stage.retry is not None:
            most = stage.retry.max_attempts
            _require(tries.retries < most, f"{stage.name} was retried too often")
    _require(state.retries_left >= 0, "more retries than the run has")


def _losses_match(state: RunState) -> None:
    most = state.settings.max_losses_per_stage
    for index, tries in state.notes.tries.items():
        name = state.plan.stages[index].name
        _require(tries.losses <= most, f"{name} was repeated after too many losses")
    for index in state.notes.poisoned:
        name, current = state.plan.stages[index].name, state.stages[index]
        is_over = current in (StageState.FAILED, StageState.FELL_BACK)
        _require(is_over, f"{name} is poisoned, and has not failed")
        _require(state.is_suspect(index), f"{name} is poisoned, and was not tried alone")


def _rounds_match(state: RunState) -> None:
    for index in state.notes.rounds:
        current = state.stages[index]
        is_due = current is StageState.WAITING and state.phase is not RunPhase.ENDED
        name = state.plan.stages[index].name
        _require(is_due or current.is_open, f"the rounds of {name} outlived it")


def _finalizers_match(state: RunState) -> None:
    due = _due_finalizers(state)
    noted = {
        index: count
        for index, count in state.notes.expected.items()
        if state.stages[index] is StageState.WAITING
    }
    _require(noted == due, f"finalizers are expected as {noted}, not as {due}")
    _require(0 not in due.values(), "a ready finalizer was not started")
    if state.phase is RunPhase.STOPPING:
        spared = state.plan.finalizers if _runs_finalizers(state) else ()
        for index, stage in enumerate(state.stages):
            name = state.plan.stages[index].name
            _require(
                stage not in (StageState.RUNNING, StageState.RETRYING) or index in spared,
                f"{name} runs on in a run that stops",
            )


def _due_finalizers(state: RunState) -> dict[int, int]:
    """Those that may still start, and how many stages each waits for."""
    due: dict[int, int] = {}
    for index in state.plan.finalizers if _runs_finalizers(state) else ():
        stage = state.plan.stages[index]
        before = (*stage.strict, *stage.after_any)
        open_before = [other for other in before if state.stages[other].is_open or other in due]
        if state.stages[index] is StageState.WAITING and all(
            other in open_before or state.has_passed(other) for other in stage.strict
        ):
            due[index] = len(open_before)
    return due


def _runs_finalizers(state: RunState) -> bool:
    kind = None if state.cause is None else state.cause.kind
    return kind in (CauseKind.FAILURE, CauseKind.TIMEOUT) and not state.is_cancelled


def _phase_matches(state: RunState) -> None:
    ended = state.phase is RunPhase.ENDED
    _require(not (ended and state.live), "the verdict was given while a body was live")
    _require(not (ended and state.retrying), "the verdict was given before a retry")
    _require(
        state.phase is not RunPhase.STOPPING or state.cause is not None, "stopping without a cause"
    )
    _require(
        not (ended and state.cause is None and state.remaining),
        "completed although stages have not ended",
    )
    if state.phase is RunPhase.RUNNING:
        _require(bool(state.live or state.retrying), "running, but nothing is live")
    _require(not state.ready and not state.tick_causes, "notes of a tick outlived it")
    _require(
        state.phase is not RunPhase.RUNNING
        or all(
            state.stages[index] is not StageState.WAITING or waiting
            for index, waiting in enumerate(state.waiting_for)
        ),
        "a ready stage was not started",
    )
