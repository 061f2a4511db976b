"""Every ``IdempotencyStore``, for the promises that all of them keep; and the bounds of memory."""

from __future__ import annotations

import asyncio
import threading

import pytest

from stageflow_actors import RuntimeFault
from stageflow_actors.adapters.idempotency.memory import InMemoryIdempotencyStore, MemoryStatistics
from stageflow_actors.adapters.idempotency.sqlite import SQLiteIdempotencyStore
from stageflow_actors.model.claims import Claim, ClaimState

OWNED, PENDING, ANSWERED = ClaimState.OWNED, ClaimState.PENDING, ClaimState.ANSWERED
NEVER_S = 3_600.0


class Clock:
    """Stands still until it is moved."""

    def __init__(self):
        self.now = 1_000_000.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture(params=["memory", "sqlite"])
async def make(request, tmp_path):
    """A function that opens a store; it polls, where it has to, about never."""
    opened = []

    def make(**options):
        if request.param == "memory":
            options.pop("poll_interval_s", None)
            store = InMemoryIdempotencyStore(**options)
        else:
            options = {"synchronous": "OFF", "poll_interval_s": NEVER_S, **options}
            store = SQLiteIdempotencyStore(tmp_path / "claims.db", **options)
        opened.append(store)
        return store

    yield make
    for store in opened:
        await store.close()


@pytest.fixture
def store(make, clock):
    return make(clock=clock)


async def claimed(store, owner, key="k", params="p"):
    return await store.claim(key, params, owner, 10.0)


async def soon(awaitable):
    return await asyncio.wait_for(awaitable, 60)


async def is_waiting(store, task):
    """Whether ``task`` still waits, after it had every chance to look at the store."""
    for _ in range(10):
        await store.renew("other", "nobody", 1.0)
        await asyncio.sleep(0)
    return not task.done()


async def test_a_key_has_one_owner_at_a_time(store):
    assert await claimed(store, "a") == Claim(OWNED, None, "p")
    assert await claimed(store, "b", params="q") == Claim(PENDING, None, "p")
    assert await claimed(store, "a") == Claim(PENDING, None, "p")
    assert await claimed(store, "b", key="l") == Claim(OWNED, None, "p")


async def test_of_many_claims_at_once_one_owns_the_key(store):
    claims = await asyncio.gather(*(claimed(store, f"o{n}") for n in range(100)))
    assert sorted(claim.state for claim in claims) == [OWNED] + [PENDING] * 99


async def test_an_answer_is_there_for_everybody_with_the_first_parameters(store):
    await claimed(store, "a")
    assert await store.complete("k", "a", "yes", 10.0)
    assert await claimed(store, "a") == Claim(ANSWERED, "yes", "p")
    assert await claimed(store, "b", params="q") == Claim(ANSWERED, "yes", "p")


async def test_an_answer_that_has_expired_leaves_a_free_key(store, clock):
    await claimed(store, "a")
    await store.complete("k", "a", "yes", 10.0)
    clock.now += 9.9
    assert (await claimed(store, "b")).state is ANSWERED
    clock.now += 0.1
    assert await claimed(store, "b", params="q") == Claim(OWNED, None, "q")
    assert await claimed(store, "c") == Claim(PENDING, None, "q")


async def test_a_key_is_free_again_when_the_lease_of_its_owner_has_run_out(store, clock):
    await claimed(store, "dead")
    clock.now += 9.9
    assert (await claimed(store, "b")).state is PENDING
    clock.now += 0.1
    assert await claimed(store, "b", params="q") == Claim(OWNED, None, "q")


async def test_an_owner_that_comes_late_changes_nothing(store, clock):
    await claimed(store, "late")
    clock.now += 10
    await claimed(store, "b")
    assert not await store.renew("k", "late", 10.0)
    assert not await store.complete("k", "late", "late", 10.0)
    await store.release("k", "late")
    assert (await claimed(store, "c")).state is PENDING
    assert await store.complete("k", "b", "in time", 10.0)
    assert not await store.complete("k", "late", "late", 10.0)
    assert (await claimed(store, "c")).answer == "in time"


async def test_a_late_owner_keeps_a_key_that_nobody_else_wants(store, clock):
    await claimed(store, "late")
    await claimed(store, "later", key="l")
    clock.now += 60
    await claimed(store, "c", key="another")
    assert await store.renew("k", "late", 10.0)
    assert (await claimed(store, "b")).state is PENDING
    assert await store.complete("l", "later", "yes", 10.0)
    assert (await claimed(store, "b", key="l")).answer == "yes"


async def test_a_lease_that_is_renewed_runs_from_then_on(store, clock):
    await claimed(store, "a")
    clock.now += 9
    assert await store.renew("k", "a", 10.0)
    clock.now += 9
    assert (await claimed(store, "b")).state is PENDING
    clock.now += 1
    assert (await claimed(store, "b")).state is OWNED


async def test_a_key_that_was_released_is_free(store):
    await claimed(store, "a")
    await store.release("k", "b")
    assert (await claimed(store, "b")).state is PENDING
    await store.release("k", "a")
    assert await claimed(store, "b", params="q") == Claim(OWNED, None, "q")


async def test_an_answer_stays_whatever_its_owner_does_next(store):
    await claimed(store, "a")
    await store.complete("k", "a", "first", 10.0)
    await store.release("k", "a")
    assert not await store.complete("k", "a", "second", 10.0)
    assert not await store.renew("k", "a", 10.0)
    assert (await claimed(store, "b")).answer == "first"


async def test_nothing_is_kept_for_a_key_that_nobody_owns(store):
    assert not await store.renew("k", "a", 10.0)
    assert not await store.complete("k", "a", "yes", 10.0)
    await store.release("k", "a")
    assert (await claimed(store, "b")).state is OWNED


@pytest.mark.parametrize("text", ["", "\ud800", "\ud83d\ude00", "a\0b", "ü" * 10_000])
async def test_any_text_will_do(store, text):
    await claimed(store, text, key=text, params=text)
    assert await store.renew(text, text, 10.0)
    assert await claimed(store, "b", key=text) == Claim(PENDING, None, text)
    assert await store.complete(text, text, text, 10.0)
    assert await claimed(store, "b", key=text) == Claim(ANSWERED, text, text)
    assert (await claimed(store, "b", key=f"{text}!")).state is OWNED


@pytest.mark.parametrize("end", ["complete", "release"])
async def test_those_who_wait_for_a_key_hear_of_its_end(store, end):
    await claimed(store, "a")
    waiting = [asyncio.ensure_future(store.changed("k")) for _ in range(3)]
    assert await is_waiting(store, waiting[0])
    await claimed(store, "a", key="l")
    await store.release("l", "a")
    assert await is_waiting(store, waiting[0])
    await (store.complete("k", "a", "", 10.0) if end == "complete" else store.release("k", "a"))
    await soon(asyncio.gather(*waiting))


async def test_a_key_that_is_not_pending_is_not_waited_for(store, clock):
    await soon(store.changed("free"))
    await claimed(store, "a")
    await store.complete("k", "a", "yes", 10.0)
    await soon(store.changed("k"))
    await claimed(store, "dead", key="l")
    clock.now += 10
    await soon(store.changed("l"))


async def test_those_who_wait_see_the_end_of_a_lease(make):
    store = make(poll_interval_s=0.01)
    await store.claim("k", "p", "dead", 0.05)
    await soon(store.changed("k"))
    assert (await claimed(store, "b")).state is OWNED


async def test_a_key_that_changes_on_one_loop_wakes_those_on_another(store):
    await claimed(store, "a")
    is_there, seen = threading.Event(), []

    async def wait():
        changed = asyncio.ensure_future(store.changed("k"))
        assert await is_waiting(store, changed)
        is_there.set()
        await soon(changed)
        seen.append(await claimed(store, "b"))

    thread = threading.Thread(target=lambda: asyncio.run(wait()))
    thread.start()
    await asyncio.to_thread(is_there.wait, 60)
    await store.complete("k", "a", "yes", 10.0)
    await asyncio.to_thread(thread.join, 60)
    assert seen == [Claim(ANSWERED, "yes", "p")]


async def test_a_waiter_that_is_cancelled_leaves_nothing_behind(store):
    await claimed(store, "a")
    waiting = asyncio.ensure_future(store.changed("k"))
    assert await is_waiting(store, waiting)
    waiting.cancel()
    await asyncio.wait([waiting])
    assert store._watch._waiting == {}


async def test_a_closed_store_refuses_everything(store):
    await claimed(store, "a")
    waiting = asyncio.ensure_future(store.changed("k"))
    assert await is_waiting(store, waiting)
    await store.close()
    await store.close()
    for call in (
        waiting,
        claimed(store, "b"),
        store.renew("k", "a", 1.0),
        store.complete("k", "a", "", 1.0),
        store.release("k", "a"),
        store.changed("k"),
    ):
        with pytest.raises(RuntimeFault, match=r"was closed.*IDEMPOTENCY-STORE"):
            await soon(call)


# --- memory only ----------------------------------------------------------------------------------


async def answered(store, key, ttl_s=10.0):
    await claimed(store, "a", key=key)
    await store.complete(key, "a", f"{key}!", ttl_s)


async def test_the_oldest_answers_leave_a_full_memory_and_are_counted():
    store = InMemoryIdempotencyStore(max_answers=3)
    await claimed(store, "a", key="pending")
    for key in "vwxyz":
        await answered(store, key)
    assert store.statistics == MemoryStatistics(pending=1, answers=3, evicted=2)
    states = [(await claimed(store, "b", key=key)).state for key in "zyxwv"]
    assert states == [ANSWERED] * 3 + [OWNED] * 2
    assert await store.complete("pending", "a", "yes", 10.0)


async def test_keys_that_are_worked_on_never_leave_the_memory():
    store = InMemoryIdempotencyStore(max_answers=1)
    for number in range(50):
        await claimed(store, "a", key=str(number))
    for number in range(50):
        assert await store.complete(str(number), "a", "yes", 10.0)
    assert store.statistics == MemoryStatistics(pending=0, answers=1, evicted=49)


async def test_what_is_outdated_leaves_the_memory_uncounted(clock):
    store = InMemoryIdempotencyStore(clock=clock)
    for number in range(50):
        await answered(store, str(number))
        await claimed(store, "dead", key=f"dead {number}")
    clock.now += 10_000
    await claimed(store, "b")
    assert store.statistics == MemoryStatistics(pending=1, answers=0, evicted=0)


def test_a_memory_without_room_is_refused():
    with pytest.raises(ValueError, match="max_answers must be 1 or more"):
        InMemoryIdempotencyStore(max_answers=0)
