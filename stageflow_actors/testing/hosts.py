"""Simulated processes: which stages share one, and how far it has gone on ahead of its run."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random

from stageflow_actors.engine.facts import NO_HINT, Ending, FailureHint, Signal
from stageflow_actors.engine.leases import Follower
from stageflow_actors.model.plan import Plan
from stageflow_actors.testing.bodies import Script
from stageflow_actors.testing.clock import Alarm

Hosts = tuple[frozenset[int], ...]
"""The stages of each process that has several; all others have one of their own."""


@dataclass(eq=False, slots=True)
class Lease:
    """What a process does after one execution without asking, and what it has not told of that.

    ``done`` are the stages that have ended ok under it. ``held`` are ends that wait for those of
    what was begun after them, ``sent`` those on their way, in order.
    """

    followers: Mapping[int, tuple[Follower, ...]]
    done: set[int] = field(default_factory=set)
    running: int = 1
    is_stopped: bool = False
    held: list[Body] = field(default_factory=list)
    sent: deque[Body] = field(default_factory=deque)

    def follow(self, stage: int) -> tuple[int, ...]:
        """Take note that a stage has ended ok; which ones that makes ready."""
        self.done.add(stage)
        following = self.followers.get(stage, ())
        return tuple(each.stage for each in following if each.waits_for <= self.done)

    def end(self) -> None:
        """Its process is dead: nothing follows, and nothing more is told."""
        self.is_stopped = True
        self.held.clear()
        self.sent.clear()


@dataclass(eq=False, slots=True)
class Body:
    """One execution; ``alarms`` are what it still has to do.

    ``process`` has all bodies of its process whose ends have not arrived, ``ahead`` are those that
    were begun after it without asking. ``is_known``: the run knows that it has begun; until then
    its end waits (``has_arrived``). ``is_lost``: its process died before its end had arrived.
    """

    stage: int
    attempt: int
    script: Script
    process: list[Body]
    lease: Lease | None = None
    is_known: bool = True
    alarms: list[Alarm] = field(default_factory=list)
    is_over: bool = False
    has_acted: bool = False
    told: Ending = Ending.LOST
    hint: FailureHint = NO_HINT
    signal: Signal | None = None
    chance: float = 0.0
    ahead: tuple[Body, ...] = ()
    has_arrived: bool = False
    is_lost: bool = False

    def drop_alarms(self) -> None:
        """Have it do nothing more."""
        for alarm in self.alarms:
            alarm.is_cancelled = True
        self.alarms.clear()


def draw_hosts(random: Random, plan: Plan) -> Hosts:
    """Which stages share a process: none of them in some runs, all of them in others."""
    count = random.choice((0, 1, 1, 1, 1, 1, 2))
    if not count:
        return ()
    places = [random.randrange(count) for _ in plan.stages]
    hosts = (_at(place, places) for place in range(count))
    return tuple(host for host in hosts if len(host) > 1)


def hosts_of(plan: Plan, shared: Collection[Collection[str]]) -> Hosts:
    """The processes of stages that are given by name.

    Raises:
        ValueError: there is no stage of that name, or it is given twice.
    """
    names = [name for host in shared for name in host]
    unknown = set(names) - set(plan.stage_names)
    if unknown or len(set(names)) < len(names):
        raise ValueError(f"not the names of stages, each once at most: {names}")
    return tuple(frozenset(map(plan.stage_names.index, host)) for host in shared)


def _at(place: int, places: Sequence[int]) -> frozenset[int]:
    return frozenset(index for index, each in enumerate(places) if each == place)
