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

    def tick(self, facts: list[Fact]) -> None:
        news = [cause for fact in facts if (cause := self.take(fact)) is not None]
        if self.cause is None and news:
            self.cause = min(news)
            self.stages = [StageState.STOPPING if s == "running" else s for s in self.stages]
        for index, stage in enumerate(self.plan.stages):
            passed = all(self.stages[needed] in PASSED for needed in stage.dependencies)
            if self.cause is None and passed and self.stages[index] is StageState.WAITING:
                self.stages[index] = StageState.RUNNING
        alive = RunPhase.STOPPING if self.cause else RunPhase.RUNNING
        self.phase = alive if LIVE & set(self.stages) else RunPhase.ENDED

    def take(self, fact: Fact) -> tuple[int, int, str] | None:
        if isinstance(fact, RunAccepted):
            return None
        if isinstance(fact, CancelRequested):
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
        if before is StageState.STOPPING and fact.ending is Ending.CANCEL and self.cause:
            rank, stage, reason = self.cause
            self.cause = (rank, fact.stage if stage == OUTSIDE else stage, reason)
        rank = {Ending.FAIL: 1, Ending.CANCEL: 3, Ending.INTERRUPTED: 3}.get(fact.ending)
        return (rank, fact.stage, fact.reason) if rank and before is StageState.RUNNING else None

    @property
    def verdict(self) -> tuple[str, str | None, str | None]:
        if self.cause is None:
            return "ok", None, None
        rank, stage, reason = self.cause
        return STATUS[rank], "<external>" if stage < 0 else self.plan.stages[stage].name, reason
