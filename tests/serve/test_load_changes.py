"""Under load replicas die and versions change: who is hit is told, and nothing is done twice."""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import NamedTuple

import pytest

from stageflow_actors.serving import app
from tests.serve.door import SOON, Door
from tests.serve.inside import counts
from tests.serve.load_flows import TOLD
from tests.serve.wire import EVENTS, Answer, Wire
from tests.serving.live import PATIENCE_S

pytestmark = pytest.mark.ray

COUNTING = "/v1/pipelines/counting/runs"
TELLING = "/v1/pipelines/telling/runs"
PAUSE_S = 0.05
"""Between two requests of a client, so that a new replica finds time to start, too."""
KEYED, UNKEYED = 8, 4
VERSIONS = ("first", "second")
REQUESTS, REDEPLOYS = 5_000, 5


class Failure(NamedTuple):
    """A request that was not answered with a result, and when it was on its way."""

    began: float
    ended: float
    why: object


class Tally:
    """What came of the requests."""

    def __init__(self) -> None:
        self.answers: list[Answer] = []
        self.failures: list[Failure] = []

    async def ask(self, wire: Wire, path: str, body: object, **headers: str) -> Answer | None:
        began = time.monotonic()
        try:
            answer = await wire.post(path, body, **headers)
        except (OSError, EOFError) as error:
            self.failures.append(Failure(began, time.monotonic(), error))
            return None
        if answer.status != 200:
            self.failures.append(Failure(began, time.monotonic(), answer))
            return None
        self.answers.append(answer)
        return answer


@asynccontextmanager
async def going_on(
    url: str, clients: list[Callable[[Wire], Awaitable[None]]]
) -> AsyncIterator[None]:
    """Each client asks again and again, until the end of the block; then once to its end."""
    stopping = asyncio.Event()

    async def go_on(client: Callable[[Wire], Awaitable[None]]) -> None:
        wire = Wire(url)
        while not stopping.is_set():
            await client(wire)
            await asyncio.sleep(PAUSE_S)
        wire.drop()

    tasks = [asyncio.create_task(go_on(client)) for client in clients]
    try:
        yield
    finally:
        stopping.set()
        await asyncio.gather(*tasks)


async def until(condition: Callable[[], object], what: str) -> None:
    """Asks from a thread, so that the clients go on."""
    async with asyncio.timeout(4 * PATIENCE_S):
        while not await asyncio.to_thread(condition):
            await asyncio.sleep(0.05)


async def some_more(tally: Tally, count: int) -> None:
    enough = len(tally.answers) + count
    await until(lambda: len(tally.answers) >= enough, "answers")


# --- replicas that die ----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def mortal(serve_session):
    """Its replicas are looked at often, so that one that is dead is soon replaced."""
    served = Door(serve_session, "mortal")
    with pytest.MonkeyPatch.context() as patching:
        patching.setattr(app, "Door", app.Door.options(health_check_period_s=0.5))
        served.deploy(
            replicas=2,
            pipelines={"counting": "tests.serve.load_flows:counting"},
            settings=SOON.model_copy(update={"max_live_runs_per_tenant": 1_000}),
        )
    yield served
    served.delete()


def are_two(door: Door) -> bool:
    """Whether two replicas take requests, and there is no other."""
    from ray import serve

    states = serve.status().applications[door.name].deployments["Door"].replica_states
    told = {str(getattr(name, "value", name)): count for name, count in states.items()}
    return told == {"RUNNING": 2} and len(door.replicas()) == 2


async def killed(door: Door) -> tuple[float, float]:
    """From when to when one of two replicas was killed."""
    await until(lambda: are_two(door), "the next replica")
    before, began = set(door.replicas()), time.monotonic()
    await asyncio.to_thread(door.kill_replica)
    over, dead = time.monotonic(), before - set(door.replicas())
    assert len(dead) == 1
    return began, over


@counts
async def test_who_asked_a_replica_that_is_killed_may_ask_again_and_nothing_is_done_twice(
    mortal, is_full, tmp_path, capsys
):
    keys, first, other = iter(range(10**6)), Tally(), Tally()
    runs: dict[str, set[str]] = {}

    async def keyed(wire: Wire) -> None:
        key = f"{tmp_path.name}-{next(keys)}"
        body, runs[key] = {"input_text": str(tmp_path / key)}, set()
        while not runs[key]:
            answer = await first.ask(wire, COUNTING, body, Idempotency_Key=key)
            if answer is not None:
                runs[key].add(answer.json()["run_id"])

    async def unkeyed(wire: Wire) -> None:
        await other.ask(wire, COUNTING, {})

    kills = []
    async with going_on(mortal.url, [keyed] * KEYED + [unkeyed] * UNKEYED):
        for _ in range(20 if is_full else 2):
            await some_more(first, 3 * KEYED)  # every replica has some
            kills.append(await killed(mortal))
        await some_more(first, KEYED)
    failures = first.failures + other.failures
    if is_full:
        with capsys.disabled():
            print(
                f"\n{len(kills)} kills: {len(failures)} failed, "
                f"{len(first.answers)} + {len(other.answers)} answered"
            )
    executed = {file.name: file.read_text() for file in tmp_path.iterdir()}
    assert first.failures, "a kill that hits nobody shows nothing"
    assert executed == dict.fromkeys(runs, "x")
    assert all(len(each) == 1 for each in runs.values())
    assert len(failures) <= (KEYED + UNKEYED) * len(kills)
    for each in failures:
        assert any(each.began < dead and began < each.ended for began, dead in kills), each
        assert not isinstance(each.why, Answer) or each.why.status >= 500, each


# --- versions that change -------------------------------------------------------------------------


async def a_version(tally: Tally, wire: Wire) -> str | None:
    """Which one has answered, as a whole."""
    answer = await tally.ask(wire, TELLING, {})
    return answer and answer.json()["result"]["outputs"]["tell"]["data"]["version"]


async def a_streamed_version(tally: Tally, wire: Wire) -> str | None:
    """The same, of a stream."""
    answer = await tally.ask(wire, TELLING, {}, **EVENTS)
    if answer is None:
        return None
    events = answer.events()
    if events[-1]["event"] == "stream.closed":  # to be resumed, which nobody should have to
        now = time.monotonic()
        tally.failures.append(Failure(now, now, events[-1]))
        return None
    assert [int(each["id"]) for each in events] == list(range(1, len(events) + 1))
    assert json.loads(events[-1]["data"])["state"] == "ok"
    said = [json.loads(each["data"])["data"] for each in events if each["event"] == "stream.token"]
    assert len(said) == TOLD
    assert len(set(said)) == 1, said
    return said[0]


@pytest.mark.stress
@pytest.mark.timeout(900)
async def test_no_request_notices_that_versions_change(serve_session, capsys):
    door, tally, seen = Door(serve_session, "rolling"), Tally(), Counter()
    patient = SOON.model_copy(update={"max_live_runs_per_tenant": 1_000, "drain_s": 60.0})

    def deploy(number: int) -> None:
        target = f"tests.serve.load_flows:{VERSIONS[number % 2]}"
        door.deploy(replicas=2, pipelines={"telling": target}, settings=patient)

    async def whole(wire: Wire) -> None:
        seen[await a_version(tally, wire)] += 1

    async def streamed(wire: Wire) -> None:
        seen[await a_streamed_version(tally, wire)] += 1

    deploy(0)
    deployed = 0
    try:
        async with going_on(door.url, [whole] * 6 + [streamed] * 4):
            while deployed < REDEPLOYS or len(tally.answers) < REQUESTS:
                deployed += 1
                await asyncio.to_thread(deploy, deployed)
    finally:
        door.delete()
    with capsys.disabled():
        print(f"\n{deployed} redeploys: {dict(seen)}, {len(tally.failures)} failed")
    assert tally.failures == []
    assert set(seen) == set(VERSIONS)
