import asyncio
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC
from uuid import UUID

import pytest

from stageflow_actors import (
    ContextSnapshot,
    InvalidRunInputError,
    PipelineContext,
    PipelineTimer,
    StageCancellationRequested,
    StageContext,
    StageInputs,
)
from stageflow_actors.model.cancellation import Cancellation
from stageflow_actors.model.pipeline_context import to_pipeline_context

THREADS = 8


def stage_context(snapshot=None, **kwargs):
    snapshot = snapshot or ContextSnapshot(input_text="hi", execution_mode="practice")
    return StageContext(snapshot, StageInputs(snapshot), "greet", PipelineTimer(), **kwargs)


# --- cancellation ---------------------------------------------------------------------------------


def test_the_first_reason_to_cancel_stays():
    context = PipelineContext()
    context.mark_cancelled("first")
    context.mark_cancelled("second")
    assert context.is_cancelled
    assert context.cancellation_reason == "first"


def test_a_request_says_whether_it_was_the_first():
    cancellation = Cancellation()
    assert not cancellation.is_requested
    assert cancellation.reason is None
    assert cancellation.request("first")
    assert not cancellation.request("second")


def test_cancelling_without_a_reason_cancels_too():
    context = PipelineContext()
    context.mark_cancelled()
    assert context.is_cancelled
    assert context.cancellation_reason == ""


def test_a_watcher_is_called_once_with_the_first_reason():
    cancellation, heard = Cancellation(), []
    cancellation.watch(heard.append)
    cancellation.request("first")
    cancellation.request("second")
    assert heard == ["first"]


def test_a_watcher_that_comes_late_is_called_at_once():
    cancellation, heard = Cancellation(), []
    cancellation.request("first")
    cancellation.watch(heard.append)
    assert heard == ["first"]


def test_a_watcher_that_was_taken_back_is_not_called():
    cancellation, kept, dropped = Cancellation(), [], []
    cancellation.watch(kept.append)
    cancellation.watch(dropped.append)
    cancellation.unwatch(dropped.append)
    cancellation.unwatch(dropped.append)
    cancellation.request("now")
    assert (kept, dropped) == (["now"], [])


def test_taking_a_watcher_back_after_the_request_does_nothing():
    cancellation, heard = Cancellation(), []
    cancellation.watch(heard.append)
    cancellation.request("now")
    cancellation.unwatch(heard.append)
    assert heard == ["now"]


def test_a_watcher_may_ask_and_watch_again_without_deadlock():
    cancellation, heard = Cancellation(), []

    def watcher(reason):
        cancellation.request("again")
        cancellation.watch(heard.append)

    cancellation.watch(watcher)
    cancellation.request("first")
    assert heard == ["first"]


def test_of_many_threads_that_ask_at_once_exactly_one_is_first():
    for _ in range(20):
        cancellation, together = Cancellation(), threading.Barrier(THREADS)

        def ask(number, cancellation=cancellation, together=together):
            together.wait()
            return cancellation.request(str(number))

        with ThreadPoolExecutor(THREADS) as pool:
            answers = list(pool.map(ask, range(THREADS)))
        assert Counter(answers) == {True: 1, False: THREADS - 1}
        assert cancellation.reason == str(answers.index(True))


def test_every_watcher_that_races_with_the_request_is_called_exactly_once():
    for _ in range(20):
        cancellation, together = Cancellation(), threading.Barrier(THREADS)
        heard = [[] for _ in range(THREADS)]

        def act(number, cancellation=cancellation, together=together, heard=heard):
            together.wait()
            if number == 0:
                cancellation.request("now")
            else:
                cancellation.watch(heard[number].append)

        with ThreadPoolExecutor(THREADS) as pool:
            list(pool.map(act, range(THREADS)))
        assert heard[1:] == [["now"]] * (THREADS - 1)


def test_cancelling_a_context_with_another_snapshot_cancels_both():
    context = PipelineContext()
    other = context.with_snapshot(ContextSnapshot(input_text="other"))
    other.mark_cancelled("why")
    assert context.cancellation_reason == "why"
    assert other.snapshot.input_text == "other"


# --- a stage's context ----------------------------------------------------------------------------


def test_a_stage_that_was_not_asked_to_stop_passes_its_checks():
    ctx = stage_context()
    ctx.raise_if_cancelled()
    assert not ctx.is_cancelled
    assert ctx.cancellation_reason is None


def test_a_stage_that_was_asked_to_stop_is_told_why():
    ctx = stage_context()
    ctx.cancellation.request("user left")
    with pytest.raises(StageCancellationRequested) as raised:
        ctx.raise_if_cancelled()
    assert raised.value.reason == "user left"
    assert (ctx.is_cancelled, ctx.cancellation_reason) == (True, "user left")


def test_a_stage_asked_to_stop_without_a_reason_stops_too():
    ctx = stage_context()
    ctx.cancellation.request("")
    with pytest.raises(StageCancellationRequested):
        ctx.raise_if_cancelled()


async def test_a_checkpoint_lets_others_run_before_it_looks():
    ctx = stage_context()
    asyncio.get_running_loop().call_soon(ctx.cancellation.request, "meanwhile")
    with pytest.raises(StageCancellationRequested, match="meanwhile"):
        await ctx.cancellation_checkpoint()


async def test_a_checkpoint_passes_where_nobody_asked():
    await stage_context().cancellation_checkpoint()


def test_a_stage_sees_the_run_it_belongs_to():
    snapshot = ContextSnapshot(execution_mode="practice")
    ctx = stage_context(snapshot, attempt=3)
    assert ctx.pipeline_run_id == snapshot.pipeline_run_id
    assert ctx.request_id == snapshot.request_id
    assert ctx.execution_mode == "practice"
    assert ctx.started_at == ctx.timer.started_at
    assert (ctx.stage_name, ctx.attempt) == ("greet", 3)


def test_events_of_a_stage_are_kept_in_order_and_apart_from_later_changes():
    ctx = stage_context()
    data = {"n": 1}
    ctx.try_emit_event("first", data)
    data["n"] = 2
    ctx.emit_event("second")
    assert [(event.type, event.data) for event in ctx.emitted] == [
        ("first", {"n": 1}),
        ("second", {}),
    ]


# --- timer ----------------------------------------------------------------------------------------


def test_a_timer_tells_when_the_run_began_and_how_long_ago(monkeypatch):
    monkeypatch.setattr("time.time_ns", lambda: 1_700_000_000_250_000_000)
    timer = PipelineTimer(1_700_000_000_000)
    assert timer.elapsed_ms() == 250
    assert timer.now_ms() == 1_700_000_000_250
    assert timer.started_at.isoformat() == "2023-11-14T22:13:20+00:00"
    assert timer.started_at.tzinfo is UTC
    assert PipelineTimer().pipeline_start_ms == 1_700_000_000_250
    assert PipelineTimer(0).pipeline_start_ms == 0


# --- what a run starts from -----------------------------------------------------------------------


def test_a_run_from_nothing_gets_ids():
    context = to_pipeline_context(None, {})
    assert isinstance(context.pipeline_run_id, UUID)


def test_a_run_from_parts_has_them():
    context = to_pipeline_context(None, {"input_text": "hi", "topology": "t", "metadata": {"a": 1}})
    snapshot = context.snapshot
    assert (snapshot.input_text, snapshot.topology, snapshot.metadata) == ("hi", "t", {"a": 1})


def test_a_run_from_a_context_is_that_context():
    context = PipelineContext()
    assert to_pipeline_context(context, {}) is context


def test_a_run_from_a_snapshot_has_that_snapshot():
    snapshot = ContextSnapshot(input_text="hi")
    assert to_pipeline_context(snapshot, {}).snapshot is snapshot


def test_a_run_from_a_stage_is_cancelled_with_that_stage():
    ctx = stage_context()
    context = to_pipeline_context(ctx, {})
    assert context.snapshot is ctx.snapshot
    ctx.cancellation.request("parent stops")
    assert context.cancellation_reason == "parent stops"


def test_a_run_from_a_context_and_parts_is_refused_and_names_the_parts():
    with pytest.raises(InvalidRunInputError, match="a context and also input_text, topology"):
        to_pipeline_context(PipelineContext(), {"topology": "t", "input_text": "hi"})


@pytest.mark.parametrize("given", ["text", 5, {"input_text": "hi"}])
def test_a_run_from_anything_else_is_refused_and_names_its_type(given):
    with pytest.raises(InvalidRunInputError, match=type(given).__name__):
        to_pipeline_context(given, {})


def test_a_run_from_an_unknown_part_is_a_type_error():
    with pytest.raises(TypeError, match="inptu_text"):
        to_pipeline_context(None, {"inptu_text": "hi"})
