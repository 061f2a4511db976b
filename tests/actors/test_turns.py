"""Executions of one stage that take turns in its process."""

from __future__ import annotations

import asyncio
import threading

import pytest

from stageflow_actors import ContextSnapshot, LocalRuntime, Pipeline, RunStatus, Settings
from stageflow_actors.actors.messages import Assignment, Receipt
from stageflow_actors.actors.turns import Turns
from stageflow_actors.model.cancellation import Cancellation
from stageflow_actors.model.run_view import RunView
from tests.actors.desks import turns as some_turns

SHARE = 3


class Desk:
    """``Turns``, and the executions that came, each under its name; ``begun`` have their turn."""

    def __init__(self, limit=1):
        self.turns = Turns(limit, SHARE)
        self.begun = []
        self.executions = {}
        self.tasks = {}
        self._views = {}

    async def come(self, *names, run=None, is_background=False, remaining_s=None):
        view = self._views.setdefault(run or names, _view(is_background=is_background))
        for name in names:
            self.executions[name] = Cancellation()
            coming = self._come(name, view, Assignment(1, {}, remaining_s))
            self.tasks[name] = asyncio.create_task(coming)
            await some_turns()

    async def _come(self, name, view, work):
        turn = await self.turns.come(self.executions[name], view, work)
        if isinstance(turn, Assignment):
            self.begun.append(name)
        return turn

    async def end(self, *names):
        for name in names:
            self.turns.end(self.executions[name])
            await some_turns()


def _view(*, is_background):
    return RunView(ContextSnapshot(), is_background=is_background)


async def test_as_many_begin_as_may_and_the_others_in_order():
    desk = Desk(limit=2)
    await desk.come(*"abcd")
    assert desk.begun == ["a", "b"]
    await desk.end("b")
    assert desk.begun == ["a", "b", "c"]
    await desk.end("c", "a")
    assert desk.begun == ["a", "b", "c", "d"]


async def test_a_turn_that_is_ended_twice_is_given_on_once():
    desk = Desk()
    await desk.come(*"abc")
    await desk.end("a", "a", "c")
    assert desk.begun == ["a", "b"]


async def test_runs_take_turns_and_each_has_its_own_in_order():
    desk = Desk()
    await desk.come("first")
    await desk.come("a1", "a2", "a3", run="a")
    await desk.come("b1", run="b")
    await desk.end("first", "a1", "b1", "a2")
    assert desk.begun == ["first", "a1", "b1", "a2", "a3"]


async def test_interactive_runs_go_first_and_background_ones_have_their_share():
    desk = Desk()
    await desk.come("first")
    await desk.come("g1", "g2", run="g", is_background=True)
    await desk.come(*"abcd", run="a")
    await desk.end("first", "a", "b", "g1", "c", "d")
    assert desk.begun == ["first", "a", "b", "g1", "c", "d", "g2"]


async def test_one_that_is_told_to_stop_while_it_waits_has_not_begun_and_takes_no_turn():
    desk = Desk()
    await desk.come(*"abc")
    desk.executions["b"].request("enough")
    receipt = await desk.tasks["b"]
    assert isinstance(receipt, Receipt)
    assert (receipt.ending, receipt.reason) == ("interrupted", "enough")
    await desk.end("a")
    assert desk.begun == ["a", "c"]


async def test_one_that_was_told_to_stop_before_it_came_does_not_wait():
    desk = Desk()
    await desk.come("a")
    told = Cancellation()
    told.request("enough")
    receipt = await desk.turns.come(told, _view(is_background=False), Assignment(1, {}))
    assert isinstance(receipt, Receipt)


@pytest.mark.parametrize("has_turn", [False, True])
async def test_a_task_that_is_cancelled_keeps_nobody_waiting(has_turn):
    desk = Desk()
    await desk.come(*"abc")
    if has_turn:
        desk.turns.end(desk.executions["a"])
        desk.tasks["b"].cancel()
    else:
        desk.tasks["b"].cancel()
        desk.turns.end(desk.executions["a"])
    with pytest.raises(asyncio.CancelledError):
        await desk.tasks["b"]
    await some_turns()
    assert desk.begun == ["a", "c"]


async def test_the_time_that_it_waits_is_taken_from_what_is_left_of_its_run():
    desk = Desk()
    await desk.come("a", "b", remaining_s=60.0)
    await asyncio.sleep(0.01)
    await desk.end("a")
    assert (await desk.tasks["a"]).remaining_s == 60.0
    assert (await desk.tasks["b"]).remaining_s <= 60.0 - 0.01


async def test_a_view_that_cannot_be_read_waits_for_its_turn_to_fail():
    desk = Desk()
    await desk.come("a")
    broken = Cancellation()
    task = asyncio.create_task(desk.turns.come(broken, object(), Assignment(1, {})))
    await some_turns()
    assert not task.done()
    await desk.end("a")
    assert isinstance(await task, Assignment)


async def test_a_body_that_was_abandoned_keeps_its_thread_and_not_its_turn():
    release = threading.Event()

    def block(ctx):
        if ctx.snapshot.input_text == "deaf":
            release.wait()
        return {}

    pipeline = Pipeline().with_stage("block", block, "work", concurrency=1, timeout=0.05)
    async with LocalRuntime(settings=Settings(grace_s=0.02)).deploy(pipeline) as app:
        try:
            deaf = await (await app.start(input_text="deaf")).result()
            assert deaf.abandoned == ("block",)
            first, second = [await app.start() for _ in range(2)]
            assert (await first.result()).status is RunStatus.OK
        finally:
            release.set()
        assert (await second.result()).status is RunStatus.OK
