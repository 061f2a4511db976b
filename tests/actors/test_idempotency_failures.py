"""``IdempotencyDesk``: stores that fail and callers that are cancelled hang nobody."""

from __future__ import annotations

import asyncio

import pytest

from stageflow_actors import RuntimeFault
from stageflow_actors.actors.idempotency import IdempotencyDesk
from stageflow_actors.errors import IdempotencyParamMismatch
from stageflow_actors.model.claims import Claim, ClaimState
from tests.actors.desks import (
    ANSWER,
    LONG_S,
    CountingStore,
    admitted,
    admitting,
    held,
    is_free,
    ticket_of,
    turns,
)


@pytest.fixture
def store():
    return CountingStore()


@pytest.fixture
def desk(store):
    return IdempotencyDesk(store, LONG_S)


# --- stores that fail -----------------------------------------------------------------------------


async def fault_of(call):
    with pytest.raises(RuntimeFault, match="OSError: disk full") as raised:
        await admitted(call)
    assert isinstance(raised.value.__cause__, OSError)
    return raised.value


async def test_a_claim_that_fails_fails_all_who_wait_and_executes_nothing(desk, store):
    store.broken.add("claim")
    waiting = [admitting(desk) for _ in range(10)]
    faults = [await fault_of(task) for task in waiting]
    assert {fault.code for fault in faults} == {"IDEMPOTENCY-STORE"}
    assert all("not executed" in fault.hint for fault in faults)
    assert len({id(fault) for fault in faults}) == 10  # each has a traceback of its own
    assert store.calls == {"claim": 1}
    store.broken.clear()
    await (await ticket_of(desk)).release()


async def test_a_wait_that_fails_fails_all_who_wait(desk, store):
    store.broken.add("changed")
    await store.claim("k", "p", "another", LONG_S)
    for task in [admitting(desk) for _ in range(3)]:
        assert (await fault_of(task)).code == "IDEMPOTENCY-STORE"
    assert held(desk) == []


async def test_an_answer_that_cannot_be_kept_fails_its_owner_and_hangs_nobody(desk, store):
    ticket = await ticket_of(desk)
    waiting = admitting(desk)
    await turns()
    store.broken |= {"complete", "changed"}
    fault = await fault_of(ticket.complete("yes", LONG_S))
    assert fault.code == "IDEMPOTENCY-STORE"
    assert "was executed" in fault.hint
    assert (await fault_of(waiting)).code == "IDEMPOTENCY-STORE"
    assert held(desk) == []


async def test_a_key_that_cannot_be_freed_fails_its_owner_and_hangs_nobody(desk, store):
    ticket = await ticket_of(desk)
    store.broken |= {"release", "changed"}
    assert (await fault_of(ticket.release())).code == "IDEMPOTENCY-STORE"
    assert (await fault_of(desk.admit("k", "p"))).code == "IDEMPOTENCY-STORE"


async def test_a_store_that_answers_without_an_answer_fails_the_caller(desk, store, monkeypatch):
    async def claim(*args):
        return Claim(ClaimState.ANSWERED, None, "p")

    monkeypatch.setattr(store, "claim", claim)
    with pytest.raises(RuntimeFault, match="IDEMPOTENCY-STORE"):
        await admitted(desk.admit("k", "p"))


# --- those who are cancelled while they wait ------------------------------------------------------


async def test_a_waiter_that_is_cancelled_costs_the_others_nothing(desk, store):
    ticket = await ticket_of(desk)
    waiting = [admitting(desk) for _ in range(3)]
    await turns()
    waiting[0].cancel()
    await ticket.complete("yes", LONG_S)
    assert [await admitted(task) for task in waiting[1:]] == [ANSWER, ANSWER]
    assert waiting[0].cancelled()


async def test_nobody_asks_any_more_when_all_were_cancelled(desk, store):
    await store.claim("k", "p", "another", LONG_S)
    waiting = [admitting(desk) for _ in range(3)]
    await turns()
    for task in waiting:
        task.cancel()
    await turns()
    assert held(desk) == []
    assert store._watch._waiting == {}


async def test_a_key_that_was_claimed_for_a_cancelled_one_is_free(desk, store):
    gate = store.close_gate("claim")
    cancelled = admitting(desk)
    await turns()
    cancelled.cancel()
    gate.set()
    await turns()
    assert cancelled.cancelled() and held(desk) == []
    assert await is_free(store)


async def test_a_key_that_was_claimed_for_a_cancelled_one_goes_to_the_next(desk, store):
    gate = store.close_gate("claim")
    cancelled, other, equal = admitting(desk), admitting(desk, "q"), admitting(desk)
    await turns()
    cancelled.cancel()
    gate.set()
    await (await admitted(equal)).ticket.release()
    with pytest.raises(IdempotencyParamMismatch):
        await admitted(other)


async def test_the_parameters_of_a_cancelled_one_count_for_nobody(desk, store):
    gate = store.close_gate("claim")
    cancelled, other = admitting(desk, "p"), admitting(desk, "q")
    await turns()
    cancelled.cancel()
    gate.set()
    assert (await admitted(other)).ticket.params == "q"


@pytest.mark.parametrize("is_given", [True, False])
async def test_a_ticket_that_comes_with_the_cancel_goes_back(is_given):
    class CancelsWhomItAdmits(CountingStore):
        async def claim(self, *args):
            claim = await super().claim(*args)
            if is_given:  # cancelled once it has the ticket, and before it has seen it
                asyncio.get_running_loop().call_soon(cancelled.cancel)
            else:  # cancelled just before, and not aware of it yet
                cancelled.cancel()
            return claim

    store = CancelsWhomItAdmits()
    desk = IdempotencyDesk(store, LONG_S)
    cancelled = admitting(desk)
    await asyncio.wait([cancelled])
    await turns()
    assert cancelled.cancelled()
    assert desk.statistics.executed == is_given
    assert store.calls["release"] == 1
    assert held(desk) == []
    assert await is_free(store)
