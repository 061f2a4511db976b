"""A run by hand: what of poison and of an escalation reaches the bodies, and the result."""

from __future__ import annotations

import asyncio
import time

import pytest

from stageflow_actors import ContextSnapshot, Settings
from stageflow_actors.actors.failures import failure_of, failure_to_wire
from stageflow_actors.actors.messages import Receipt, pack, unpack
from stageflow_actors.actors.reports import result_of
from stageflow_actors.actors.run import Run
from stageflow_actors.engine.facts import Ending
from stageflow_actors.errors import EscalationError, PoisonedInputError, StageLostError
from tests.engine.graphs import plan_of

DEATHS = "Its process died 2 times, the last time while it worked on nothing else."


class HandBodies:
    """Bodies that a test ends: ``started`` and ``told`` to stop are in the order of that."""

    def __init__(self):
        self.started = asyncio.Queue()
        self.told = asyncio.Queue()

    def start(self, run, stage, assignment):
        self.started.put_nowait((stage, assignment))
        return True

    def interrupt(self, run, stage, attempt, reason):
        self.told.put_nowait((stage, attempt, reason))

    def kill(self, run, stage, attempt):
        raise AssertionError("nobody is slow here")

    def skipped(self, run, stage):
        pass

    def decided(self, run):
        pass


def lost():
    failure = failure_to_wire(failure_of(StageLostError("The process died.")))
    now = time.time()
    return Receipt.failed(failure, now, now, ending=Ending.LOST)


async def result(run):
    report = await run.ended
    return result_of(report, "p", ContextSnapshot())


async def poisoned(words):
    """A run whose lone stage dies twice, with the attempts that were alone."""
    bodies = HandBodies()
    run = Run(
        plan_of({"a": words}), bodies, Settings(max_losses_per_stage=1), asyncio.get_running_loop()
    )
    run.begin()
    alone = []
    for _ in range(2):
        stage, assignment = await bodies.started.get()
        alone.append(assignment.is_alone)
        run.stage_ended(stage, assignment.attempt, lost())
    return run, alone


async def test_the_second_death_comes_alone_and_is_a_failure_with_its_own_error():
    run, alone = await poisoned("effects:none")
    assert alone == [False, True]
    ended = await result(run)
    failure = ended.failures["a"]
    assert (ended.status, ended.stage, ended.reason) == ("failed", "a", DEATHS)
    assert (failure.code, failure.error_type) == ("STAGE-POISONED", "PoisonedInputError")
    assert (failure.message, failure.attempt) == (DEATHS, 2)
    assert isinstance(failure.original, PoisonedInputError)
    assert failure.original.hint


@pytest.mark.parametrize("words", ["tolerant", "fallback"])
async def test_a_poisoned_stage_that_the_run_goes_on_without_is_listed_as_such(words):
    run, _alone = await poisoned(f"effects:none {words}")
    ended = await result(run)
    assert (ended.ok, ended.tolerated) == (True, ("a",))
    assert ended.failures["a"].code == "STAGE-POISONED"
    assert set(ended.outputs) == ({"a"} if words == "fallback" else set())


async def test_those_who_ask_during_the_run_are_told_of_the_poison():
    run, _alone = await poisoned("effects:none")
    assert run.failure_of("a").code == "STAGE-POISONED"


async def test_poison_crosses_to_another_process():
    run, _alone = await poisoned("effects:none")
    ended = result_of(unpack(pack(await run.ended)), "p", ContextSnapshot())
    assert ended.failures["a"].code == "STAGE-POISONED"


async def test_an_escalation_fails_the_run_in_the_name_of_the_supervisor_first():
    bodies = HandBodies()
    run = Run(plan_of({"a": "", "b": "", "c": "a"}), bodies, Settings(), asyncio.get_running_loop())
    run.begin()
    running = [await bodies.started.get(), await bodies.started.get()]
    run.escalate("stage 'x' died 6 times")
    for stage, assignment in running:
        assert await bodies.told.get() == (stage, assignment.attempt, "stage 'x' died 6 times")
    now = time.time()
    run.stage_ended(0, 1, Receipt.failed(failure_of(ValueError("late")), now, now))
    run.stage_ended(1, 1, Receipt.interrupted("told", now, now))
    ended = await result(run)
    assert (ended.status, ended.stage) == ("failed", "<supervisor>")
    assert ended.reason == "stage 'x' died 6 times"
    assert list(ended.failures) == ["<supervisor>", "a"]
    assert ended.cancelled["c"].started is False
    failure = ended.failures["<supervisor>"]
    assert failure.code == "SUPERVISION-ESCALATED"
    assert isinstance(failure.original, EscalationError)
    assert failure.original.hint
    assert bodies.started.empty()


async def test_an_escalation_after_the_verdict_changes_nothing():
    bodies = HandBodies()
    run = Run(plan_of({"a": ""}), bodies, Settings(), asyncio.get_running_loop())
    run.begin()
    await bodies.started.get()
    now = time.time()
    run.stage_ended(0, 1, Receipt(Ending.SKIP.value, now, now))
    run.escalate("too late")
    await asyncio.sleep(0)
    assert (await result(run)).ok
