"""Every way small pipelines can go through the engine: what is emitted, which states follow."""

from __future__ import annotations

import re
from itertools import pairwise

from stageflow_actors.engine.commands import EmitEvent
from stageflow_actors.engine.facts import (
    CancelRequested,
    Ending,
    RunAccepted,
    Signal,
    StageEnded,
    StageTimerFired,
)
from stageflow_actors.engine.machine import RunMachine
from stageflow_actors.engine.state import RunPhase, RunState, StageState
from stageflow_actors.engine.transitions import STAGE_TRANSITIONS
from tests.engine.scene import plan_of

PLANS = (
    plan_of({"one": "", "two": ""}, {"one": 1.0}),
    plan_of({"one": "", "two": "one route:left"}),
    plan_of({"one": "", "two": "one conditional"}),
    plan_of({"one": "", "two": "any:one"}, {"two": 1.0}),
)
ACCEPTED = RunAccepted(at=0.0)
CANCEL = CancelRequested("asked", at=0.0)


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

    def __init__(self, plan):
        self.seen = []
        super().__init__(plan)
        self.stages = RecordedStages(self.stages)

    def __setattr__(self, name, value):
        super().__setattr__(name, value)
        if name == "phase":
            self.seen.append(value)


class Walk:
    """One sequence of ticks of one plan, played from the start."""

    def __init__(self, plan, ticks):
        machine = RunMachine(plan)
        machine.state = self.state = RecordedState(plan)
        self.commands = [command for tick in ticks for command in machine.advance(tick)]

    @property
    def event_types(self):
        types = (command.type for command in self.commands if isinstance(command, EmitEvent))
        return {re.sub(r"^stage\.(one|two)\.", "stage.{name}.", type_) for type_ in types}

    @property
    def phase_steps(self):
        return set(pairwise(self.state.seen))

    @property
    def stage_steps(self):
        return {step for seen in self.state.stages.seen for step in pairwise(seen)}

    def next_ticks(self):
        """One tick per fact that may come next."""
        if self.state.phase is RunPhase.ENDED:
            return []
        facts = [CANCEL]
        for index, stage in enumerate(self.state.stages):
            if stage is StageState.RUNNING and self.state.plan.stages[index].timeout_s is not None:
                facts.append(StageTimerFired(index, attempt=1, at=0.0))
            facts += [
                StageEnded(index, attempt=1, ending=ending, at=0.0, signal=signal)
                for state, ending in STAGE_TRANSITIONS
                if state is stage
                for signal in self.signals(index, ending)
            ]
        return [[fact] for fact in facts]

    def signals(self, index, ending):
        """What a stage may say beside its end: nothing, or one decision or the other."""
        if ending is not Ending.OK or not self.state.plan.routes_of(index):
            return [None]
        return [Signal(route=route, routing={"route": route}) for route in ("left", "right")]


def all_walks(max_ticks=4):
    """Three ticks after the first end both stages and leave one for a request."""
    open_walks = [(plan, first) for plan in PLANS for first in ([[ACCEPTED]], [[ACCEPTED, CANCEL]])]
    walks = []
    while open_walks:
        plan, ticks = open_walks.pop()
        walk = Walk(plan, ticks)
        walks.append(walk)
        if len(ticks) < max_ticks:
            open_walks += [(plan, [*ticks, tick]) for tick in walk.next_ticks()]
    return walks
