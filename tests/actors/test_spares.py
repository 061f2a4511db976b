"""Processes that wait for the next death: how many, who gets them, and what becomes of them."""

from __future__ import annotations

import asyncio
from concurrent.futures import Future

import pytest

from stageflow_actors import Pipeline, RayRuntime, Settings
from stageflow_actors.actors import spares as spares_module
from stageflow_actors.actors.spares import Spares
from tests.actors.process_stages import tell_pid
from tests.actors.watching import described


class Answer:
    def __init__(self, life):
        self._life = life

    def future(self):
        return self._life


class Spare:
    """An actor that starts, or fails to, when the test says so."""

    def __init__(self):
        self.greeting = asyncio.get_running_loop().create_future()
        self.life = Future()
        self.hello = self.live = self
        self._asked = 0

    def remote(self):
        self._asked += 1
        return self.greeting if self._asked == 1 else Answer(self.life)


class Scene:
    def __init__(self, most, monkeypatch):
        self.hired, self.killed = [], []
        monkeypatch.setattr(spares_module.ray, "kill", self.killed.append)
        self.spares = Spares(self._hire, most)

    def _hire(self):
        self.hired.append(Spare())
        return self.hired[-1]

    async def start(self, number, error=None):
        greeting = self.hired[number].greeting
        greeting.set_exception(error) if error else greeting.set_result(None)
        await turns()


async def turns():
    for _turn in range(5):
        await asyncio.sleep(0)


@pytest.fixture
def scene(monkeypatch):
    return lambda most: Scene(most, monkeypatch)


async def test_there_are_none_before_they_are_asked_for(scene):
    it = scene(2)
    assert it.spares.take() is None
    await turns()
    assert it.hired == []


async def test_two_start_at_a_time_until_there_are_enough(scene):
    it = scene(4)
    it.spares.fill()
    it.spares.fill()
    await turns()
    assert (len(it.hired), it.spares.ready) == (2, 0)
    await it.start(1)
    assert (len(it.hired), it.spares.ready) == (3, 1)
    await it.start(0)
    await it.start(2)
    await it.start(3)
    it.spares.fill()
    await turns()
    assert (len(it.hired), it.spares.ready) == (4, 4)
    assert {it.spares.take() for _ in range(5)} == {*it.hired, None}


async def test_each_is_given_once_and_its_place_is_filled_when_asked(scene):
    it = scene(1)
    it.spares.fill()
    await turns()
    await it.start(0)
    assert it.spares.take() is it.hired[0]
    assert it.spares.take() is None
    it.spares.fill()
    await turns()
    assert len(it.hired) == 2


async def test_where_none_is_ready_one_that_is_on_its_way_is_given_once(scene):
    it = scene(2)
    it.spares.fill()
    await turns()
    await it.start(0)
    assert [it.spares.take() for _ in range(3)] == [*it.hired, None]
    await it.start(1)
    assert (it.spares.ready, len(it.hired)) == (0, 4)
    it.spares.stop()
    await it.start(2)
    await it.start(3)
    assert it.killed == it.hired[2:]


async def test_those_that_were_given_while_they_started_still_count_as_starting(scene):
    it = scene(2)
    it.spares.fill()
    await turns()
    assert [it.spares.take() for _ in range(3)] == [*it.hired, None]
    it.spares.fill()
    await turns()
    assert len(it.hired) == 2
    await it.start(0)
    assert len(it.hired) == 3


async def test_one_that_was_given_and_could_not_start_is_not_given_again(scene):
    it = scene(1)
    it.spares.fill()
    await turns()
    assert it.spares.take() is it.hired[0]
    await it.start(0, error=ConnectionError("no room"))
    assert it.spares.take() is None


async def test_with_none_allowed_there_are_none(scene):
    it = scene(0)
    it.spares.fill()
    await turns()
    assert it.hired == []


async def test_one_that_could_not_start_is_asked_for_again(scene):
    it = scene(1)
    it.spares.fill()
    await turns()
    await it.start(0, error=ConnectionError("no room"))
    assert it.spares.take() is None
    it.spares.fill()
    await turns()
    await it.start(1)
    assert it.spares.take() is it.hired[1]


async def test_one_that_died_while_it_waited_is_not_given(scene):
    it = scene(1)
    it.spares.fill()
    await turns()
    await it.start(0)
    it.hired[0].life.set_exception(ConnectionError("it died"))
    await turns()
    assert it.spares.take() is None


async def test_the_death_of_one_that_was_given_is_none_of_its_business(scene):
    it = scene(2)
    it.spares.fill()
    await turns()
    await it.start(0)
    await it.start(1)
    given = it.spares.take()
    given.life.set_exception(ConnectionError("it died"))
    await turns()
    assert it.spares.take() is it.hired[1]


async def test_stopping_ends_those_that_wait_and_those_that_come_too_late(scene):
    it = scene(3)
    it.spares.fill()
    await turns()
    await it.start(0)
    await it.start(1)
    given = it.spares.take()
    it.spares.stop()
    assert it.killed == [it.hired[1]]
    await it.start(2)  # it was on its way
    assert it.killed == [it.hired[1], it.hired[2]]
    it.spares.fill()
    await turns()
    assert len(it.hired) == 3
    assert given not in it.killed
    assert it.spares.take() is None


@pytest.mark.ray
@pytest.mark.usefixtures("ray_session")
async def test_a_deployment_may_have_them_from_the_start():
    pipeline = Pipeline("one").with_stage("a", tell_pid, "work", effects="none")
    settings = Settings(spare_processes=2, spares_at_start=True)
    async with RayRuntime(settings=settings).deploy(pipeline) as app:
        told = await described(app, lambda told: told["restarts"]["spares"] == 2)
        assert told["restarts"]["deaths"] == []
