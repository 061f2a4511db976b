"""Under load replicas die and versions change: who is hit is told, and nothing is done twice."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import NamedTuple

import pytest

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


# --- replicas that die ----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def mortal(serve_session):
    served = Door(serve_session, "mortal")
    served.deploy(
        replicas=2,
        pipelines={"counting": "tests.serve.load_flows:counting"},
        settings=SOON.model_copy(update={"max_live_runs_per_tenant": 1_000}),
    )
    yield served
    served.delete()


def has_two(door: Door, without: set[str]) -> bool:
    """Whether two replicas take requests, none of them one of those."""
    from ray import serve

    states = serve.status().applications[door.name].deployments["Door"].replica_states
    is_up = {str(getattr(name, "value", name)): count for name, count in states.items()}
    found = set(door.replicas())
    return is_up == {"RUNNING": 2} and len(found) == 2 and not found & without


async def killed(door: Door) -> tuple[float, float]:
    """When a replica was killed, and when the next one was there."""
    before = set(await asyncio.to_thread(door.replicas))
    began = time.monotonic()
    await asyncio.to_thread(door.kill_replica)
    dead = before - set(await asyncio.to_thread(door.replicas))
    assert len(dead) == 1
    await until(lambda: has_two(door, dead), "the next replica")
    return began, time.monotonic()


@counts
async def test_who_asked_a_replica_that_is_killed_may_ask_again_and_nothing_is_done_twice(
    mortal, is_full, tmp_path, capsys
):
    keys, first, other = iter(range(10**6)), Tally(), Tally()
    runs: dict[str, set[str]] = {}

    async def keyed(wire: Wire) -> None:
        key = f"key-{next(keys)}"
        body, runs[key] = {"input_text": str(tmp_path / key)}, set()
        while not runs[key]:
            answer = await first.ask(wire, COUNTING, body, Idempotency_Key=key)
            if answer is not None:
                runs[key].add(answer.json()["run_id"])

    async def unkeyed(wire: Wire) -> None:
        await other.ask(wire, COUNTING, {})

    async with going_on(mortal.url, [keyed] * KEYED + [unkeyed] * UNKEYED):
        kills = [await killed(mortal) for _ in range(20 if is_full else 2)]
    failures = first.failures + other.failures
    for f in failures:
        print(
            "FAIL",
            [(round(f.began - b, 2), round(f.ended - b, 2)) for b, o in kills],
            str(f.why)[:300],
        )
    print([round(o - b, 1) for b, o in kills], len(first.answers), len(other.answers))
    if is_full:
        with capsys.disabled():
            print(
                f"\n{len(kills)} kills, {len(failures)} of {len(first.answers)} + "
                f"{len(other.answers)} requests failed"
            )
    executed = {file.name: file.read_text() for file in tmp_path.iterdir()}
    assert first.failures, "a kill that hits nobody shows nothing"
    assert executed == {key: "x" for key in runs}
    assert all(len(each) == 1 for each in runs.values())
    assert len(failures) <= (KEYED + UNKEYED) * len(kills)
    for each in failures:
        assert any(each.began < over and began < each.ended for began, over in kills), each
        assert not isinstance(each.why, Answer) or each.why.status >= 500, each
