"""``IdempotencyDesk``: one execution per key, and equal answers, whatever its owners do."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stageflow_actors import RuntimeFault
from stageflow_actors.actors.idempotency import (
    DeskStatistics,
    Entry,
    IdempotencyDesk,
    scope_key,
)
from stageflow_actors.adapters.idempotency.memory import InMemoryIdempotencyStore
from stageflow_actors.errors import IdempotencyParamMismatch
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


# --- one execution --------------------------------------------------------------------------------


async def test_a_thousand_at_once_are_one_execution_and_equal_answers(desk, store):
    executions = []

    async def request():
        answer, ticket = await desk.admit("k", "p")
        if ticket is None:
            return answer
        executions.append(ticket)
        await turns()
        await ticket.complete("made once", LONG_S)
        return "made once"

    answers = await asyncio.gather(*(request() for _ in range(1_000)))
    assert answers == ["made once"] * 1_000
    assert len(executions) == 1
    assert desk.statistics == DeskStatistics(executed=1, answered=999, waited=999)
    # One who asked, one who asked again for all the others, and nothing in between.
    assert store.calls == {"claim": 2, "complete": 1}
    assert held(desk) == []


async def test_an_answer_from_before_is_given_without_waiting(desk):
    await (await ticket_of(desk)).complete("yes", LONG_S)
    assert await admitted(desk.admit("k", "p")) == ANSWER
    assert desk.statistics == DeskStatistics(executed=1, answered=1, waited=0)


async def test_an_empty_answer_is_an_answer(desk):
    await (await ticket_of(desk)).complete("", LONG_S)
    assert await admitted(desk.admit("k", "p")) == Entry(answer="")


async def test_keys_do_not_wait_for_each_other(desk):
    one, other = await ticket_of(desk, key="k"), await ticket_of(desk, key="l")
    assert (one.key, other.key) == ("k", "l")
    await asyncio.gather(one.release(), other.release())


async def test_one_asks_the_store_for_all_who_wait_for_another_process(store):
    theirs, ours = IdempotencyDesk(store, LONG_S), IdempotencyDesk(store, LONG_S)
    ticket = await ticket_of(theirs)
    waiting = [admitting(ours) for _ in range(100)]
    await turns()
    assert store.calls == {"claim": 2, "changed": 1}
    await ticket.complete("yes", LONG_S)
    assert await admitted(asyncio.gather(*waiting)) == [ANSWER] * 100
    assert store.calls == {"claim": 3, "changed": 1, "complete": 1}
    assert ours.statistics == DeskStatistics(executed=0, answered=100, waited=100)


async def test_an_owner_here_is_waited_for_even_if_its_lease_has_run_out():
    times = [0.0]
    desk = IdempotencyDesk(InMemoryIdempotencyStore(clock=lambda: times[-1]), LONG_S)
    ticket = await ticket_of(desk)
    times.append(2 * LONG_S)  # the event loop was blocked: nothing could be renewed
    waiting = admitting(desk)
    await turns()
    assert not waiting.done()
    await ticket.complete("yes", LONG_S)
    assert await admitted(waiting) == ANSWER


# --- owners that end otherwise --------------------------------------------------------------------


async def test_the_next_one_executes_when_the_owner_has_failed(desk):
    first = await ticket_of(desk)
    waiting = [admitting(desk) for _ in range(3)]
    await turns()
    await first.release()
    done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
    [second] = [task.result().ticket for task in done]
    await turns()
    assert [task.done() for task in waiting] == [False, False]
    await second.complete("yes", LONG_S)
    assert [await admitted(task) for task in waiting] == [ANSWER, ANSWER]
    assert desk.statistics == DeskStatistics(executed=2, answered=2, waited=3)


async def test_the_next_one_executes_when_the_owner_was_cancelled(desk):
    async def work():
        ticket = await ticket_of(desk)
        try:
            await asyncio.Event().wait()
        finally:
            await ticket.release()

    owner = asyncio.ensure_future(work())
    await turns()
    waiting = admitting(desk)
    await turns()
    owner.cancel()
    await (await admitted(waiting)).ticket.complete("yes", LONG_S)
    assert await admitted(desk.admit("k", "p")) == ANSWER
    assert owner.cancelled()


async def test_a_key_is_taken_over_when_the_lease_of_a_dead_owner_has_run_out(desk, store):
    await store.claim("k", "p", "dead", 0.05)
    await (await ticket_of(desk)).complete("yes", LONG_S)
    assert not await store.complete("k", "dead", "late", LONG_S)


async def test_a_store_that_never_wakes_anybody_is_asked_again_after_a_lease(store):
    store.close_gate("changed")
    await store.claim("k", "p", "dead", LONG_S)
    waiting = admitting(IdempotencyDesk(store, 0.01))
    await turns()
    await store.release("k", "dead")
    await (await admitted(waiting)).ticket.release()


async def test_a_lease_is_renewed_until_the_ticket_ends(store):
    desk = IdempotencyDesk(store, 0.03)
    ticket = await ticket_of(desk)
    while store.calls["renew"] < 5:
        await asyncio.sleep(0.005)
    others = admitting(IdempotencyDesk(store, LONG_S))
    await turns()
    assert not others.done()
    await ticket.complete("yes", LONG_S)
    assert await admitted(others) == ANSWER
    assert ticket._renewal.cancelled()


async def test_a_renewal_that_fails_is_tried_again_and_logged_once(store, caplog):
    store.broken.add("renew")
    ticket = await ticket_of(IdempotencyDesk(store, 0.003))
    while store.calls["renew"] < 5:
        await asyncio.sleep(0.001)
    assert len(caplog.records) == 1
    await ticket.complete("yes", LONG_S)


async def test_an_answer_that_comes_after_the_key_was_taken_is_refused(store):
    desk = IdempotencyDesk(store, 0.03)
    late = await ticket_of(desk)
    waiting = admitting(desk)
    await store.release("k", late._owner)  # as if its lease had run out
    await store.claim("k", "p", "another", LONG_S)
    while not late._closed.is_set():
        await asyncio.sleep(0.005)
    await store.complete("k", "another", "yes", LONG_S)
    assert await admitted(waiting) == ANSWER
    with pytest.raises(RuntimeFault, match="another owner") as raised:
        await late.complete("late", LONG_S)
    assert raised.value.code == "IDEMPOTENCY-LEASE"
    assert await admitted(desk.admit("k", "p")) == ANSWER


async def test_a_lost_ticket_is_not_taken_for_the_next_one_of_its_desk(desk, store):
    lost = await ticket_of(desk)
    await store.release("k", lost._owner)
    lost._close()
    current = await ticket_of(desk)
    with pytest.raises(RuntimeFault, match="IDEMPOTENCY-LEASE"):
        await lost.complete("late", LONG_S)
    waiting = admitting(desk)
    await turns()
    assert not waiting.done()
    await current.complete("yes", LONG_S)
    assert await admitted(waiting) == ANSWER


# --- tickets --------------------------------------------------------------------------------------


async def test_of_all_that_ends_a_ticket_the_first_counts(desk, store):
    ticket = await ticket_of(desk)
    await asyncio.gather(
        ticket.complete("first", LONG_S), ticket.complete("second", LONG_S), ticket.release()
    )
    assert await admitted(desk.admit("k", "p")) == Entry(answer="first")
    other = await ticket_of(desk, key="l")
    await other.release()
    await other.complete("too late", LONG_S)
    assert await is_free(store, "l")


@pytest.mark.parametrize("end", ["complete", "release"])
async def test_an_end_is_carried_through_though_its_caller_is_cancelled(desk, store, end):
    gate = store.close_gate(end)
    ticket = await ticket_of(desk)
    ending = asyncio.ensure_future(
        ticket.complete("yes", LONG_S) if end == "complete" else ticket.release()
    )
    waiting = admitting(desk)
    await turns()
    ending.cancel()
    await turns()
    assert ending.cancelled() and not waiting.done()
    gate.set()
    admission = await admitted(waiting)
    assert (admission == ANSWER) is (end == "complete")


# --- parameters -----------------------------------------------------------------------------------


async def mismatch_of(admission):
    with pytest.raises(IdempotencyParamMismatch) as raised:
        await admitted(admission)
    return raised.value.key, raised.value.expected, raised.value.actual


async def test_other_parameters_are_refused_once_there_is_an_answer(desk):
    await (await ticket_of(desk)).complete("yes", LONG_S)
    assert await mismatch_of(desk.admit("k", "q")) == ("k", "p", "q")


async def test_other_parameters_are_refused_while_an_owner_works_here(desk, store):
    ticket = await ticket_of(desk)
    assert await mismatch_of(desk.admit("k", "q")) == ("k", "p", "q")
    equal = admitting(desk)
    await turns()
    assert await mismatch_of(desk.admit("k", "q")) == ("k", "p", "q")
    assert store.calls == {"claim": 1}
    await ticket.complete("yes", LONG_S)
    assert await admitted(equal) == ANSWER


async def test_other_parameters_are_refused_while_an_owner_works_elsewhere(desk, store):
    await store.claim("k", "p", "another", LONG_S)
    equal = admitting(desk)
    await turns()
    assert await mismatch_of(desk.admit("k", "q")) == ("k", "p", "q")
    assert not equal.done()
    await store.complete("k", "another", "yes", LONG_S)
    assert await admitted(equal) == ANSWER


async def test_of_several_at_once_the_first_sets_the_parameters(desk):
    admissions = await asyncio.gather(
        *(desk.admit("k", params) for params in "pqr"), return_exceptions=True
    )
    assert [type(admission) for admission in admissions[1:]] == [IdempotencyParamMismatch] * 2
    await admissions[0].ticket.release()
    await (await ticket_of(desk, "q")).release()  # a key that was freed takes others


# --- keys -----------------------------------------------------------------------------------------

PARTS = st.tuples(*[st.text(st.sampled_from("a:1\0\ud800\udc00"), max_size=3)] * 4)


@given(PARTS, PARTS)
def test_keys_of_different_scopes_are_different(one, other):
    assert (scope_key(*one) == scope_key(*other)) is (one == other)


def test_a_key_has_a_fixed_length_and_stays_the_same_across_processes():
    assert len(scope_key("t" * 10_000, "p", "s", "k" * 10_000)) == 64
    known = "047caba740d47c8445e3e7332417f98777c9994b2ad6522a63de8b587545e882"
    assert scope_key("t", "p", "s", "k") == known
