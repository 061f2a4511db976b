"""The timers of one run, on one timer of whatever event loop there is."""

from __future__ import annotations

import asyncio

import pytest

from stageflow_actors.actors.alarms import Alarms
from stageflow_actors.engine.facts import Timer, TimerKind

uvloop = pytest.importorskip("uvloop")  # what Ray's actors have where Serve is installed


def timer(attempt):
    return Timer(TimerKind.ATTEMPT, 0, attempt)


@pytest.mark.parametrize("loop_of", [asyncio.new_event_loop, uvloop.new_event_loop])
def test_timers_that_are_due_at_once_fire_among_others_in_their_order(loop_of):
    async def fired():
        told, done = [], asyncio.Event()

        def fire(which):
            told.append(which.attempt)
            if len(told) == 4:
                done.set()

        alarms = Alarms(asyncio.get_running_loop(), fire)
        for attempt, seconds in ((3, 0.02), (1, -1.0), (2, 0.0), (9, 0.005), (4, 0.03)):
            alarms.arm(timer(attempt), seconds)
        alarms.disarm(timer(9))
        await done.wait()
        return told

    with asyncio.Runner(loop_factory=loop_of) as runner:
        assert runner.run(fired()) == [1, 2, 3, 4]
