"""Random pipelines and random facts, played on the engine and on the naive model at once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import pairwise
from random import Random

from stageflow_actors.engine.commands import (
    ArmTimer,
    DisarmTimer,
    EmitEvent,
    EndRun,
    FallBack,
    ForgetStage,
    SkipStage,
    StartStage,
)
from stageflow_actors.engine.facts import Ending, Fact, Timer, TimerFired, TimerKind
from stageflow_actors.engine.leases import Follower, followers_in
from stageflow_actors.engine.state import LIVE, RunPhase, StageState
from stageflow_actors.model.settings import Settings
from tests.engine.naive import OPEN, TOLD, NaiveRun
from tests.engine.naive_ahead import may_follow
from tests.engine.naive_skips import why_blocked, why_unselected
from tests.engine.random_graphs import ROUTES, random_graph
from tests.engine.scene import Scene, Told

OTHER_ENDS = (
    *[Ending.SKIP] * 3,
    *[Ending.FAIL] * 2,
    *[Ending.RETRY, Ending.LOST] * 2,
    *[Ending.CANCEL_BRANCH, Ending.TIMED_OUT] * 2,
    Ending.CANCEL,
    Ending.INTERRUPTED,
)
ENDS = ("completed", "skipped", "failed", "cancelled")
SAY_WHY = ("stage.retry_exhausted", "guard_retry.exhausted")
KIND_OF = {"stage.retry_scheduled": "repeated", "guard_retry.scheduled": "repeated"}


class RandomRun:
    """Everything is compared after every tick; ``seen`` counts what the run went through."""

    def __init__(self, random: Random) -> None:
        graph = random_graph(random)
        timeouts = {name: 1.0 for name in graph if random.random() < 0.3}
        few = Settings(max_retries_per_run=1, max_losses_per_stage=1)
        settings = few if random.random() < 0.3 else Settings()
        self.random = random
        self.scene = Scene(graph, settings, **timeouts)
        self.twin = Scene(graph, settings, **timeouts)
        self.naive = NaiveRun(self.scene.plan, settings)
        self.followers = self.pick_followers()
        self.armed: set[Timer] = set()
        self.seen: Counter[str] = Counter()
        self.story: list[object] = [graph]

    def play(self) -> Counter[str]:
        """From acceptance to verdict, and what comes too late."""
        try:
            limit_s = self.random.choice([None, *[9.0] * 9, *[None] * 9, -1.0])
            self.take([self.scene.accepted(limit_s), *self.maybe_outside()])
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

    def pick_followers(self) -> Mapping[int, Sequence[Follower]]:
        """Of a process that hosts some of the stages."""
        count = len(self.scene.plan.stages)
        host = self.random.sample(range(count), self.random.randint(0, count))
        return followers_in(self.scene.plan, host)

    # --- what happens -----------------------------------------------------------------------------

    def pick_facts(self) -> list[Fact]:
        """About up to three stages; now and then about some that do not run, or from outside."""
        names = self.scene.plan.stage_names
        open_ = [name for name in names if self.scene.state(name) in OPEN]
        known = open_ if open_ and self.random.random() < 0.9 else names
        picked = self.random.sample(known, min(len(known), self.random.randint(1, 3)))
        facts = [fact for name in names if name in picked for fact in self.pick_about(name)]
        return [
            *facts,
            *self.maybe_run_limit(),
            *self.maybe_outside(),
            *self.maybe_escalated(),
        ]

    def pick_about(self, name: str) -> list[Fact]:
        """An end, a timer, or both."""
        chance = self.random.random()
        waits = self.scene.state(name) is StageState.RETRYING
        if self.scene.state(name) in TOLD and self.random.random() < 0.15:
            return [self.scene.heard(name), *self.pick_timers(name)]
        ends = [self.pick_end(name)] if not waits and chance < 0.85 else []
        if waits or chance > 0.8:
            return [*ends, *self.pick_timers(name)]
        return ends if chance > 0.05 else [*ends, self.scene.heard(name)]

    def pick_timers(self, name: str) -> list[Fact]:
        """Mostly one that is armed; now and then any."""
        index = self.scene.index(name)
        armed = [timer for timer in sorted(self.armed) if timer.stage == index]
        if armed and self.random.random() < 0.95:
            picked = self.random.sample(armed, self.random.randint(1, min(2, len(armed))))
            return [TimerFired(timer, self.scene.now) for timer in picked]
        kinds = [kind for kind in TimerKind if kind is not TimerKind.RUN]
        timer = Timer(self.random.choice(kinds), index, self.random.randint(0, 3))
        return [TimerFired(timer, self.scene.now)]

    def pick_end(self, name: str) -> Fact:
        chance = self.random.random()
        plan = self.scene.plan.stages[self.scene.index(name)]
        if plan.guard is not None and chance < 0.6:
            return self.scene.reject(name, self.random.choice("xxxyz"))
        has_died = "death" in self.naive.lately(self.scene.index(name))
        if has_died and self.random.random() < 0.6:
            return self.scene.lost(name, f"{name} dies again")
        if chance < 0.12:
            return self.scene.flaw(name, f"flaw of {name}")
        if chance < 0.4:
            ending = self.random.choice(OTHER_ENDS)
            reason = "" if chance < 0.14 else f"{name} says {ending}"
            if ending is Ending.LOST:
                return self.scene.lost(name, reason, is_innocent=self.random.random() < 0.4)
            return self.scene.ended(name, ending, reason)
        routes = self.scene.plan.routes_of(self.scene.index(name))
        route = self.random.choice([*routes, ROUTES[-1]]) if routes else None
        fact = self.scene.ok(name, route=route, skip_reason="no use" if chance < 0.5 else "")
        if fact.signal is None and self.scene.state(name) in LIVE:
            fact.ahead = may_follow(self.naive, self.followers, self.scene.index(name))
        return fact

    def maybe_run_limit(self) -> list[Fact]:
        has_limit = Timer(TimerKind.RUN) in self.armed
        chance = self.random.random()
        return [self.scene.fired(TimerKind.RUN)] if has_limit and chance < 0.04 else []

    def maybe_outside(self) -> list[Fact]:
        chance = 0.06 if self.naive.cause is not None else 0.02
        return [self.scene.outside()] if self.random.random() < chance else []

    def maybe_escalated(self) -> list[Fact]:
        chance = 0.04 if self.naive.cause is not None else 0.01
        return [self.scene.escalated()] if self.random.random() < chance else []

    # --- what is compared -------------------------------------------------------------------------

    def take(self, facts: list[Fact]) -> None:
        self.story.append(facts)
        before, phase = list(self.naive.stages), self.naive.phase
        told = self.scene.tick(*facts)
        self.naive.tick(facts)
        assert self.twin.tick(*self.random.sample(facts, len(facts))) == told.commands
        state = self.scene.machine.state
        assert state.stages == self.naive.stages
        assert state.attempts == self.naive.attempts
        assert self.scene.phase is self.naive.phase
        ended = self.naive.phase is RunPhase.ENDED
        assert told.verdict == (self.naive.verdict if ended else None)
        self.check_commands(told, before)
        self.check_timers(told)
        self.note(told, phase)
        self.seen["ahead"] += sum(bool(getattr(fact, "ahead", ())) for fact in facts)

    def check_commands(self, told: Told, before: Sequence[StageState]) -> None:
        commands = told.commands
        begun = [command for command in commands if isinstance(command, StartStage)]
        starts = [(c.stage, c.attempt, c.feedback and c.feedback[0], c.is_alone) for c in begun]
        assert sorted(starts) == sorted(self.naive.started)
        skips = {c.stage: c.reason for c in commands if isinstance(c, SkipStage)}
        assert skips == {index: self.naive.not_run[index] for index in self.naive.skipped}
        names = self.scene.plan.stage_names
        assert sorted(told.killed) == sorted(names[index] for index in self.naive.killed)
        forgotten = {c.stage for c in commands if isinstance(c, ForgetStage)}
        assert forgotten == set(self.naive.rewound)
        stood_in = {c.stage for c in commands if isinstance(c, FallBack)}
        fell_back = StageState.FELL_BACK
        after = self.naive.stages
        assert stood_in == {
            index for index, was in enumerate(before) if after[index] is fell_back is not was
        }
        assert set(told.interrupted) == {
            names[index]
            for index, was in enumerate(before)
            if after[index] in TOLD and was not in TOLD
        }

    def check_timers(self, told: Told) -> None:
        """Each is armed once and disarmed once, and those that are armed are those needed."""
        for command in told.commands:
            if isinstance(command, ArmTimer):
                assert command.timer not in self.armed
                self.armed.add(command.timer)
            elif isinstance(command, DisarmTimer):
                assert command.timer in self.armed
                self.armed.remove(command.timer)
        assert self.armed == self.naive.armed

    def check_books(self) -> None:
        """One verdict, nothing armed, a start and an end of each attempt."""
        commands = self.scene.commands
        count = Counter(type(command) for command in commands)
        assert count[EndRun] == 1
        assert count[ArmTimer] == count[DisarmTimer]
        assert not self.armed
        assert not OPEN & set(self.scene.machine.state.stages)
        starts = Counter((c.stage, c.attempt) for c in commands if isinstance(c, StartStage))
        assert set(starts.values()) <= {1}
        events = [c for c in commands if isinstance(c, EmitEvent) and c.stage is not None]
        of_skips = {id(b) for a, b in pairwise(commands) if isinstance(a, SkipStage)}
        told = {kind: Counter() for kind in ("started", "ended", "repeated")}
        for event in events:
            if id(event) in of_skips:
                continue
            word = event.type.rpartition(".")[2]
            kind = "ended" if word in ENDS else KIND_OF.get(event.type, word)
            told.setdefault(kind, Counter())[event.stage, event.attempt] += 1
        assert told["started"] == starts
        assert set(told["ended"].values()) | set(told["repeated"].values()) <= {1}
        assert told["ended"] | told["repeated"] == starts

    # --- what was tried ---------------------------------------------------------------------------

    def note(self, told: Told, phase: RunPhase) -> None:
        seen, naive = self.seen, self.naive
        for index in naive.skipped:
            kind = "skipped as conditional"
            if why_unselected(naive, index) is not None:
                kind = "unselected"
            elif why_blocked(naive, index) is not None:
                kind = "blocked"
            seen[kind] += 1
        for event in told.commands:
            if isinstance(event, EmitEvent):
                what = event.data.get("reason") if event.type in SAY_WHY else None
                seen[event.type if what is None else f"{event.type}: {what}"] += 1
                if event.type == "stage.error":
                    seen[f"error: {event.data['action_taken']}"] += 1
                    seen["total limit"] += "all attempts together" in event.data["error"]
        is_stopping = naive.cause is not None
        again = is_stopping and phase is RunPhase.STOPPING
        seen["branch cancelled"] += bool(naive.left)
        seen["killed"] += len(naive.killed)
        seen["ahead of a run that stops"] += sum(
            naive.stages[index] is StageState.STOPPING for index, *_start in naive.started
        )
        seen["started in a stopping run"] += len(told.started) if is_stopping else 0
        seen["skipped in a stopping run"] += len(told.skipped) if is_stopping else 0
        seen["retried in the tick of the stop"] += sum(
            attempt > 1 and is_stopping and not again and index not in naive.feedback
            for index, attempt, _feedback, _alone in naive.started
        )
        seen["finalizers told to stop"] += len(told.interrupted) if again else 0
        seen["retried in a stopping run"] += told.events.count("stage.retry_scheduled") * again
        seen["repeated with the same feedback"] += sum(
            feedback is not None and ("retry", index, "") in naive.history
            for index, _attempt, feedback, _alone in naive.started
        )
        seen["alone"] += sum(alone for *_start, alone in naive.started)
        seen["between producer and guard"] += len(naive.rewound) > 2
        if told.verdict is not None:
            seen[told.verdict[0]] += 1
            seen["run limit"] += told.verdict[1] == "<run>"
            seen["escalated"] += told.verdict[1] == "<supervisor>"
            seen.update(what for what, _stage, _detail in naive.history)
