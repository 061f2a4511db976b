"""``Executions``: the bodies of one simulated run, from start to end, and what is told of them."""

from __future__ import annotations

from collections import Counter
from random import Random
from typing import TYPE_CHECKING

from stageflow_actors.engine.facts import (
    NO_HINT,
    Ending,
    FailureHint,
    Signal,
    StageEnded,
    StopHeard,
)
from stageflow_actors.engine.leases import followers_in
from stageflow_actors.testing.bodies import Manner, draw_script
from stageflow_actors.testing.faults import FaultKind
from stageflow_actors.testing.history import What
from stageflow_actors.testing.hosts import Body, Lease

if TYPE_CHECKING:
    from stageflow_actors.testing.world import World

_HELD_S = 0.005
"""How long ends wait for those of what was begun after them."""


class Executions:
    """Bodies live in processes, and die with them.

    A process of several stages begins what follows without asking. ``_unheard`` are such bodies
    that nobody outside has heard of, ``_announced`` those that the run is about to catch up with.
    """

    def __init__(self, world: World) -> None:
        self._world = world
        hosts = world.conditions.hosts
        self._processes: dict[int, list[Body]] = {}
        self._followers = {}
        for host in hosts:
            process: list[Body] = []
            self._processes.update(dict.fromkeys(host, process))
            self._followers.update(dict.fromkeys(host, followers_in(world.conditions.plan, host)))
        self._latest: dict[int, Body] = {}
        self._unheard: dict[int, Body] = {}
        self._announced: dict[int, Body] = {}
        self._poisoned: set[int] = set()
        self._begun: Counter[int] = Counter()

    # --- what the run commands --------------------------------------------------------------------

    def start(self, stage: int, attempt: int, *, is_alone: bool) -> None:
        """Begin an execution, or catch up with one that has begun."""
        world = self._world
        if attempt > 1 and world.faults.strikes(FaultKind.LATE_END, 0.4):
            self._tell_late(stage, attempt)
        if attempt == 1 and stage in self._announced:
            self._latest[stage] = body = self._announced.pop(stage)
            body.is_known = True
            if body.is_lost:
                world.clock.schedule(0.0, lambda: self._tell(body))
            elif body.has_arrived:
                world.clock.schedule(0.0, lambda: self._hear_end(body))
            return
        followers = self._followers.get(stage, {})
        is_leased = attempt == 1 and stage in followers and not is_alone
        process = [] if is_alone else self._processes.get(stage, [])
        self._latest[stage] = body = self._draw(stage, attempt, process)
        body.lease = Lease(followers) if is_leased else None
        self._begin(body)

    def interrupt(self, stage: int, attempt: int) -> None:
        """Tell a body to stop; it reacts in its manner, and nothing follows it."""
        body, settings = self._latest[stage], self._world.conditions.settings
        if body.is_over or body.attempt != attempt:
            return
        if body.lease is not None:
            body.lease.is_stopped = True
        manner = body.script.manner
        if manner is Manner.GOES_ON:
            return
        if manner is Manner.IS_DEAF:
            body.drop_alarms()
            if body.script.length_s is not None:
                self._world.note(FaultKind.IGNORES_STOP)
            return
        grace_s, random = settings.grace_s, self._world.random
        stops_after_s = random.choice((0.0, 0.0, grace_s / 2, grace_s))
        if manner is Manner.IS_SLOW:
            self._world.note(FaultKind.SLOW_STOP)
            heard_after_s = random.choice((0.0, grace_s / 2, grace_s))
            self._world.clock.schedule(heard_after_s, lambda: self._hear_stop(body))
            stops_after_s = grace_s + random.random() * settings.stop_timeout_s
        body.drop_alarms()
        answers = manner is Manner.ANSWERS
        ending = body.script.answer if answers else Ending.INTERRUPTED
        alarm = self._world.clock.schedule(
            stops_after_s, lambda: self._end(body, ending, NO_HINT, None)
        )
        body.alarms.append(alarm)

    def kill(self, stage: int, attempt: int) -> None:
        """End the process of a body; whoever else was there is innocent."""
        body = self._latest[stage]
        if body.is_over or body.attempt != attempt:
            return
        if body.script.fault is FaultKind.HANGS:
            self._world.note(FaultKind.HANGS)
        self._die(body, NO_HINT, FailureHint(is_innocent=True))

    # --- what bodies do ---------------------------------------------------------------------------

    def _draw(self, stage: int, attempt: int, process: list[Body]) -> Body:
        """The same for the n-th execution of a stage, whenever it begins."""
        world = self._world
        self._begun[stage] += 1
        own = f"{world.conditions.seed}, execution {self._begun[stage]} of {stage}"
        script = draw_script(
            Random(own),  # noqa: S311 - a schedule, and no secret
            world.conditions.plan,
            stage,
            world.faults,
            may_hang=world.conditions.will_be_stopped(stage),
            is_poisoned=stage in self._poisoned,
        )
        if script.fault is FaultKind.POISON:
            self._poisoned.add(stage)
        return Body(stage, attempt, script, process)

    def _begin(self, body: Body) -> None:
        script, clock = body.script, self._world.clock
        body.process.append(body)
        if script.effect_s is not None:
            body.alarms.append(clock.schedule(script.effect_s, lambda: self._act(body)))
        if script.length_s is not None:
            body.alarms.append(clock.schedule(script.length_s, lambda: self._finish(body)))

    def _act(self, body: Body) -> None:
        """Write to the world outside, once."""
        if not body.has_acted:
            body.has_acted = True
            self._world.write(What.EFFECT, body.stage, body.attempt)

    def _finish(self, body: Body) -> None:
        """It ends by itself."""
        script = body.script
        if script.effect_s is not None:
            self._act(body)  # where both are due at once, the effect comes first
        if script.fault is not None:
            self._world.note(script.fault)
        self._end(body, script.told, script.hint, script.signal)

    def _end(self, body: Body, told: Ending, hint: FailureHint, signal: Signal | None) -> None:
        """The body is over, be it that its process is dead."""
        if body.is_over:
            return
        if told is Ending.LOST:
            self._die(body, hint, hint)
            return
        self._close(body)
        body.told, body.hint, body.signal = told, hint, signal
        if body.lease is not None:
            self._end_under(body.lease, body)
        else:
            self._world.clock.schedule(self._delay_s(), lambda: self._arrive(body))

    def _close(self, body: Body) -> None:
        if not body.is_over:
            body.is_over = True
            body.drop_alarms()
            body.chance = self._world.random.random()
            self._world.write(What.BODY_OVER, body.stage, body.attempt)

    # --- ahead of the run -------------------------------------------------------------------------

    def _end_under(self, lease: Lease, body: Body) -> None:
        """Begin what follows; its end is told when nothing runs any more, or soon."""
        lease.running -= 1
        is_plain = body.told is Ending.OK and body.signal is None
        if is_plain and not lease.is_stopped and self._world.random.random() < 0.9:
            body.ahead = tuple(self._follow(each, lease, body) for each in lease.follow(body.stage))
        lease.held.append(body)
        if not lease.running:
            self._send(lease)
        elif len(lease.held) == 1:
            self._world.clock.schedule(_HELD_S, lambda: self._send(lease))

    def _follow(self, stage: int, lease: Lease, before: Body) -> Body:
        lease.running += 1
        self._world.write(What.BEGUN_AHEAD, stage, 1)
        self._unheard[stage] = body = self._draw(stage, 1, before.process)
        body.lease, body.is_known = lease, False
        self._begin(body)
        if self._world.faults.strikes(FaultKind.CANCELLED_OUTSIDE, 0.2):
            at_s = self._world.random.choice((0.0, _HELD_S / 2, _HELD_S, 4 * _HELD_S))
            self._world.clock.schedule(at_s, self._world.cancel)
        if self._world.faults.strikes(FaultKind.DIES_AHEAD, 0.9):
            at_s = self._world.random.choice((0.0, 0.0, _HELD_S / 2, _HELD_S, 4 * _HELD_S))
            self._world.clock.schedule(at_s, lambda: self._die_ahead(body))
        return body

    def _die_ahead(self, body: Body) -> None:
        if self._unheard.get(body.stage) is body:
            self._world.note(FaultKind.DIES_AHEAD)
            self._die(body, NO_HINT, NO_HINT)

    def _send(self, lease: Lease) -> None:
        """One after the other, as they ended; none overtakes another."""
        for body in lease.held:
            lease.sent.append(body)
            self._world.clock.schedule(self._delay_s(), lambda: self._arrive_next(lease))
        lease.held.clear()

    def _arrive_next(self, lease: Lease) -> None:
        if lease.sent:
            self._arrive(lease.sent.popleft())

    def _arrive(self, body: Body) -> None:
        """An end; that of a body the run does not know of waits until it does."""
        body.has_arrived = True
        if body.is_known:
            self._hear_end(body)

    def _hear_end(self, body: Body) -> None:
        """With the word of what was begun after it."""
        if body.is_lost:
            return
        body.process.remove(body)
        for each in body.ahead:
            self._announced[each.stage] = self._unheard.pop(each.stage)
        self._tell(body)

    def _die(self, first: Body, its_hint: FailureHint, hint: FailureHint) -> None:
        """A process dies of ``first``; what it has not told is lost with it."""
        process = tuple(first.process)
        first.process.clear()
        for body in process:
            self._close(body)
            body.told, body.signal, body.is_lost = Ending.LOST, None, True
            body.hint = its_hint if body is first else hint
            if body.lease is not None:
                body.lease.end()
            if self._unheard.get(body.stage) is body:
                del self._unheard[body.stage]
            if body.is_known:
                self._tell_soon(body)

    # --- what is told -----------------------------------------------------------------------------

    def _tell_soon(self, body: Body) -> None:
        self._world.clock.schedule(self._delay_s(), lambda: self._tell(body))

    def _tell(self, body: Body) -> None:
        world, told = self._world, body.told
        name = world.conditions.plan.stages[body.stage].name
        fact = StageEnded(
            body.stage,
            body.attempt,
            told,
            world.wall(),
            "" if told is Ending.OK else f"{name}: {told.value}",
            {"status": told.value, "duration_ms": 0},
            body.signal,
            body.hint,
            body.chance,
            () if body.is_lost else tuple(each.stage for each in body.ahead),
        )
        world.inbox.append(fact)
        if world.faults.strikes(FaultKind.DUPLICATE_END, 0.2):
            again_s = world.random.choice((0.0, 0.0, 0.25))
            world.clock.schedule(again_s, lambda: self._repeat(fact))

    def _repeat(self, fact: StageEnded) -> None:
        self._world.note(FaultKind.DUPLICATE_END)
        self._world.inbox.append(fact)

    def _tell_late(self, stage: int, newest: int) -> None:
        """What an older attempt really did is told when nobody waits for it any more."""
        world = self._world
        attempt = world.random.randint(1, newest - 1)
        told = world.random.choice((Ending.OK, Ending.OK, Ending.FAIL, Ending.LOST, Ending.CANCEL))

        def tell() -> None:
            world.note(FaultKind.LATE_END)
            world.inbox.append(StageEnded(stage, attempt, told, world.wall(), "late"))

        world.clock.schedule(world.random.choice((0.0, 0.0, 0.25, 1.0)), tell)

    def _hear_stop(self, body: Body) -> None:
        """The word that it stops may be overtaken by its end."""
        self._world.inbox.append(StopHeard(body.stage, body.attempt, self._world.wall()))

    def _delay_s(self) -> float:
        return self._world.random.choice((0.0, 0.0, 0.0, 0.05))
