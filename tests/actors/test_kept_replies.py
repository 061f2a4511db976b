"""An execution is done once, however often it is asked for: live, afterwards, and much later."""

from __future__ import annotations

import asyncio

import pytest

from stageflow_actors import Pipeline, RuntimeFault, Settings, StageKind
from stageflow_actors.actors import kept_replies
from stageflow_actors.actors.kept_replies import KeptReplies
from stageflow_actors.actors.messages import Assignment, Envelope, pack, unpack
from stageflow_actors.actors.ray_runtime import pack_code
from stageflow_actors.actors.sealing import seal_view, view_to_payload
from stageflow_actors.actors.stage_actor import StageActor
from stageflow_actors.model.pipeline_context import PipelineContext
from tests.conformance.crossing import Gate, Journal

# --- what is kept ---------------------------------------------------------------------------------


def test_a_reply_is_found_while_it_is_kept():
    kept = KeptReplies(2, 100)
    kept.keep("a", b"1")
    assert (kept.find("a"), kept.find("b")) == (b"1", None)
    assert "a" in kept
    assert "b" not in kept


def test_of_too_many_replies_the_oldest_goes_and_is_still_known():
    kept = KeptReplies(2, 100)
    for name in "abc":
        kept.keep(name, name.encode())
    assert [kept.find(name) for name in "abc"] == [None, b"b", b"c"]
    assert "a" in kept


def test_of_too_many_bytes_the_oldest_go():
    kept = KeptReplies(10, 10)
    for name in "abc":
        kept.keep(name, b"1234")
    assert [kept.find(name) for name in "abc"] == [None, b"1234", b"1234"]
    kept.keep("whole", b"x" * 10)
    assert [kept.find(name) for name in ("b", "c", "whole")] == [None, None, b"x" * 10]
    kept.keep("after", b"1")
    assert [kept.find(name) for name in ("whole", "after")] == [None, b"1"]


def test_a_reply_that_is_larger_than_the_room_costs_no_other_its_place():
    kept = KeptReplies(10, 10)
    kept.keep("small", b"1")
    kept.keep("huge", b"x" * 11)
    assert (kept.find("small"), kept.find("huge")) == (b"1", None)
    assert "huge" in kept


def test_with_no_room_at_all_it_is_known_that_there_was_an_answer():
    kept = KeptReplies(0, 10)
    kept.keep("a", b"1")
    assert kept.find("a") is None
    assert "a" in kept


def test_what_is_known_has_a_bound_too(monkeypatch):
    monkeypatch.setattr(kept_replies, "_MOST_KNOWN", 2)
    kept = KeptReplies(1, 10)
    for name in "abc":
        kept.keep(name, b"1")
    assert [name in kept for name in "abc"] == [False, True, True]


# --- what is executed -----------------------------------------------------------------------------


class Once:
    """Writes down that it began, and waits for the test where there is something to wait for."""

    kind = StageKind.WORK

    def __init__(self, folder):
        self.folder = folder

    async def execute(self, ctx):
        Journal(self.folder).write(f"{ctx.snapshot.input_text} {ctx.attempt}")
        if ctx.snapshot.input_text == "wait":
            await Gate(self.folder, "go-on").opened()
        if ctx.snapshot.input_text == "raise":
            raise ValueError("on purpose")
        return {"attempt": ctx.attempt}


@pytest.fixture
def prepared(tmp_path):
    """Makes what is inside the process of a stage, as its third one."""

    async def make(**settings):
        actor = StageActor(Settings(**settings), None)
        (code,) = pack_code(Pipeline().with_stage("only", Once, config={"folder": tmp_path}))
        assert isinstance(await actor.prepare(code, 0, 3), int)
        return actor

    return make


def asked(run="run", attempt=1, text="", *, stage=0, epoch=3):
    context = PipelineContext.create(input_text=text)
    view = view_to_payload(seal_view(context.view))
    work = Assignment(attempt, {})
    return pack(Envelope(run, stage, epoch, view, context.timer.pipeline_start_ms, work))


async def test_who_asks_again_while_it_is_executed_gets_the_same_receipt(prepared, tmp_path):
    actor = await prepared()
    asks = [asyncio.ensure_future(actor.execute(asked(text="wait"))) for _ in range(3)]
    while not Journal(tmp_path).lines:
        await asyncio.sleep(0)
    assert not any(ask.done() for ask in asks)
    Gate(tmp_path, "go-on").open()
    receipts = await asyncio.gather(*asks)
    assert len(set(receipts)) == 1
    assert unpack(receipts[0]).ending == "ok"
    assert Journal(tmp_path).lines == ["wait 1"]


@pytest.mark.parametrize(("text", "ending"), [("", "ok"), ("raise", "fail")])
async def test_who_asks_again_afterwards_gets_the_same_receipt(prepared, tmp_path, text, ending):
    actor = await prepared()
    first = await actor.execute(asked(text=text))
    assert await actor.execute(asked(text=text)) == first
    assert unpack(first).ending == ending
    assert len(Journal(tmp_path).lines) == 1


async def test_who_gives_up_asking_takes_the_receipt_from_nobody(prepared, tmp_path):
    actor = await prepared()
    first = asyncio.ensure_future(actor.execute(asked(text="wait")))
    while not Journal(tmp_path).lines:
        await asyncio.sleep(0)
    impatient, patient = (
        asyncio.ensure_future(actor.execute(asked(text="wait"))) for _ in range(2)
    )
    await asyncio.sleep(0)
    impatient.cancel()
    Gate(tmp_path, "go-on").open()
    assert await patient == await first
    assert Journal(tmp_path).lines == ["wait 1"]


async def test_another_attempt_and_another_run_are_other_executions(prepared, tmp_path):
    actor = await prepared()
    for run, attempt in (("run", 1), ("run", 2), ("other", 1)):
        await actor.execute(asked(run, attempt, run))
    assert Journal(tmp_path).lines == ["run 1", "run 2", "other 1"]


async def test_a_reply_that_is_not_kept_any_more_counts_as_lost_and_is_not_made_again(
    prepared, tmp_path
):
    actor = await prepared(max_kept_receipts=0)
    assert unpack(await actor.execute(asked())).ending == "ok"
    again = unpack(await actor.execute(asked()))
    assert again.ending == "lost"
    assert again.failure.code == "STAGE-OUTCOME-UNKNOWN"
    assert len(Journal(tmp_path).lines) == 1


@pytest.mark.parametrize("other", [{"epoch": 2}, {"epoch": 4}, {"stage": 1}])
async def test_what_was_meant_for_another_process_is_refused(prepared, tmp_path, other):
    actor = await prepared()
    with pytest.raises(RuntimeFault, match="came to process 3 of stage 0"):
        await actor.execute(asked(**other))
    assert Journal(tmp_path).lines == []


async def test_an_interrupt_that_overtook_its_execution_counts_and_a_late_one_does_not(
    prepared, tmp_path
):
    actor = await prepared()
    await actor.execute(asked("ended"))
    reasons = {(run, 1): "enough" for run in ("ended", "to come")}
    assert await actor.interrupt(reasons) == []
    assert unpack(await actor.execute(asked("to come"))).ending == "interrupted"
    assert unpack(await actor.execute(asked("ended", 1))).ending == "ok"
    assert len(Journal(tmp_path).lines) == 1
