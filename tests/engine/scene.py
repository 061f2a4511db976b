"""A run played by hand: facts in, commands out, every invariant checked after every tick."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from stageflow_actors import StageSpec
from stageflow_actors.engine.commands import (
    Command,
    EmitEvent,
    EndRun,
    InterruptStage,
    SkipStage,
    StartStage,
)
from stageflow_actors.engine.facts import (
    CancelRequested,
    Ending,
    Fact,
    RunAccepted,
    Signal,
    StageEnded,
    StageTimerFired,
)
from stageflow_actors.engine.invariants import check
from stageflow_actors.engine.machine import RunMachine
from stageflow_actors.engine.state import RunPhase, StageState
from stageflow_actors.model.kind import StageKind
from stageflow_actors.model.plan import Plan, make_plan


def plan_of(graph: Mapping[str, str], timeouts: Mapping[str, float] | None = None) -> Plan:
    """A plan from name -> what the stage waits for, as in ``{"a": "", "b": "", "c": "a b"}``.

    Plain words are dependencies. Others: ``after:a``, ``any:a`` (``after_any``), ``route:left``,
    ``router:a``, ``conditional``.
    """
    seconds = timeouts or {}
    return make_plan("p", [_spec(name, words, seconds.get(name)) for name, words in graph.items()])[
        0
    ]


def _spec(name: str, words: str, timeout: float | None) -> StageSpec:
    said: dict[str, list[str]] = {}
    for word in words.split():
        key, _colon, value = word.rpartition(":")
        said.setdefault(key, []).append(value)
    dependencies = said.pop("", [])
    spec = StageSpec(
        name,
        print,
        StageKind.WORK,
        tuple(word for word in dependencies if word != "conditional"),
        timeout=timeout,
        after=tuple(said.pop("after", ())),
        after_any=tuple(said.pop("any", ())),
        conditional="conditional" in dependencies,
        route=tuple(said.pop("route", ())),
        router=next(iter(said.pop("router", ())), None),
    )
    assert not said, f"{name}: {said} means nothing"
    return spec


class Scene:
    """One run. Stages are called by name; ``commands`` has everything that was ever commanded."""

    def __init__(self, graph: Mapping[str, str], **timeouts: float) -> None:
        self.plan = plan_of(graph, timeouts)
        self.machine = RunMachine(self.plan)
        self.commands: list[Command] = []
        self.now = 100.0

    def tick(self, *facts: Fact) -> Told:
        """Take facts that were seen together, one second after the last."""
        self.now += 1
        commands = self.machine.advance(facts)
        check(self.machine.state)
        self.commands += commands
        return Told(self.plan, commands)

    def begin(self) -> Told:
        """Accept the run."""
        return self.tick(self.accepted())

    def accepted(self) -> Fact:
        return RunAccepted(self.now)

    def ended(self, stage: str, ending: Ending, reason: str = "", **detail: object) -> Fact:
        return StageEnded(self.index(stage), 1, ending, self.now, reason, detail)

    def ok(self, stage: str, *, skip_reason: str = "", route: str | None = None) -> Fact:
        """An end with a signal, if there is one to give; a route is one that was decided on."""
        routing = {"route": route} if route else None
        signal = Signal(skip_reason, route, routing) if skip_reason or route else None
        return StageEnded(self.index(stage), 1, Ending.OK, self.now, signal=signal)

    def skip(self, stage: str, reason: str = "no work") -> Fact:
        return self.ended(stage, Ending.SKIP, reason)

    def fail(self, stage: str, reason: str = "boom") -> Fact:
        return self.ended(stage, Ending.FAIL, reason)

    def cancel(self, stage: str, reason: str = "enough") -> Fact:
        return self.ended(stage, Ending.CANCEL, reason)

    def interrupted(self, stage: str) -> Fact:
        return self.ended(stage, Ending.INTERRUPTED)

    def timer(self, stage: str) -> Fact:
        return StageTimerFired(self.index(stage), 1, self.now)

    def outside(self, reason: str = "user left") -> Fact:
        return CancelRequested(reason, self.now)

    def index(self, stage: str) -> int:
        return self.plan.stage_names.index(stage)

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
    def skipped(self) -> dict[str, str]:
        """Which stages were not run, and why."""
        return {self._names[c.stage]: c.reason for c in self.commands if isinstance(c, SkipStage)}

    @property
    def interrupted(self) -> dict[str, str]:
        stops = [c for c in self.commands if isinstance(c, InterruptStage)]
        assert len({c.stage for c in stops}) == len(stops), "a stage was told to stop twice"
        return {self._names[c.stage]: c.reason for c in stops}

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
