"""``simulate``: one run of a pipeline in virtual time, with faults, and its history."""

from __future__ import annotations

from collections.abc import Collection
from random import Random

from stageflow_actors.engine.commands import (
    ArmTimer,
    Command,
    DisarmTimer,
    EndRun,
    InterruptStage,
    KillStage,
    StartStage,
)
from stageflow_actors.engine.facts import RunAccepted, TimerFired, TimerKind
from stageflow_actors.engine.machine import RunMachine
from stageflow_actors.model.settings import Settings
from stageflow_actors.ports import Deployable
from stageflow_actors.testing.faults import FaultKind, FaultPlan
from stageflow_actors.testing.graphs import random_plan, random_settings
from stageflow_actors.testing.history import History, Record, What
from stageflow_actors.testing.hosts import draw_hosts, hosts_of
from stageflow_actors.testing.recording import record_of_command, record_of_fact
from stageflow_actors.testing.world import EPOCH_S, Conditions, World

_MOST_TICKS = 5_000
"""No run of a few stages needs as many: one that does goes round in circles."""


def simulate(
    seed: int,
    pipeline: Deployable | None = None,
    *,
    faults: Collection[FaultKind] = frozenset(FaultKind),
    settings: Settings | None = None,
    limit_s: float | None = None,
    shared: Collection[Collection[str]] | None = None,
) -> History:
    """Play one run of ``pipeline``, or of a random one, and tell what happened.

    The same arguments give the same history. ``seed`` decides on everything that is left to
    chance: how long bodies take and how they end, the order of what happens at one time, and which
    of ``faults`` strike when. ``limit_s`` is how long the run may take, in virtual seconds; without
    one, a random pipeline has a random limit or none. ``shared`` are the names of stages that
    share a process, for each process of several; by default that is drawn, too. Such a process goes
    on with what follows by itself, and all that is in it dies with it. Pass the history to
    ``violations``.

    It shows what the engine decides under a schedule: which stages start, are repeated, skipped,
    stopped or killed, in which order, and how the run ends. It shows nothing of your code: no body
    is called, and nothing of data, networks, Ray or real time is in it. Outputs are
    accepted as they are; contracts and routes are never broken. Many seeds without a violation make
    a defect unlikely; they prove nothing.

    Raises:
        PipelineValidationError: ``pipeline`` is not valid.
        ValueError: ``shared`` has a name that no stage has, or one twice.
    """
    random = Random(seed)  # noqa: S311 - a schedule, and no secret
    if pipeline is None:
        plan = random_plan(random)
        settings = settings or random_settings(random)
    else:
        plan = pipeline.plan
    fault_plan = FaultPlan(random, faults)
    if pipeline is None and limit_s is None and FaultKind.RUN_DEADLINE in fault_plan.active:
        limit_s = random.choice((*[None] * 8, 0.0, 1.0, 2.0, 3.0, 5.0))
    drawn = draw_hosts(random, plan)
    hosts = drawn if shared is None else hosts_of(plan, shared)
    conditions = Conditions(seed, plan, settings or Settings(), limit_s, hosts)
    return _Simulation(conditions, fault_plan, random).play()


class _Simulation:
    """Performs what the engine commands, tells it what happens, and writes down both."""

    def __init__(self, conditions: Conditions, faults: FaultPlan, random: Random) -> None:
        self._conditions = conditions
        self._faults = faults
        self._random = random
        self._machine = RunMachine(conditions.plan, conditions.settings)
        self._world = World(conditions, random, faults, self._write)
        self._records: list[Record] = []
        self._ticks = 0
        self._crash: str | None = None

    def play(self) -> History:
        """From acceptance to silence, which comes after the verdict."""
        world, conditions = self._world, self._conditions
        world.inbox.append(RunAccepted(EPOCH_S, conditions.limit_s))
        self._schedule_disturbances()
        self._tick()
        while self._goes_on and world.clock.step():
            is_moment_over = world.clock.next_at() != world.clock.now
            if world.inbox and (is_moment_over or self._random.random() < 0.3):
                self._tick()
        return History(
            conditions.seed,
            conditions.plan,
            conditions.settings,
            conditions.limit_s,
            tuple(self._records),
            dict(self._faults.counts),
            self._crash,
            self._ticks >= _MOST_TICKS,
            conditions.hosts,
        )

    @property
    def _goes_on(self) -> bool:
        return self._crash is None and self._ticks < _MOST_TICKS

    def _schedule_disturbances(self) -> None:
        world, random = self._world, self._random
        if self._faults.strikes(FaultKind.CANCELLED_OUTSIDE, 0.2):
            for _ in range(random.choice((1, 1, 2))):
                at_s = random.choice((None, 0.0, 0.25, 0.5, 1.0, 2.0, 3.0))
                if at_s is None:
                    world.cancel()  # before anything has begun
                else:
                    world.clock.schedule(at_s, world.cancel)
        if self._faults.strikes(FaultKind.ESCALATES, 0.25):
            world.clock.schedule(random.choice((0.0, 0.25, 0.5, 1.0, 2.0)), world.escalate)
        for _ in range(2):
            at_s = random.choice((0.0, 0.25, 0.5, 1.0))
            jumps = FaultKind.CLOCK_JUMP in self._faults.active
            world.clock.schedule(at_s, world.jump if jumps else _keep_time)

    def _tick(self) -> None:
        world = self._world
        facts, world.inbox = world.inbox, []
        if self._faults.strikes(FaultKind.REORDERED, 0.5) and len(facts) > 1:
            before = list(facts)
            self._random.shuffle(facts)
            if facts != before and not world.is_ended:
                self._faults.note(FaultKind.REORDERED)
        self._ticks += 1
        for fact in facts:
            self._records.append(record_of_fact(fact, world.clock.now, self._ticks))
            is_deadline = isinstance(fact, TimerFired) and fact.timer.kind is TimerKind.RUN
            has_limit = isinstance(fact, RunAccepted) and fact.limit_s is not None
            if is_deadline or (has_limit and (self._conditions.limit_s or 0) <= 0):
                self._faults.note(FaultKind.RUN_DEADLINE)
        try:
            commands = self._machine.advance(facts)
        except Exception as defect:  # it never should; the checker says that it did
            self._crash = f"{type(defect).__name__}: {defect}"
            return
        for command in commands:
            self._perform(command)

    def _perform(self, command: Command) -> None:
        world = self._world
        self._records.append(record_of_command(command, world.clock.now, self._ticks))
        match command:
            case StartStage(stage, attempt):
                world.bodies.start(stage, attempt, is_alone=command.is_alone)
            case InterruptStage(stage, attempt):
                world.bodies.interrupt(stage, attempt)
            case KillStage(stage, attempt):
                world.bodies.kill(stage, attempt)
            case ArmTimer(timer, seconds):
                world.arm(timer, seconds)
            case DisarmTimer(timer):
                world.disarm(timer)
            case EndRun():
                world.is_ended = True

    def _write(self, what: What, stage: int, attempt: int) -> None:
        self._records.append(Record(what, self._world.clock.now, self._ticks, stage, attempt))


def _keep_time() -> None:
    """Where the wall clock does not jump."""
