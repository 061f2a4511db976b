"""A run as plainly as it can be written: no counters, everything looked up again in every tick."""

from __future__ import annotations

from stageflow_actors.engine.facts import CancelRequested, Ending, Fact, RunAccepted, StageEnded
from stageflow_actors.engine.state import RunPhase, StageState
from stageflow_actors.engine.transitions import timeout_text
from stageflow_actors.model.plan import Plan

LIVE = {StageState.RUNNING, StageState.STOPPING, StageState.TIMING_OUT}
PASSED = {StageState.OK, StageState.SKIPPED}
FINAL = {
    Ending.OK: StageState.OK,
    Ending.SKIP: StageState.SKIPPED,
    Ending.FAIL: StageState.FAILED,
    Ending.CANCEL: StageState.CANCELLED,
    Ending.INTERRUPTED: StageState.INTERRUPTED,
}
OUTSIDE = -1
STATUS = {1: "failed", 2: "timed_out", 3: "cancelled", 4: "cancelled"}


class NaiveRun:
    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.stages = [StageState.WAITING] * len(plan.stages)
        self.phase = RunPhase.CREATED
        self.cause: tuple[int, int, str] | None = None  # rank, stage, reason
        self.is_cancelled = False  # from outside
        self.routes: dict[int, str] = {}
        self.said: dict[int, str] = {}  # why to skip what is conditional on a stage that has run
        self.not_run: dict[int, str] = {}

    def tick(self, facts: list[Fact]) -> None:
        news = [cause for fact in facts if (cause := self.take(fact)) is not None]
        if self.cause is None and news:
            self.cause = min(news)
        for index, stage in enumerate(self.stages):
            if stage is StageState.RUNNING and self.cause and not self.is_finalizer(index):
                self.stages[index] = StageState.STOPPING
        while self.start_one():
            pass
        alive = RunPhase.STOPPING if self.cause else RunPhase.RUNNING
        self.phase = alive if LIVE & set(self.stages) else RunPhase.ENDED

    # --- what starts ------------------------------------------------------------------------------

    def start_one(self) -> bool:
        for index, stage in enumerate(self.stages):
            if stage is StageState.WAITING and self.is_due(index):
                reason = self.why_not(index)
                self.stages[index] = (
                    StageState.SKIPPED if reason is not None else StageState.RUNNING
                )
                if reason is not None:
                    self.not_run[index] = reason
                return True
        return False

    def is_due(self, index: int) -> bool:
        stage = self.plan.stages[index]
        if not all(self.stages[needed] in PASSED for needed in (*stage.dependencies, *stage.after)):
            return False
        if self.cause is None:
            return all(self.stages[needed] in PASSED for needed in stage.after_any)
        return self.is_finalizer(index) and not any(map(self.may_still_run, stage.after_any))

    def is_finalizer(self, index: int) -> bool:
        stopped_by_failure = self.cause is not None and self.cause[0] in (1, 2)
        return (
            bool(self.plan.stages[index].after_any) and stopped_by_failure and not self.is_cancelled
        )

    def may_still_run(self, index: int) -> bool:
        """In a run that stops."""
        if self.stages[index] is not StageState.WAITING:
            return self.stages[index] in LIVE
        stage = self.plan.stages[index]
        return self.is_finalizer(index) and all(
            self.stages[needed] in PASSED or self.may_still_run(needed)
            for needed in (*stage.dependencies, *stage.after)
        )

    # --- what is skipped --------------------------------------------------------------------------

    def why_not(self, index: int) -> str | None:
        unselected = self.why_unselected(index)
        if unselected is not None or not self.plan.stages[index].conditional:
            return unselected
        reasons = [self.why_skipped(needed) for needed in self.plan.stages[index].dependencies]
        return next((reason for reason in reasons if reason is not None), None)

    def why_unselected(self, index: int) -> str | None:
        stage = self.plan.stages[index]
        if stage.router is not None:
            reason = self.why_unselected(stage.router)
            name, route = self.plan.stages[stage.router].name, self.routes.get(stage.router)
            if reason is not None:
                return reason
            if route is None:
                return f"'{name}' was skipped and took no route"
            if route not in stage.route:
                return f"'{name}' took route '{route}'"
        reasons = [self.why_unselected(needed) for needed in stage.dependencies]
        return reasons[0] if reasons and None not in reasons else None

    def why_skipped(self, index: int) -> str | None:
        if self.why_unselected(index) is not None:
            return None
        return self.not_run.get(index, self.said.get(index))

    # --- what has happened ------------------------------------------------------------------------

    def take(self, fact: Fact) -> tuple[int, int, str] | None:
        if isinstance(fact, RunAccepted):
            return None
        if isinstance(fact, CancelRequested):
            self.is_cancelled = True
            return (4, OUTSIDE, fact.reason)
        before, stage = self.stages[fact.stage], self.plan.stages[fact.stage]
        if isinstance(fact, StageEnded):
            return self.end(fact) if before in LIVE else None
        if before is not StageState.RUNNING or stage.timeout_s is None:
            return None
        self.stages[fact.stage] = StageState.TIMING_OUT
        return (2, fact.stage, timeout_text(stage))

    def end(self, fact: StageEnded) -> tuple[int, int, str] | None:
        before = self.stages[fact.stage]
        late = before is StageState.TIMING_OUT
        self.stages[fact.stage] = StageState.TIMED_OUT if late else FINAL[fact.ending]
        if fact.ending is Ending.SKIP:
            self.said[fact.stage] = fact.reason
        if fact.signal is not None and fact.signal.skip_reason:
            self.said[fact.stage] = fact.signal.skip_reason
        if fact.signal is not None and fact.signal.route is not None:
            self.routes[fact.stage] = fact.signal.route
        if before is StageState.STOPPING and fact.ending is Ending.CANCEL and self.cause:
            rank, stage, reason = self.cause
            self.cause = (rank, fact.stage if stage == OUTSIDE else stage, reason)
        stops = {Ending.FAIL: 1, Ending.CANCEL: 3, Ending.INTERRUPTED: 3}
        if before is not StageState.RUNNING or fact.ending not in stops:
            return None
        return (stops[fact.ending], fact.stage, fact.reason)

    @property
    def verdict(self) -> tuple[str, str | None, str | None]:
        if self.cause is None:
            return "ok", None, None
        rank, stage, reason = self.cause
        return STATUS[rank], "<external>" if stage < 0 else self.plan.stages[stage].name, reason
