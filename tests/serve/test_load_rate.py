"""More runs than a tenant may start: it gets its share, and others feel little of it."""

from __future__ import annotations

import asyncio
import time
from typing import NamedTuple

import pytest

from tests.serve.door import SOON, Door
from tests.serve.inside import counts
from tests.serve.wire import Answer, Wire

pytestmark = pytest.mark.ray

CAP = 20
OFFERED = 200
CALM = 10
CONNECTIONS = 100
RECOVERY_S = 5.0
SETTINGS = SOON.model_copy(
    update={"max_runs_per_s_per_tenant": CAP, "max_live_runs_per_tenant": 1_000}
)
RUNS = "/v1/pipelines/counting/runs"


class Taken(NamedTuple):
    """An answer, when it was asked for and how long it took, in seconds."""

    answer: Answer
    asked: float
    took: float


@pytest.fixture(scope="module")
def capped(serve_session):
    served = Door(serve_session, "capped")
    served.deploy(pipelines={"counting": "tests.serve.load_flows:counting"}, settings=SETTINGS)
    yield served
    served.delete()


async def steadily(door: Door, per_s: float, seconds: float, token: str = "ada") -> list[Taken]:
    """The answers to one request after the other, never more than so many in a second."""
    taken: list[Taken] = []
    wire, clock = Wire(door.url, token), time.monotonic
    began = clock()
    while clock() < began + seconds:
        taken.append(await timed(wire, began))
        await asyncio.sleep(1 / per_s)
    wire.drop()
    return taken


async def at_once(door: Door, per_s: float, seconds: float) -> list[Taken]:
    """The answers to that many requests, each made when it is due, whatever became of others.

    Where so many are not answered that all connections are taken, the next ones wait.
    """
    idle: asyncio.LifoQueue[Wire] = asyncio.LifoQueue()
    for _ in range(CONNECTIONS):
        idle.put_nowait(Wire(door.url))
    began = time.monotonic()

    async def one() -> Taken:
        wire = await idle.get()
        try:
            return await timed(wire, began)
        finally:
            idle.put_nowait(wire)

    asking = []
    for number in range(int(per_s * seconds)):
        await asyncio.sleep(began + number / per_s - time.monotonic())
        asking.append(asyncio.create_task(one()))
    taken = await asyncio.gather(*asking)
    while not idle.empty():
        idle.get_nowait().drop()
    return taken


async def timed(wire: Wire, since: float) -> Taken:
    asked = time.monotonic()
    answer = await wire.post(RUNS, {})
    return Taken(answer, asked - since, time.monotonic() - asked)


def admitted(taken: list[Taken]) -> list[Taken]:
    return [each for each in taken if each.answer.status == 200]


def percentile_99(taken: list[Taken]) -> float:
    """In milliseconds."""
    took = sorted(each.took for each in taken)
    return took[int(0.99 * (len(took) - 1))] * 1_000


def check_refusal(answer: Answer) -> None:
    assert (answer.status, answer.json()["code"]) == (429, "SERVE-TOO-FAST")
    assert answer.headers["content-type"] == "application/problem+json"
    assert int(answer.headers["retry-after"]) >= 1


@counts
async def test_a_tenant_gets_its_share_whatever_it_offers(capped, is_full, capsys):
    calm_s, storm_s, recovery_s = (15, 60, RECOVERY_S) if is_full else (0.5, 2, 0.5)
    await steadily(capped, CALM, 0.5)  # what is made once is there
    calm = await steadily(capped, CALM, calm_s)
    storm, beside = await asyncio.gather(
        at_once(capped, OFFERED, storm_s), steadily(capped, CALM, storm_s, "eve")
    )
    after = await steadily(capped, CALM, 2 * recovery_s)
    later = [each for each in after if each.asked >= recovery_s]  # before, the storm has had all
    assert later
    runs = admitted(storm)
    lasted = max(each.asked + each.took for each in storm)
    if is_full:
        told = {"calm": calm, "storm": runs, "another tenant": beside, "after 5 s": later}
        figures = ", ".join(f"{name} {percentile_99(each):.0f} ms" for name, each in told.items())
        with capsys.disabled():
            print(f"\n{len(runs)} of {len(storm)} admitted in {lasted:.0f} s; P99: {figures}")
    refused = [each.answer for each in storm if each.answer.status != 200]
    for answer in refused:
        check_refusal(answer)
    assert {each.answer.json()["state"] for each in runs} == {"ok"}
    assert 0.8 * CAP * storm_s <= len(runs) <= CAP * (lasted + 1) + 1
    assert len(refused) > len(storm) / 2
    for each in (*calm, *beside, *later):
        assert each.answer.status == 200, each
