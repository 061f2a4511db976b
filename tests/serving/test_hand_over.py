"""What becomes of runs when one desk hands them over to the next."""

from __future__ import annotations

import asyncio
import json

import pytest

from stageflow_actors.serving import ServingSettings
from stageflow_actors.serving.faults import Fault, ProblemError
from stageflow_actors.serving.run_desk import RunDesk
from stageflow_actors.serving.tape import ENDED
from tests.serving.desks import TENANT, Gate, Late, desk_of, order, reading, rest

FEW = ServingSettings(max_kept_runs=3, drain_s=0.05)


@pytest.fixture
async def gate():
    return Gate()


@pytest.fixture
async def heir(gate):
    async with desk_of(gate, FEW) as desk:
        yield desk


async def left_by(gate, *orders, settings=FEW):
    """What a desk hands over that has had those runs."""
    async with desk_of(gate, settings) as desk:
        shown = [await desk.run(each, 0.0 if each.is_watched else None) for each in orders]
    return shown, await desk.kept()


async def test_who_reads_a_run_that_has_just_ended_reads_on_when_a_full_book_is_inherited(
    gate, heir
):
    _, runs = await left_by(gate, *[order()] * 3)
    shown = await heir.run(order(), None)
    first = await heir.read(reading(shown, max_bytes=1))
    heir.take(runs)
    following = await rest(heir, shown, first.after)
    assert [number for number, _type in following] == [*range(2, following[-1][0] + 1)]
    assert following[-1][1] == ENDED


async def test_of_inherited_runs_the_last_that_ended_are_kept(gate, heir):
    told, runs = await left_by(gate, *[order()] * 3)
    own = await heir.run(order(), None)
    heir.take(runs)
    with pytest.raises(ProblemError) as gone:
        await heir.look(str(told[0].run_id), TENANT)
    assert gone.value.fault is Fault.RUN_EXPIRED
    for each in (*told[1:], own):
        assert await heir.look(str(each.run_id), TENANT) == each


async def test_a_run_is_kept_no_longer_for_being_handed_over(gate, heir):
    (told,), runs = await left_by(gate, order())
    heir.take([each._replace(age_s=FEW.kept_s) for each in runs])
    with pytest.raises(ProblemError) as gone:
        await heir.look(str(told.run_id), TENANT)
    assert gone.value.fault is Fault.RUN_EXPIRED


async def test_a_run_that_is_cancelled_at_the_end_is_handed_over_and_its_readers_go_on(gate, heir):
    async with desk_of(gate, FEW) as desk:
        shown = await desk.run(order("waits", is_watched=True), 0.0)
        found = await desk.read(reading(shown, wait_s=30.0))
    heir.take(await desk.kept())
    following = await rest(heir, shown, found.after)
    whole = await rest(heir, shown)
    assert [number for number, _type in whole] == [*range(1, len(whole) + 1)]
    assert following == whole[found.after :]
    state = json.loads((await heir.look(str(shown.run_id), TENANT)).document)["state"]
    assert state == "cancelled"


async def test_runs_whose_last_events_are_on_their_way_are_waited_for(gate, heir):
    may, settings = asyncio.Event(), FEW.model_copy(update={"drain_s": 30.0})
    async with desk_of(gate, settings) as behind:
        desk = RunDesk("gated", gate.pipeline(), Late(behind._deployment, may), settings)
        shown = await desk.run(order(), 0.0)
        handing = asyncio.ensure_future(desk.kept())
        await behind.run(order(), None)  # it takes as long as the other one
        assert not handing.done()
        may.set()
        heir.take(await handing)
    assert (await rest(heir, shown))[-1][1] == ENDED


async def test_a_key_goes_on_to_stand_for_its_run_and_no_other(gate, heir):
    (told,), runs = await left_by(gate, order(key="k"))
    heir.take(runs)
    assert await heir.run(order(key="k"), None) == told
    assert len(gate.executions) == 1


async def test_a_key_that_both_have_stands_for_the_run_of_the_heir_as_long_as_that_is_kept(
    gate, heir
):
    _, runs = await left_by(gate, order(key="k"))
    own = await heir.run(order(key="k"), None)
    heir.take(runs)
    await heir.run(order(), None)
    await heir.run(order(), None)  # there is no more room for what was inherited
    assert await heir.run(order(key="k"), None) == own
    keys = {each.run_id: each.key for each in await heir.kept()}
    assert keys[own.run_id] == order(key="k").key
    assert len(gate.executions) == 4


async def test_what_is_handed_over_twice_is_there_once(gate, heir):
    told, runs = await left_by(gate, order(key="k"), order())
    heir.take(runs)
    heir.take(runs)
    assert heir.stats().kept.runs == 2
    assert await heir.run(order(key="k"), None) == told[0]
