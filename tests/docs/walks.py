"""Every way small pipelines can go through the engine: what is emitted, which states follow."""

from __future__ import annotations

import re
from itertools import pairwise

from stageflow_actors.engine.commands import ArmTimer, DisarmTimer, EmitEvent
from stageflow_actors.engine.facts import (
    CancelRequested,
    Ending,
    FailureHint,
    RunAccepted,
    Signal,
    StageEnded,
    StopHeard,
    TimerFired,
)
from stageflow_actors.engine.machine import RunMachine
from stageflow_actors.engine.state import RunPhase, RunState, StageState
from stageflow_actors.engine.transitions import STAGE_TRANSITIONS
from stageflow_actors.model.settings import Settings
from tests.engine.graphs import plan_of

PLANS = (
    plan_of({"one": "", "two": ""}, {"one": 1.0}),
    plan_of({"one": "", "two": "one route:left"}),
    plan_of({"one": "", "two": "one conditional"}),
    plan_of({"one": "", "two": "any:one"}, {"two": 1.0}),
    plan_of({"one": "retry:2 covers:timeout total:9", "two": ""}, {"one": 1.0}),
    plan_of({"one": "fallback", "two": "one"}, {"one": 1.0}),
    plan_of({"one": "tolerant", "two": "opt:one"}, {"one": 1.0}),
    plan_of({"one": "effects:none", "two": "any:one retry:2"}),
    plan_of({"one": "fallback", "two": "one guard:one rejects:2 within:9"}, {"one": 1.0}),
    plan_of({"one": "", "two": "one conditional", "three": "one two guard:one rejects:2"}),
    plan_of({"one": "tolerant", "two": "opt:one guard:one rejects:2"}, {"one": 1.0}),
    plan_of({"one": "", "two": "", "three": "one two guard:one rejects:2"}),
)
ACCEPTED = RunAccepted(at=0.0)
CANCEL = CancelRequested("asked", at=0.0)
OF_NO_MATTER = ("plan", "settings", "late_facts")
"""Parts of the state that change nothing about how a walk goes on."""
HINTS = (
    FailureHint(),
    FailureHint(is_covered=True, ignored_retry_after="it is negative"),
    FailureHint(is_rejection=True, fingerprint="poor"),
)


class RecordedStages(list):
    """Notes every state that a stage has had."""

    def __init__(self, stages):
        super().__init__(stages)
        self.seen = [[state] for state in stages]

    def __setitem__(self, index, state):
        super().__setitem__(index, state)
        self.seen[index].append(state)


class RecordedState(RunState):
    """Notes every phase and every state of a stage."""

    def __init__(self, plan, settings):
        self.seen = []
        super().__init__(plan, settings)
        self.stages = RecordedStages(self.stages)

    def __setattr__(self, name, value):
        super().__setattr__(name, value)
        if name == "phase":
            self.seen.append(value)


class Walk:
    """One sequence of ticks of one plan, played from the start."""

    def __init__(self, plan, ticks):
        machine = RunMachine(plan, Settings())
        machine.state = self.state = RecordedState(plan, Settings())
        self.plan, self.ticks = plan, ticks
        self.commands = [command for tick in ticks for command in machine.advance(tick)]

    @property
    def event_types(self):
        types = (command.type for command in self.commands if isinstance(command, EmitEvent))
        return {re.sub(r"^stage\.(one|two|three)\.", "stage.{name}.", type_) for type_ in types}

    @property
    def phase_steps(self):
        return set(pairwise(self.state.seen))

    @property
    def stage_steps(self):
        return {step for seen in self.state.stages.seen for step in pairwise(seen)}

    @property
    def armed(self):
        """The timers that may fire, in the order in which they were armed."""
        timers = {}
        for command in self.commands:
            if isinstance(command, ArmTimer):
                timers[command.timer] = True
            elif isinstance(command, DisarmTimer):
                timers.pop(command.timer, None)
        return tuple(timers)

    @property
    def place(self):
        """Equal for walks that go on alike."""
        names = [name for name in RunState.__slots__ if name not in OF_NO_MATTER]
        return repr(([getattr(self.state, name) for name in names], self.armed))

    def next_ticks(self):
        """One tick per fact that may come next."""
        if self.state.phase is RunPhase.ENDED:
            return []
        facts = [CANCEL, *(TimerFired(timer, at=0.0) for timer in self.armed)]
        for index, stage in enumerate(self.state.stages):
            attempt = self.state.attempts[index]
            if stage in (StageState.STOPPING, StageState.TIMING_OUT):
                facts.append(StopHeard(index, attempt, at=0.0))
            for state, ending in STAGE_TRANSITIONS:
                if state is stage:
                    facts += self.ends(index, attempt, ending)
        return [[fact] for fact in facts]

    def ends(self, index, attempt, ending):
        """An end with each signal or hint that the stage may give with it."""
        if ending is Ending.OK and self.plan.routes_of(index):
            signals = [Signal(route=route, routing={"route": route}) for route in ("left", "right")]
            return [StageEnded(index, attempt, ending, 0.0, signal=signal) for signal in signals]
        hints = HINTS if ending is Ending.FAIL else HINTS[:1]
        return [StageEnded(index, attempt, ending, 0.0, hint=hint) for hint in hints]


def all_walks(max_ticks=5):
    """Walks to every place that so many ticks lead to; one for each step that leads there."""
    walks, seen = [], set()
    reached = [
        Walk(plan, first) for plan in PLANS for first in ([[ACCEPTED]], [[ACCEPTED, CANCEL]])
    ]
    while reached:
        fresh = []
        for walk in reached:
            walks.append(walk)
            place = (id(walk.plan), walk.place)
            if place not in seen and len(walk.ticks) < max_ticks:
                seen.add(place)
                fresh.append(walk)
        reached = [Walk(each.plan, [*each.ticks, t]) for each in fresh for t in each.next_ticks()]
    return walks
