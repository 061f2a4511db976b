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
RECOVERY_S = 5.0
SETTINGS = SOON.model_copy(
    update={"max_runs_per_s_per_tenant": CAP, "max_live_runs_per_tenant": 1_000}
)
RUNS = "/v1/pipelines/counting/runs"


class Taken(NamedTuple):
    """An answer, when it was asked for, and how long it took, in seconds."""

    answer: Answer
    due: float
    took: float


@pytest.fixture(scope="module")
def capped(serve_session):
    served = Door(serve_session, "capped")
    served.deploy(pipelines={"counting": "tests.serve.load_flows:counting"}, settings=SETTINGS)
    yield served
    served.delete()


async def offered(door: Door, per_s: float, seconds: float, token: str = "ada") -> list[Taken]:
    """The answers to that many requests, each made when it is due, whatever became of others."""
    idle: list[Wire] = []
    clock = time.monotonic
    began = clock()

    async def one(number: int) -> Taken:
        due = began + number / per_s
        await asyncio.sleep(due - clock())
        wire = idle.pop() if idle else Wire(door.url, token)
        answer = await wire.post(RUNS, {})
        idle.append(wire)
        return Taken(answer, due - began, clock() - due)

    taken = await asyncio.gather(*map(one, range(int(per_s * seconds))))
    for wire in idle:
        wire.drop()
    return taken


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
    calm_s, storm_s = (15, 60) if is_full else (0.5, 2)
    await offered(capped, CALM, 0.5)  # connections and processes are there
    calm = await offered(capped, CALM, calm_s)
    storm, beside = await asyncio.gather(
        offered(capped, OFFERED, storm_s), offered(capped, CALM / 2, storm_s, "eve")
    )
    after = await offered(capped, CALM, 2 * RECOVERY_S if is_full else 0.5)
    later = [each for each in after if each.due >= RECOVERY_S] if is_full else after
    runs = admitted(storm)
    lasted = max(each.due + each.took for each in storm)
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
