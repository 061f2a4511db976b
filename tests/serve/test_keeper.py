"""What a keeper does before it takes runs, and when it goes; without Ray around it."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from types import SimpleNamespace

import pytest
from ray.exceptions import ActorDiedError

from stageflow_actors import LocalRuntime, Settings
from stageflow_actors.serving import ServingSettings
from stageflow_actors.serving.replicas import keeper as keepers
from stageflow_actors.serving.replicas.keeper import Keeper
from stageflow_actors.serving.replicas.places import Place
from tests.serving.desks import TENANT, Gate, order, rest

HERE = Place("app", "gated", "here")
LONG_S = 3600.0


class Remote:
    """A method of another actor: answers, or raises."""

    def __init__(self, answer) -> None:
        self.asked = []
        self._answer = answer

    async def remote(self, *arguments):
        self.asked.append(arguments)
        if isinstance(self._answer, Exception):
            raise self._answer
        return self._answer


def heir(born, *, inherits=True):
    return SimpleNamespace(born=Remote(born), inherit=Remote(inherits))


class Beside:
    """The keepers of other versions, and what else a keeper asks Ray."""

    def __init__(self, patching) -> None:
        self.heirs = []
        self.ended = []
        actor = SimpleNamespace(current_actor="this keeper")
        ray = SimpleNamespace(kill=self.ended.append, get_runtime_context=lambda: actor)
        patching.setattr(keepers, "ray", ray)
        patching.setattr(keepers, "begin_logs", lambda: None)
        patching.setattr(
            keepers, "configure_from_environment", lambda _role: SimpleNamespace(shutdown=bool)
        )
        patching.setattr(keepers, "RayRuntime", lambda **_settings: LocalRuntime())
        patching.setattr(keepers, "has_serve", lambda: True)
        patching.setattr(
            keepers,
            "keepers_beside",
            lambda _here: {
                HERE._replace(version=str(number)): each for number, each in enumerate(self.heirs)
            },
        )


@pytest.fixture
def beside(monkeypatch):
    return Beside(monkeypatch)


@pytest.fixture
async def gate():
    return Gate()


@pytest.fixture
async def keeper(beside, gate):
    app = SimpleNamespace(
        settings=ServingSettings(drain_s=0.05),
        runtime=Settings(direct_calls=False),
        served=lambda: {"gated": gate.pipeline()},
        children=lambda: None,
    )
    made = Keeper(app, HERE)
    yield made
    if made._watching is not None:
        made._watching.cancel()
    await made._stack.aclose()


async def ended_runs(keeper):
    """A run that has ended, and what was said of a key."""
    assert await keeper.join("replica") is True
    shown = await keeper._desk.run(order(), None)
    there = HERE._replace(version="there")
    assert await keeper._desk.settle((TENANT, "k"), HERE, there, frozenset()) == there
    return shown, [((TENANT, "k"), there)]


async def test_it_leaves_everything_to_the_oldest_that_takes_it(beside, keeper):
    shown, places = await ended_runs(keeper)
    dying = heir(ActorDiedError())
    going, failing = heir(1.0, inherits=False), heir(2.0, inherits=ActorDiedError())
    oldest, younger = heir(3.0), heir(4.0)
    beside.heirs = [younger, dying, oldest, failing, going]
    await keeper._retire()
    ((runs, told),) = oldest.inherit.asked
    assert [each.run_id for each in runs] == [shown.run_id]
    assert told == places
    assert going.inherit.asked == failing.inherit.asked == [(runs, places)]
    assert dying.inherit.asked == younger.inherit.asked == []
    assert beside.ended == ["this keeper"]


async def test_it_hands_its_runs_over_even_if_its_pipeline_does_not_close_in_order(beside, keeper):
    await ended_runs(keeper)

    async def fail():
        raise RuntimeError("no way to close")

    keeper._stack.push_async_callback(fail)
    beside.heirs = [heir(1.0)]
    await keeper._retire()
    assert len(beside.heirs[0].inherit.asked) == 1
    assert beside.ended == ["this keeper"]


async def test_it_has_what_another_one_left_and_takes_nothing_when_it_goes(keeper):
    shown, _places = await ended_runs(keeper)
    runs = await keeper._desk.behind.kept()
    heir_ = Keeper(keeper._app, HERE._replace(version="heir"))
    there = HERE._replace(version="there")
    assert await heir_.inherit(runs, [((TENANT, "k"), there)]) is True
    assert [type_ for _number, type_ in await rest(heir_._desk, shown)][-1] == "run.ended"
    assert await heir_._desk.settle((TENANT, "k"), HERE, HERE, frozenset()) == there
    heir_._watching.cancel()
    await heir_._stack.aclose()
    heir_._is_retiring = True
    assert await heir_.inherit(runs) is False


async def test_it_takes_no_run_before_replicas_of_other_versions_know_of_it(
    beside, keeper, monkeypatch
):
    beside.heirs = [heir(1.0)]
    monkeypatch.setattr(keepers, "KNOWN_S", LONG_S)
    waited, waiting, may, sleep = [], asyncio.Event(), asyncio.Event(), asyncio.sleep

    async def long_sleep(duration_s):
        if duration_s < LONG_S:
            return await sleep(duration_s)
        waited.append(duration_s)
        waiting.set()
        await may.wait()

    monkeypatch.setattr(asyncio, "sleep", long_sleep)
    joining = asyncio.ensure_future(keeper.join("replica"))
    await waiting.wait()
    assert keeper._desk.behind is None
    may.set()
    assert await joining is True
    assert keeper._desk.is_ready
    assert LONG_S < waited[0] <= 2 * LONG_S


async def test_the_first_of_all_versions_waits_for_nobody(keeper, monkeypatch):
    monkeypatch.setattr(keepers, "KNOWN_S", LONG_S)
    with suppress(TimeoutError):
        async with asyncio.timeout(30.0):
            await keeper.join("replica")
    assert keeper._desk.is_ready
