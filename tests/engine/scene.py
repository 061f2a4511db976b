"""A run played by hand: facts in, commands out. Each tick of a test has its invariants checked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from stageflow_actors.engine.commands import (
    ArmTimer,
    Command,
    EmitEvent,
    EndRun,
    InterruptStage,
    KillStage,
    SkipStage,
    StartStage,
)
from stageflow_actors.engine.facts import (
    CancelRequested,
    Ending,
    Escalated,
    Fact,
    FailureHint,
    RunAccepted,
    Signal,
    StageEnded,
    StopHeard,
    Timer,
    TimerFired,
    TimerKind,
)
from stageflow_actors.engine.machine import RunMachine
from stageflow_actors.engine.state import RunPhase, StageState
from stageflow_actors.model.plan import Plan
from stageflow_actors.model.settings import Settings
from tests.engine.graphs import plan_of

WITHOUT_ATTEMPT = (TimerKind.TOTAL, TimerKind.GUARD)


class Scene:
    """One run. Stages are called by name; ``commands`` has everything that was ever commanded."""

    def __init__(
        self, graph: Mapping[str, str], settings: Settings | None = None, /, **timeouts: float
    ) -> None:
        self.plan = plan_of(graph, timeouts)
        self.machine = RunMachine(self.plan, settings or Settings())
        self.commands: list[Command] = []
        self.now = 100.0

    def tick(self, *facts: Fact) -> Told:
        """Take facts that were seen together, one second after the last."""
        self.now += 1
        commands = self.machine.advance(facts)
        self.commands += commands
        return Told(self.plan, commands)

    def begin(self, limit_s: float | None = None) -> Told:
        """Accept the run."""
        return self.tick(self.accepted(limit_s))

    def accepted(self, limit_s: float | None = None) -> Fact:
        return RunAccepted(self.now, limit_s)

    # --- ends of stages ---------------------------------------------------------------------------

    def ended(self, stage: str, ending: Ending, reason: str = "", **detail: object) -> StageEnded:
        """An end of the last attempt of a stage."""
        return StageEnded(self.index(stage), self.attempt(stage), ending, self.now, reason, detail)

    def ok(self, stage: str, *, skip_reason: str = "", route: str | None = None) -> StageEnded:
        """An end with a signal, if there is one to give; a route is one that was decided on."""
        fact = self.ended(stage, Ending.OK)
        if skip_reason or route:
            fact.signal = Signal(skip_reason, route, {"route": route} if route else None)
        return fact

    def skip(self, stage: str, reason: str = "no work") -> StageEnded:
        return self.ended(stage, Ending.SKIP, reason)

    def fail(self, stage: str, reason: str = "boom", **hint: object) -> StageEnded:
        """A failure that no retry policy covers, unless ``hint`` says so."""
        return self._with(self.ended(stage, Ending.FAIL, reason), hint)

    def flaw(self, stage: str, reason: str = "flaw", **hint: object) -> StageEnded:
        """A failure that the retry policy covers."""
        return self.fail(stage, reason, is_covered=True, **hint)

    def reject(self, guard: str, fingerprint: str = "", reason: str = "poor") -> StageEnded:
        """A failure that a guard returned; each is another one, unless ``fingerprint`` is given."""
        told = fingerprint or f"at {self.now}"
        return self.fail(guard, reason, is_rejection=True, fingerprint=told)

    def ask_again(self, stage: str, reason: str = "not yet", **hint: object) -> StageEnded:
        return self._with(self.ended(stage, Ending.RETRY, reason), hint)

    def lost(self, stage: str, reason: str = "died", **hint: object) -> StageEnded:
        return self._with(self.ended(stage, Ending.LOST, reason), hint)

    def cancel(self, stage: str, reason: str = "enough") -> StageEnded:
        return self.ended(stage, Ending.CANCEL, reason)

    def cancel_branch(self, stage: str, reason: str = "not today") -> StageEnded:
        return self.ended(stage, Ending.CANCEL_BRANCH, reason)

    def interrupted(self, stage: str) -> StageEnded:
        return self.ended(stage, Ending.INTERRUPTED)

    def _with(self, fact: StageEnded, hint: Mapping[str, object]) -> StageEnded:
        fact.hint = FailureHint(**hint)
        return fact

    # --- other facts ------------------------------------------------------------------------------

    def heard(self, stage: str) -> Fact:
        return StopHeard(self.index(stage), self.attempt(stage), self.now)

    def timer(self, stage: str) -> Fact:
        """The time of the last attempt is up."""
        return self.fired(TimerKind.ATTEMPT, stage)

    def fired(self, kind: TimerKind, stage: str = "") -> Fact:
        return TimerFired(self.timer_of(kind, stage), self.now)

    def outside(self, reason: str = "user left") -> Fact:
        return CancelRequested(reason, self.now)

    def escalated(self, reason: str = "too many deaths") -> Fact:
        return Escalated(reason, self.now)

    # --- what there is ----------------------------------------------------------------------------

    def timer_of(self, kind: TimerKind, stage: str = "") -> Timer:
        """The timer of the last attempt, or of all of them together."""
        if not stage:
            return Timer(kind)
        return Timer(kind, self.index(stage), 0 if kind in WITHOUT_ATTEMPT else self.attempt(stage))

    def index(self, stage: str) -> int:
        return self.plan.stage_names.index(stage)

    def attempt(self, stage: str) -> int:
        """The number of the last attempt; that of the first, if there was none."""
        return self.machine.state.attempts[self.index(stage)] or 1

    def state(self, stage: str) -> StageState:
        return self.machine.state.stages[self.index(stage)]

    @property
    def phase(self) -> RunPhase:
        return self.machine.state.phase

    @property
    def late_facts(self) -> int:
        return self.machine.state.late_facts


class Told:
    """What one tick commanded, by name of stage."""

    def __init__(self, plan: Plan, commands: Sequence[Command]) -> None:
        self.commands = list(commands)
        self._names = plan.stage_names

    def __eq__(self, other: object) -> bool:
        return self.commands == other

    def __repr__(self) -> str:
        return f"Told({self.commands})"

    @property
    def started(self) -> list[str]:
        return [self._names[c.stage] for c in self.commands if isinstance(c, StartStage)]

    @property
    def alone(self) -> list[str]:
        """Those of ``started`` that are to have a process for themselves."""
        starts = [c for c in self.commands if isinstance(c, StartStage)]
        return [self._names[c.stage] for c in starts if c.is_alone]

    @property
    def skipped(self) -> dict[str, str]:
        """Which stages were not run, and why."""
        return {self._names[c.stage]: c.reason for c in self.commands if isinstance(c, SkipStage)}

    @property
    def interrupted(self) -> dict[str, str]:
        stops = [c for c in self.commands if isinstance(c, InterruptStage)]
        assert len({c.stage for c in stops}) == len(stops), "a stage was told to stop twice"
        return {self._names[c.stage]: c.reason for c in stops}

    @property
    def killed(self) -> list[str]:
        return [self._names[c.stage] for c in self.commands if isinstance(c, KillStage)]

    @property
    def armed(self) -> dict[tuple[str, str], float]:
        """Seconds of every new timer, by its kind and its stage."""
        return {
            (c.timer.kind.value, self._names[c.timer.stage] if c.timer.stage >= 0 else ""): (
                c.seconds
            )
            for c in self.commands
            if isinstance(c, ArmTimer)
        }

    @property
    def events(self) -> list[str]:
        return [c.type for c in self.commands if isinstance(c, EmitEvent)]

    @property
    def verdict(self) -> tuple[str, str | None, str | None] | None:
        """Status, deciding stage and reason; ``None`` while there is no verdict."""
        ends = [c for c in self.commands if isinstance(c, EndRun)]
        if not ends:
            return None
        assert ends == self.commands[-1:], "something follows the verdict"
        return str(ends[0].status), ends[0].stage, ends[0].reason

    def event(self, type_: str) -> EmitEvent:
        return next(c for c in self.commands if isinstance(c, EmitEvent) and c.type == type_)
