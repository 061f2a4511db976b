"""What a replica refuses by itself: what its keeper would refuse, and nothing else."""

from __future__ import annotations

import asyncio
from collections import deque
from copy import deepcopy

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from stageflow_actors.serving import ServingSettings
from stageflow_actors.serving.desk import RunKey
from stageflow_actors.serving.faults import Fault, ProblemError, too_fast
from stageflow_actors.serving.replicas.foreseen import Foreseen
from stageflow_actors.serving.run_rate import RunRate
from tests.serve.fake_keepers import World, state_of
from tests.serving.desks import TENANT, order

NOTHING = 1e-6

# --- beside the bucket of the keeper --------------------------------------------------------------


class Replica:
    """Its requests come to the keeper in their order, and its answers later."""

    def __init__(self, per_s, clock):
        self.foreseen = Foreseen(per_s, clock)
        self.sent = deque()
        self.answered = deque()

    def ask(self):
        """What it refuses by itself, else nothing: it has asked."""
        asking = self.foreseen.asking("a", None)
        try:
            asking.__enter__()
        except ProblemError as refused:
            return refused
        self.sent.append(asking)
        return None

    def deliver(self, keeper, now):
        if self.sent:
            self.answered.append((self.sent.popleft(), too_fast(keeper.take("a", now))))

    def hear(self):
        if self.answered:
            asking, refused = self.answered.popleft()
            if refused is None:
                asking.__exit__(None, None, None)
                return
            with pytest.raises(ProblemError):
                asking.__exit__(ProblemError, refused, None)
                raise refused


STEPS = st.tuples(
    st.sampled_from(["ask", "ask", "deliver", "hear", "other", "pause"]),
    st.integers(0, 1),
    st.floats(0.001, 0.3),
)


@given(st.floats(0.5, 50), st.lists(STEPS, max_size=150))
@example(
    1.5,
    [
        ("other", 0, 0.25),
        *[(what, 0, 0.25) for what in ("pause", "ask", "deliver", "pause", "ask")],
    ],
)
def test_who_is_refused_by_a_replica_would_be_refused_by_its_keeper(per_s, steps):
    """Two replicas, and requests with keys, which no replica counts."""
    now = 100.0
    keeper = RunRate(per_s)
    replicas = [Replica(per_s, lambda: now) for _ in range(2)]
    for what, which, pause in steps:
        replica = replicas[which]
        match what:
            case "pause":
                now += pause
            case "other":
                keeper.take("a", now)
            case "deliver":
                replica.deliver(keeper, now)
            case "hear":
                replica.hear()
            case "ask":
                refused = replica.ask()
                if refused is None:
                    continue
                if any(known is not None for _asking, known in replica.answered):
                    continue  # who was refused there has used nothing; here that is not known yet
                there = deepcopy(keeper)
                for _sent in replica.sent:  # what came before has been dealt with
                    there.take("a", now)
                would = there.wait_s("a", now)
                assert would is not None or there.wait_s("a", now - NOTHING / per_s) is not None
                if not replica.sent and not replica.answered:  # else it does not know everything
                    assert refused.retry_after_s <= (would or 0.0) + NOTHING


def test_when_the_time_that_was_said_is_over_the_next_one_is_asked_for():
    now = 0.0
    foreseen = Foreseen(20.0, lambda: now)
    with (
        pytest.raises(ProblemError),
        foreseen.asking("a", None),
    ):
        now += 0.01  # it counts from when it was asked: the answer may come late
        raise ProblemError(Fault.TOO_FAST, retry_after_s=0.05)
    with pytest.raises(ProblemError) as refused:
        foreseen.reserve("a")
    assert refused.value.retry_after_s == pytest.approx(0.04)
    foreseen.reserve("b")
    now = 0.05 + NOTHING
    assert foreseen.reserve("a") is not None


@pytest.mark.parametrize("ended", [ProblemError(Fault.TOO_MANY_RUNS), asyncio.CancelledError()])
def test_room_for_a_run_that_may_not_have_been_started_is_there_for_another(ended):
    foreseen = Foreseen(1.0, lambda: 0.0)
    room = foreseen.reserve("a")
    with pytest.raises(type(ended)), foreseen.asking("a", room):
        raise ended
    with foreseen.asking("a", foreseen.reserve("a")):
        pass
    room.give_back()  # once is enough
    with pytest.raises(ProblemError):
        foreseen.reserve("a")


def test_room_that_was_used_is_not_given_back():
    foreseen = Foreseen(1.0, lambda: 0.0)
    room = foreseen.reserve("a")
    with foreseen.asking("a", room):
        pass
    room.give_back()
    with pytest.raises(ProblemError):
        foreseen.reserve("a")


def test_without_a_bound_nothing_is_foreseen():
    foreseen = Foreseen(None, lambda: 0.0)
    for _ in range(100):
        with foreseen.asking("a", foreseen.reserve("a")):
            pass


# --- a replica and its keeper ---------------------------------------------------------------------


@pytest.fixture
async def slow(monkeypatch):
    """A tenant may start one run in a long time."""
    bounds = ServingSettings(drain_s=30.0, keeper_lost_s=30.0, max_runs_per_s_per_tenant=1 / 3600)
    made = World(monkeypatch, bounds)
    async with asyncio.timeout(60.0):
        yield made
        made.gate.opened.set()
        await made.close()


def noted(keeper):
    """The orders that come to a keeper from now on."""
    came, run = [], keeper.desk.behind.run

    async def noting(asked, wait_s):
        came.append(asked)
        return await run(asked, wait_s)

    keeper.desk.behind.run = noting
    return came


async def refused_by(replica, asked):
    with pytest.raises(ProblemError) as refused:
        await replica.run(asked, None)
    assert refused.value.fault is Fault.TOO_FAST
    return refused.value.retry_after_s


async def test_a_replica_asks_once_and_knows_from_then_on(slow):
    first, second = await slow.replica("v"), await slow.replica("v")
    came = noted(slow.keepers[first._place])
    asked = order()._replace(room=first.reserve(TENANT))
    assert state_of(await first.run(asked, None)) == "ok"
    for _ in range(5):
        assert 0 < await refused_by(first, order()) <= 3600
        assert 0 < await refused_by(second, order()) <= 3600
        with pytest.raises(ProblemError):
            first.reserve(TENANT)
    assert len(came) == 2  # the run, and the question of the other replica
    assert [each.room for each in came] == [None, None]


async def test_a_key_is_asked_for_whatever_is_foreseen(slow):
    replica = await slow.replica("v")
    shown = await replica.run(order(key="k"), None)
    await refused_by(replica, order())
    assert await replica.run(order(key="k"), None) == shown
    with pytest.raises(ProblemError) as reused:
        other = order()._replace(key=RunKey("k", b"other"))
        await replica.run(other, None)
    assert reused.value.fault is Fault.KEY_REUSED


async def test_of_another_keeper_nothing_is_foreseen(slow):
    replica = await slow.replica("v")
    await replica.run(order(), None)
    await refused_by(replica, order())
    old = slow.keepers[replica._place]
    slow.end(old)
    while replica.is_ready:
        await asyncio.sleep(0)
    with pytest.raises(ProblemError):
        replica.reserve(TENANT)  # until there is one
    assert state_of(await replica.run(order(), None)) == "ok"
