"""A run as plainly as it can be written: no counters, everything looked up again in every tick."""

from __future__ import annotations

from stageflow_actors.engine.facts import (
    CancelRequested,
    Ending,
    Escalated,
    Fact,
    RunAccepted,
    StageEnded,
    StopHeard,
    Timer,
    TimerFired,
    TimerKind,
)
from stageflow_actors.engine.state import RunPhase, StageState
from stageflow_actors.model.plan import Plan
from stageflow_actors.model.settings import Settings
from tests.engine.naive_ahead import catch_up
from tests.engine.naive_failures import (
    is_alone,
    is_death,
    is_exhausted,
    is_poisoned,
    is_rejection,
    repeat_of,
)
from tests.engine.naive_skips import why_not

LIVE = {StageState.RUNNING, StageState.STOPPING, StageState.TIMING_OUT}
TOLD = {StageState.STOPPING, StageState.TIMING_OUT}
OPEN = {*LIVE, StageState.RETRYING}
PASSED = {StageState.OK, StageState.SKIPPED, StageState.FELL_BACK, StageState.BRANCH_CANCELLED}
FINAL = {
    Ending.OK: StageState.OK,
    Ending.SKIP: StageState.SKIPPED,
    Ending.FAIL: StageState.FAILED,
    Ending.RETRY: StageState.FAILED,
    Ending.LOST: StageState.FAILED,
    Ending.TIMED_OUT: StageState.TIMED_OUT,
    Ending.CANCEL: StageState.CANCELLED,
    Ending.CANCEL_BRANCH: StageState.BRANCH_CANCELLED,
    Ending.INTERRUPTED: StageState.INTERRUPTED,
}
FAILURES = {Ending.FAIL, Ending.RETRY, Ending.LOST, Ending.TIMED_OUT}
FACTS = [RunAccepted, StageEnded, StopHeard, TimerFired, CancelRequested, Escalated]
TIMERS = list(TimerKind)
LIMITS = {TimerKind.ATTEMPT: "timeout_s", TimerKind.TOTAL: "total_s"}
OUTSIDE = -1
STATUS = {0: "failed", 1: "failed", 2: "timed_out", 3: "timed_out", 4: "cancelled", 5: "cancelled"}
Cause = tuple[int, int, str]
"""Rank, stage, reason."""


class NaiveRun:
    """``history`` has what happened to stages, as (what, stage, detail)."""

    def __init__(self, plan: Plan, settings: Settings) -> None:
        self.plan = plan
        self.settings = settings
        self.limit_s: float | None = None
        self.stages = [StageState.WAITING] * len(plan.stages)
        self.attempts = [0] * len(plan.stages)
        self.phase = RunPhase.CREATED
        self.cause: Cause | None = None
        self.is_cancelled = False  # from outside, for the lack of time, or by the supervisor
        self.routes: dict[int, str] = {}
        self.said: dict[int, str] = {}  # why to skip what is conditional on a stage that has run
        self.left: dict[int, str] = {}  # why a stage cancelled its branch
        self.tolerated: dict[int, str] = {}
        self.not_run: dict[int, str] = {}
        self.late: dict[int, str] = {}
        self.feedback: dict[int, int] = {}
        self.history: list[tuple[str, int, str]] = []
        self.again: set[int] = set()
        self.killed: list[int] = []
        self.started: list[tuple[int, int, int | None, bool]] = []
        self.skipped: list[int] = []
        self.rewound: list[int] = []

    def tick(self, facts: list[Fact]) -> None:
        self.again = set()
        for commanded in (self.killed, self.started, self.skipped, self.rewound):
            commanded.clear()
        news = [cause for fact in sorted(facts, key=rank) if (cause := self.take(fact)) is not None]
        if self.cause is None and news:
            self.cause = min(news)
        for index, stage in enumerate(self.stages):
            if self.cause and not self.is_finalizer(index):
                if stage is StageState.RUNNING:
                    self.stages[index] = StageState.STOPPING
                elif stage is StageState.RETRYING:
                    self.close(index, StageState.INTERRUPTED)
        while self.start_one():
            pass
        catch_up(self, facts)
        alive = RunPhase.STOPPING if self.cause else RunPhase.RUNNING
        self.phase = alive if OPEN & set(self.stages) else RunPhase.ENDED

    # --- what starts ------------------------------------------------------------------------------

    def start_one(self) -> bool:
        for index, stage in enumerate(self.stages):
            if stage is StageState.RETRYING and index in self.again:
                self.start(index)
                return True
            if stage is StageState.WAITING and self.is_due(index):
                reason = why_not(self, index)
                if reason is None:
                    self.start(index)
                else:
                    self.not_run[index] = reason
                    self.skipped.append(index)
                    self.close(index, StageState.SKIPPED)
                return True
        return False

    def start(self, index: int) -> None:
        self.stages[index] = StageState.RUNNING
        self.attempts[index] += 1
        guard, alone = self.feedback.get(index), is_alone(self, index)
        self.started.append((index, self.attempts[index], guard, alone))

    def is_due(self, index: int) -> bool:
        stage = self.plan.stages[index]
        if not all(map(self.has_passed, (*stage.dependencies, *stage.after, *stage.gates))):
            return False
        if self.cause is None:
            return all(map(self.has_passed, stage.after_any))
        return self.is_finalizer(index) and not any(map(self.may_still_run, stage.after_any))

    def has_passed(self, index: int) -> bool:
        return self.stages[index] in PASSED or index in self.tolerated

    def is_finalizer(self, index: int) -> bool:
        stopped_by_failure = self.cause is not None and self.cause[0] in (1, 2)
        return (
            bool(self.plan.stages[index].after_any) and stopped_by_failure and not self.is_cancelled
        )

    def may_still_run(self, index: int) -> bool:
        """In a run that stops."""
        if self.stages[index] is not StageState.WAITING:
            return self.stages[index] in OPEN
        stage = self.plan.stages[index]
        return self.is_finalizer(index) and all(
            self.has_passed(needed) or self.may_still_run(needed)
            for needed in (*stage.dependencies, *stage.after, *stage.gates)
        )

    # --- what has happened ------------------------------------------------------------------------

    def take(self, fact: Fact) -> Cause | None:
        if isinstance(fact, RunAccepted):
            self.limit_s = fact.limit_s
            is_late = fact.limit_s is not None and fact.limit_s <= 0
            return (3, OUTSIDE, self.deadline) if is_late else None
        if isinstance(fact, CancelRequested):
            self.is_cancelled = True
            return (5, OUTSIDE, fact.reason)
        if isinstance(fact, Escalated):
            self.is_cancelled = True
            return (0, OUTSIDE, fact.reason)
        if isinstance(fact, TimerFired):
            return self.fire(fact)
        is_current = self.stages[fact.stage] in LIVE and fact.attempt == self.attempts[fact.stage]
        if isinstance(fact, StopHeard) and is_current and self.stages[fact.stage] in TOLD:
            attempt = str(fact.attempt)
            if ("killed", fact.stage, attempt) not in self.history:
                self.note("heard", fact.stage, attempt)
        return self.end(fact) if isinstance(fact, StageEnded) and is_current else None

    @property
    def deadline(self) -> str:
        return f"Run timed out after {round((self.limit_s or 0) * 1000)}ms"

    def end(self, fact: StageEnded) -> Cause | None:
        before, index = self.stages[fact.stage], fact.stage
        if before is StageState.TIMING_OUT and not fact.ahead:
            if "doomed" not in self.lately(index):
                return self.fail(self.timeout_of(index, self.late[index]))
            self.close(index, StageState.TIMED_OUT)
            return None
        if fact.ending in FAILURES and before is StageState.RUNNING:
            return self.fail(fact)
        gave_up = before is StageState.STOPPING and fact.ending is Ending.LOST
        if fact.ending in (Ending.OK, Ending.SKIP):
            self.hear(fact)
        if fact.ending is Ending.CANCEL_BRANCH:
            self.left[index] = fact.reason
        self.close(index, StageState.INTERRUPTED if gave_up else FINAL[fact.ending])
        if before is StageState.STOPPING and fact.ending is Ending.CANCEL and self.cause:
            rank_, stage, reason = self.cause
            self.cause = (rank_, index if (rank_, stage) == (5, OUTSIDE) else stage, reason)
        asks_to_stop = fact.ending in (Ending.CANCEL, Ending.INTERRUPTED)
        return (4, index, fact.reason) if asks_to_stop and before is StageState.RUNNING else None

    def hear(self, fact: StageEnded) -> None:
        if fact.ending is Ending.SKIP:
            self.said[fact.stage] = fact.reason
        elif fact.signal is not None:
            if fact.signal.skip_reason:
                self.said[fact.stage] = fact.signal.skip_reason
            if fact.signal.route is not None:
                self.routes[fact.stage] = fact.signal.route

    def fail(self, fact: StageEnded) -> Cause | None:
        index, stage = fact.stage, self.plan.stages[fact.stage]
        if is_death(fact):
            self.note("death", index)
        repeat = repeat_of(self, fact)
        if repeat is not None:
            self.stages[index] = StageState.RETRYING
            self.note(repeat, index)
            return None
        reason = fact.reason
        if is_poisoned(self, fact):
            self.note("poisoned", index)
            deaths = f"{self.settings.max_losses_per_stage + 1} times"
            reason = f"Its process died {deaths}, the last time while it worked on nothing else."
        if is_rejection(self, fact):
            self.note("rejected", index, fact.hint.fingerprint)
            if not is_exhausted(self, index):
                self.rewind(index)
                return None
        self.close(index, FINAL[fact.ending] if stage.fallback is None else StageState.FELL_BACK)
        if stage.fallback is not None:
            return None
        if stage.mode.is_tolerant:
            self.tolerated[index] = reason
            return None
        return (2 if fact.ending is Ending.TIMED_OUT else 1, index, reason)

    def rewind(self, guard: int) -> None:
        for index in self.plan.stages[guard].guard.region:
            self.rewound.append(index)
            self.stages[index] = StageState.WAITING
            told = (self.routes, self.said, self.left, self.not_run, self.tolerated, self.feedback)
            for each in told:
                each.pop(index, None)
            self.note("rewound", index)
        self.feedback[self.plan.stages[guard].guard.producer] = guard

    def close(self, index: int, state: StageState) -> None:
        self.stages[index] = state
        self.note("over", index)

    def note(self, what: str, index: int, detail: str = "") -> None:
        self.history.append((what, index, detail))

    def lately(self, index: int, since: str = "rewound") -> list[str]:
        """What has happened to a stage since it was last rewound, or has last ended for good."""
        own = [what for what, stage, _detail in self.history if stage == index]
        return own[len(own) - own[::-1].index(since) :] if since in own else own

    # --- timers -----------------------------------------------------------------------------------

    def fire(self, fact: TimerFired) -> Cause | None:
        kind, index, attempt = fact.timer
        if kind is TimerKind.RUN:
            self.is_cancelled = True
            return (3, OUTSIDE, self.deadline)
        state, is_current = self.stages[index], attempt == self.attempts[index]
        if kind is TimerKind.RETRY and state is StageState.RETRYING and is_current:
            self.again.add(index)
        elif kind in (TimerKind.STOP, TimerKind.CLEANUP) and state in TOLD and is_current:
            is_due = kind is self.stop_timer(index).kind
            if is_due and ("killed", index, str(attempt)) not in self.history:
                self.note("killed", index, str(attempt))
                self.killed.append(index)
        elif kind is TimerKind.GUARD:
            if "rejected" in self.lately(index, since="over"):
                self.note("guard out of time", index)
        elif kind in LIMITS and getattr(self.plan.stages[index], LIMITS[kind]) is None:
            return None
        elif kind is TimerKind.ATTEMPT and state is StageState.RUNNING and is_current:
            return self.tell_late(index, self.too_long(kind, index))
        elif kind is TimerKind.TOTAL and state in OPEN - {StageState.STOPPING}:
            self.note("out of time", index)
            if state is StageState.RUNNING:
                return self.tell_late(index, self.too_long(kind, index))
            if state is StageState.RETRYING:
                return self.fail(self.timeout_of(index, self.too_long(kind, index)))
        return None

    def too_long(self, kind: TimerKind, index: int) -> str:
        stage = self.plan.stages[index]
        if kind is TimerKind.ATTEMPT:
            return f"Stage timed out after {round(stage.timeout_s * 1000)}ms"
        return f"Stage timed out after {round(stage.total_s * 1000)}ms, all attempts together"

    def tell_late(self, index: int, reason: str) -> Cause | None:
        """What is already known to be the end of the run stops it at once."""
        self.stages[index] = StageState.TIMING_OUT
        self.late[index] = reason
        stage = self.plan.stages[index]
        lasts = repeat_of(self, self.timeout_of(index, reason)) is None
        if lasts and stage.fallback is None and not stage.mode.is_tolerant and self.cause is None:
            self.note("doomed", index)
            return (2, index, reason)
        return None

    def timeout_of(self, index: int, reason: str) -> StageEnded:
        return StageEnded(index, self.attempts[index], Ending.TIMED_OUT, 0.0, reason)

    # --- what there is ----------------------------------------------------------------------------

    @property
    def armed(self) -> set[Timer]:
        """Every timer that there has to be now."""
        timers = set()
        for index, (stage, state) in enumerate(zip(self.plan.stages, self.stages, strict=True)):
            attempt = self.attempts[index]
            if stage.timeout_s is not None and state in LIVE:
                timers.add(Timer(TimerKind.ATTEMPT, index, attempt))
            if stage.total_s is not None and state in OPEN:
                timers.add(Timer(TimerKind.TOTAL, index))
            if state in TOLD:
                timers.add(self.stop_timer(index))
            if state is StageState.RETRYING:
                timers.add(Timer(TimerKind.RETRY, index, attempt))
            is_timed = stage.guard is not None and stage.guard.timeout_s is not None
            if is_timed and "rejected" in self.lately(index, since="over"):
                timers.add(Timer(TimerKind.GUARD, index))
        if self.limit_s is not None:
            timers.add(Timer(TimerKind.RUN))
        return timers if self.phase is not RunPhase.ENDED else set()

    def stop_timer(self, index: int) -> Timer:
        """That of a body that was told to stop: it has more time once it has heard."""
        attempt = self.attempts[index]
        has_heard = ("heard", index, str(attempt)) in self.history
        return Timer(TimerKind.CLEANUP if has_heard else TimerKind.STOP, index, attempt)

    @property
    def verdict(self) -> tuple[str, str | None, str | None]:
        if self.cause is None:
            return "ok", None, None
        rank_, stage, reason = self.cause
        nobody = {0: "<supervisor>", 3: "<run>"}.get(rank_, "<external>")
        return STATUS[rank_], nobody if stage < 0 else self.plan.stages[stage].name, reason


def rank(fact: Fact) -> tuple[int, ...]:
    """Ends come before timers: who has ended was in time."""
    if isinstance(fact, TimerFired):
        return FACTS.index(TimerFired), TIMERS.index(fact.timer.kind), fact.timer.stage
    return FACTS.index(type(fact)), getattr(fact, "stage", 0)
