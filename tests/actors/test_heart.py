"""A heart that is asked, and who is told that it does not beat."""

from __future__ import annotations

import asyncio
import threading
import time
from concurrent.futures import Future

from stageflow_actors import Settings
from stageflow_actors.actors.heartbeat import Heart

QUICK = Settings(heartbeat_interval_s=0.02, heartbeat_timeout_s=0.1)


class Beats:
    """Calls that are answered when the test says so."""

    def __init__(self):
        self.asked = asyncio.Event()
        self.last = None

    def __call__(self):
        self.last = Future()
        self.asked.set()
        return self

    def future(self):
        return self.last


async def test_one_that_does_not_answer_in_time_is_missed():
    missed = asyncio.Event()
    Heart(Beats(), lambda: True, missed.set, QUICK).start()
    await missed.wait()


async def test_an_answer_that_is_late_because_nobody_listened_is_not_missed():
    """Whoever asks has blocked its own event loop meanwhile."""
    beats, missed = Beats(), []
    heart = Heart(beats, lambda: True, lambda: missed.append("it"), QUICK)
    heart.start()
    await beats.asked.wait()
    beats.asked.clear()
    threading.Timer(0.05, beats.last.set_result, [None]).start()
    time.sleep(0.3)  # longer than the answer may take
    await beats.asked.wait()
    heart.stop()
    assert missed == []


async def test_it_is_asked_only_while_it_works():
    beats, is_working = Beats(), True
    heart = Heart(beats, lambda: is_working, lambda: None, QUICK)
    heart.start()
    await beats.asked.wait()
    is_working = False
    beats.asked.clear()
    beats.last.set_result(None)
    await asyncio.sleep(5 * QUICK.heartbeat_interval_s)
    assert not beats.asked.is_set()
    heart.stop()
