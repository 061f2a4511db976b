"""Random pipelines and random facts, played on the engine and on the naive model at once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from random import Random

from stageflow_actors.engine.commands import (
    ArmTimer,
    DisarmTimer,
    EmitEvent,
    EndRun,
    SkipStage,
    StartStage,
)
from stageflow_actors.engine.facts import Ending, Fact
from stageflow_actors.engine.state import RunPhase, StageState
from tests.engine.naive import LIVE, NaiveRun
from tests.engine.scene import Scene, Told

ROUTES = ("left", "right", "straight")
OTHER_ENDS = [Ending.SKIP] * 4 + [Ending.FAIL] * 4 + [Ending.CANCEL, Ending.INTERRUPTED]


def random_graph(random: Random, most: int = 9) -> dict[str, str]:
    """Up to ``most`` stages with every kind of edge, declared in an order of their own."""
    graph = {}
    for index in range(random.randint(1, most)):
        words, reads = [], []
        for earlier in range(index):
            kind = random.choice(["", "", "after:", "any:", *[None] * (1 + index // 2)])
            if kind is not None:
                words.append(f"{kind}s{earlier}")
            if kind == "":
                reads.append(words[-1])
        if reads and random.random() < 0.4:
            routes = random.sample(ROUTES, random.randint(1, 2))
            words += [f"route:{route}" for route in routes]
            words.append(f"router:{random.choice(reads)}")
        if random.random() < 0.4:
            words.append("conditional")
        graph[f"s{index}"] = " ".join(words)
    names = random.sample(list(graph), len(graph))
    return {name: graph[name] for name in names}


class RandomRun:
    """Everything is compared after every tick; ``seen`` counts what the run went through."""

    def __init__(self, random: Random) -> None:
        graph = random_graph(random)
        timeouts = {name: 1.0 for name in graph if random.random() < 0.3}
        self.random = random
        self.scene = Scene(graph, **timeouts)
        self.twin = Scene(graph, **timeouts)
        self.naive = NaiveRun(self.scene.plan)
        self.seen: Counter[str] = Counter()
        self.story: list[object] = [graph]

    def play(self) -> Counter[str]:
        """From acceptance to verdict, and what comes too late."""
        try:
            self.take([self.scene.accepted(), *self.maybe_outside()])
            while self.scene.phase is not RunPhase.ENDED:
                self.take(self.pick_facts())
            self.check_books()
            commands = len(self.scene.commands)
            self.scene.tick(*self.pick_facts())
            assert len(self.scene.commands) == commands
        except AssertionError as error:
            error.add_note("\n".join(map(str, self.story)))
            raise
        return self.seen

    def pick_facts(self) -> list[Fact]:
        """About up to three stages, one fact each; now and then about some that do not run."""
        names = self.scene.plan.stage_names
        live = [name for name in names if self.scene.state(name).is_live]
        known = live if live and self.random.random() < 0.9 else names
        picked = self.random.sample(known, min(len(known), self.random.randint(1, 3)))
        return [*(self.pick_fact(n) for n in names if n in picked), *self.maybe_outside()]

    def pick_fact(self, name: str) -> Fact:
        chance = self.random.random()
        if chance < 0.1:
            return self.scene.timer(name)
        if chance < 0.3:
            ending = self.random.choice(OTHER_ENDS)
            reason = "" if chance < 0.12 else f"{name} says {ending}"
            return self.scene.ended(name, ending, reason)
        routes = self.scene.plan.routes_of(self.scene.index(name))
        route = self.random.choice([*routes, ROUTES[-1]]) if routes else None
        return self.scene.ok(name, route=route, skip_reason="no use" if chance < 0.4 else "")

    def maybe_outside(self) -> list[Fact]:
        chance = 0.1 if self.naive.cause is not None else 0.03
        return [self.scene.outside()] if self.random.random() < chance else []

    def take(self, facts: list[Fact]) -> None:
        self.story.append(facts)
        before, phase = list(self.naive.stages), self.naive.phase
        told = self.scene.tick(*facts)
        self.naive.tick(facts)
        assert self.twin.tick(*self.random.sample(facts, len(facts))) == told.commands
        assert self.scene.machine.state.stages == self.naive.stages
        assert self.scene.phase is self.naive.phase
        ended = self.naive.phase is RunPhase.ENDED
        assert told.verdict == (self.naive.verdict if ended else None)
        self.check_starts_and_skips(told, before)
        self.note(told, phase)

    def check_starts_and_skips(self, told: Told, before: Sequence[StageState]) -> None:
        names = self.scene.plan.stage_names
        now = dict(zip(names, zip(before, self.naive.stages, strict=True), strict=True))
        left = {name for name, (was, is_) in now.items() if was is StageState.WAITING is not is_}
        skipped = {name for name in left if now[name][1] is StageState.SKIPPED}
        assert set(told.started) == left - skipped
        assert told.skipped == {name: self.naive.not_run[names.index(name)] for name in skipped}

    def note(self, told: Told, phase: RunPhase) -> None:
        for name in told.skipped:
            index = self.scene.index(name)
            unselected = self.naive.why_unselected(index) is not None
            self.seen["unselected" if unselected else "skipped as conditional"] += 1
        self.seen["routes taken"] += told.events.count("pipeline.route")
        if self.naive.cause is not None:
            self.seen["started in a stopping run"] += len(told.started)
            self.seen["skipped in a stopping run"] += len(told.skipped)
            again = phase is RunPhase.STOPPING
            self.seen["finalizers told to stop"] += len(told.interrupted) if again else 0
        if told.verdict is not None:
            self.seen[told.verdict[0]] += 1

    def check_books(self) -> None:
        """One verdict, a timer disarmed for each that was armed, a start and an end of each."""
        commands = self.scene.commands
        count = Counter(type(command) for command in commands)
        assert count[EndRun] == 1
        assert count[ArmTimer] == count[DisarmTimer]
        starts = Counter(c.stage for c in commands if isinstance(c, StartStage))
        skips = Counter(c.stage for c in commands if isinstance(c, SkipStage))
        assert set((starts + skips).values()) <= {1}
        assert not LIVE & set(self.scene.machine.state.stages)
        events = [c for c in commands if isinstance(c, EmitEvent) and c.stage is not None]
        told = Counter(event.stage for event in events if event.type != "pipeline.route")
        assert told == starts + starts + skips
