"""Random plans, random facts: the engine agrees with a naive model and breaks no invariant."""

from collections import Counter

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from stageflow_actors.engine.commands import ArmTimer, DisarmTimer, EmitEvent, EndRun, StartStage
from stageflow_actors.engine.facts import Ending
from stageflow_actors.engine.state import RunPhase, StageState
from tests.engine.naive import NaiveRun
from tests.engine.scene import Scene
from tests.model.strategies import random_dags


class RandomRun(RuleBasedStateMachine):
    """Facts about one stage each, in the order of the plan: order has tests of its own."""

    @initialize(graph=random_dags(8), data=st.data())
    def create(self, graph, data):
        timeouts = {name: 1.0 for name in graph if data.draw(st.booleans(), label=f"limit {name}")}
        self.scene = Scene({name: " ".join(needs) for name, needs in graph.items()}, **timeouts)
        self.naive = NaiveRun(self.scene.plan)
        self.take([self.scene.accepted(), *self.maybe_outside(data)])

    @precondition(lambda self: self.scene.phase is not RunPhase.ENDED)
    @rule(data=st.data())
    def tick(self, data):
        self.take(self.draw_facts(data))

    @precondition(lambda self: self.scene.phase is RunPhase.ENDED)
    @rule(data=st.data())
    def come_late(self, data):
        before = len(self.scene.commands)
        self.scene.tick(*self.draw_facts(data))
        assert len(self.scene.commands) == before

    def draw_facts(self, data):
        names = data.draw(st.sets(st.sampled_from(self.scene.plan.stage_names), max_size=4))
        facts = [
            self.draw_fact(name, data) for name in self.scene.plan.stage_names if name in names
        ]
        return [*facts, *self.maybe_outside(data)]

    def draw_fact(self, name, data):
        kind = data.draw(st.sampled_from(["timer", *Ending]), label=name)
        if kind == "timer":
            return self.scene.timer(name)
        return self.scene.ended(name, kind, f"{name} says {kind}")

    def maybe_outside(self, data):
        is_cancelled = data.draw(st.integers(0, 9), label="outside") == 9
        return [self.scene.outside()] if is_cancelled else []

    def take(self, facts):
        waiting = self.waiting()
        told = self.scene.tick(*facts)
        if facts:
            self.naive.tick(facts)
        assert self.scene.machine.state.stages == self.naive.stages
        assert self.scene.phase is self.naive.phase
        assert set(told.started) == waiting - self.waiting()
        ended = self.naive.phase is RunPhase.ENDED
        assert told.verdict == (self.naive.verdict if ended else None)

    def waiting(self):
        return {n for n in self.scene.plan.stage_names if self.scene.state(n) is StageState.WAITING}

    def teardown(self):
        """Whatever happened, a run whose bodies end has one verdict and leaves nothing behind."""
        if not hasattr(self, "scene"):
            return
        while self.scene.phase is not RunPhase.ENDED:
            live = [n for n in self.scene.plan.stage_names if self.scene.state(n).is_live]
            self.take([self.scene.ok(live[0])])
        self.check_books()

    def check_books(self):
        commands = self.scene.commands
        count = Counter(type(command) for command in commands)
        assert count[EndRun] == 1
        assert count[ArmTimer] == count[DisarmTimer]
        starts = Counter(c.stage for c in commands if isinstance(c, StartStage))
        events = Counter(c.stage for c in commands if isinstance(c, EmitEvent))
        assert set(starts.values()) <= {1}
        assert {stage: n for stage, n in events.items() if stage is not None} == dict.fromkeys(
            starts, 2
        )


TestRandomRuns = RandomRun.TestCase
TestRandomRuns.settings = settings(deadline=None, max_examples=150, stateful_step_count=12)
