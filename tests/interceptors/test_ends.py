"""Errors of a stage and of interceptors, requests to stop; and who is told of the end."""

from __future__ import annotations

import asyncio

import pytest

from stageflow_actors import StageCancellationRequested, StageOutput
from stageflow_actors.interceptors import (
    CriticalInterceptorError,
    ErrorAction,
    ErrorDecision,
    InterceptorResult,
    InterceptorReturnTypeError,
)
from tests.interceptors.attempts import (
    AsyncNoting,
    Noting,
    raises,
    returns,
    run,
    stage_context,
    unreachable,
)

NOTING = pytest.mark.parametrize("noting", [Noting, AsyncNoting])
REFUSES = InterceptorResult(stage_ran=False, error="denied")


# --- what to do about an error --------------------------------------------------------------------


async def test_the_first_answer_other_than_fail_wins():
    calls = []
    chain = [
        Noting("1", calls, 1, on_error=ErrorDecision.fallback({"n": 1})),
        Noting("2", calls, 2, on_error=ErrorAction.RETRY),
        Noting("3", calls, 3, on_error=ErrorDecision(ErrorAction.FAIL)),
        Noting("4", calls, 4, on_error=ErrorAction.FAIL),
        Noting("5", calls, 5),
    ]
    error = ValueError("boom")
    assert await run(chain, raises(error)) == (None, error, True)
    assert [call for call in calls if "on_error" in call] == [f"on_error {n}" for n in (5, 4, 3, 2)]


@NOTING
@pytest.mark.parametrize("value", [{"n": 0}, StageOutput.ok(n=0)])
async def test_a_fallback_becomes_the_output_and_after_sees_it(noting, value):
    calls = []
    chain = [noting("1", calls, 1), noting("2", calls, 2, on_error=ErrorDecision.fallback(value))]
    assert await run(chain, raises(ValueError())) == (StageOutput.ok(n=0), None, False)
    assert calls[2:5] == ["on_error 2", "after 2", "after 1"]


async def test_a_fallback_may_be_empty():
    interceptor = Noting("1", [], on_error=ErrorDecision.fallback({}))
    assert (await run([interceptor], raises(ValueError()))).output == StageOutput.ok()


async def test_a_fallback_without_a_value_fails_and_keeps_the_failure_in_sight():
    error = ValueError("boom")
    done = await run([Noting("1", [], on_error=ErrorAction.FALLBACK)], raises(error))
    assert isinstance(done.error, InterceptorReturnTypeError)
    assert done.error.__context__ is error
    assert done.output is None


@pytest.mark.parametrize(
    "parts",
    [
        (ErrorAction.FALLBACK,),
        (ErrorAction.FALLBACK, "text"),
        (ErrorAction.FALLBACK, StageOutput.fail("no")),
        (ErrorAction.FALLBACK, StageOutput.skip("no")),
        (ErrorAction.RETRY, {}),
        ("fallback", {}),
    ],
    ids=str,
)
def test_a_decision_that_makes_no_sense_cannot_be_made(parts):
    with pytest.raises(InterceptorReturnTypeError):
        ErrorDecision(*parts)


# --- errors of interceptors -----------------------------------------------------------------------


@NOTING
@pytest.mark.parametrize("method", ["before", "after", "on_error"])
@pytest.mark.parametrize(
    "error",
    [ValueError("odd"), CriticalInterceptorError("no"), asyncio.CancelledError(), SystemExit(3)],
    ids=repr,
)
async def test_whatever_an_interceptor_raises_fails_the_stage(noting, method, error):
    calls = []
    mild = Noting("mild", calls, 1, on_error=ErrorDecision.fallback({}))
    broken = noting("broken", calls, 2, **{method: error})
    body = raises(KeyError("k")) if method == "on_error" else returns(n=1)
    done = await run([mild, broken], body)
    assert done.error is error
    assert (done.output, done.wants_retry) == (None, False)
    assert "on_error mild" not in calls
    assert "after mild" not in calls
    assert calls[-2:] == ["ended broken", "ended mild"]


async def test_the_stage_does_not_run_after_a_before_that_raised():
    calls = []
    chain = [Noting("1", calls, 1, before=ValueError()), Noting("2", calls, 2)]
    await run(chain, unreachable)
    assert calls == ["before 1", "ended 1"]


@NOTING
@pytest.mark.parametrize(
    ("method", "answer"),
    [
        ("before", True),
        ("before", StageOutput.ok()),
        ("after", {"n": 1}),
        ("after", InterceptorResult()),
        ("on_error", "retry"),
        ("on_error", {"n": 1}),
    ],
)
async def test_an_answer_that_means_nothing_fails_the_stage(noting, method, answer):
    body = raises(ValueError()) if method == "on_error" else returns()
    done = await run([noting("odd", [], **{method: answer})], body)
    assert isinstance(done.error, InterceptorReturnTypeError)
    assert done.error.code == "INTERCEPTOR-RETURN-TYPE"
    assert f"{method} of interceptor 'odd'" in done.error.message


@pytest.mark.parametrize("body", [returns(n=1), raises(KeyError())], ids=["ok", "failed"])
async def test_one_that_raises_at_the_end_keeps_nobody_from_hearing_of_it(body, caplog):
    calls, odd = [], ValueError("odd")
    chain = [Noting("1", calls, 1), Noting("2", calls, 2, ended=odd), Noting("3", calls, 3)]
    done = await run(chain, body)
    assert calls[-3:] == ["ended 3", "ended 2", "ended 1"]
    was_ok = chain[2].ends[0].outcome == "ok"
    # an ok attempt fails with it; the error of a failure stays, and this one is logged
    assert isinstance(done.error, ValueError if was_ok else KeyError)
    assert [record.exc_info[1] for record in caplog.records] == ([] if was_ok else [odd])


# --- stopping -------------------------------------------------------------------------------------


@pytest.mark.parametrize("is_requested", [True, False])
async def test_a_stage_that_asks_for_a_cancel_has_not_failed(is_requested):
    calls, ctx = [], stage_context()
    error = StageCancellationRequested("user left")

    async def body():
        if is_requested:
            ctx.cancellation.request("user left")
        raise error

    chain = [Noting("1", calls, on_error=ErrorDecision.fallback({}))]
    assert await run(chain, body, ctx) == (None, error, False)
    assert calls == ["before 1", "ended 1"]
    assert chain[0].ends[0].outcome == ("interrupted" if is_requested else "cancel")


@pytest.mark.parametrize("method", ["before", "after"])
async def test_an_interceptor_may_ask_for_a_cancel_too(method):
    calls, error = [], StageCancellationRequested("closed")
    mild = Noting("mild", calls, 1, on_error=ErrorDecision.fallback({}))
    done = await run([mild, Noting("closing", calls, 2, **{method: error})], returns())
    assert done == (None, error, False)
    assert mild.ends[0].outcome == "cancel"


@pytest.mark.parametrize("where", ["before", "body", "after"])
async def test_a_requested_stop_is_no_error_wherever_it_comes(where):
    calls, ctx, waiting = [], stage_context(), asyncio.Event()

    async def wait():
        waiting.set()
        await asyncio.Event().wait()

    class Waiting(Noting):
        async def before(self, stage_name, ctx):
            if where == "before":
                await wait()

        async def after(self, stage_name, output, ctx):
            if where == "after":
                await wait()

    async def body():
        if where == "body":
            await wait()
        return StageOutput.ok()

    outer = Noting("outer", calls, 1, on_error=ErrorDecision.fallback({}))
    attempt = asyncio.create_task(run([outer, Waiting("inner", calls, 2)], body, ctx))
    await waiting.wait()
    ctx.cancellation.request("closing")
    attempt.cancel()
    done = await attempt
    assert isinstance(done.error, asyncio.CancelledError)
    assert (done.output, done.wants_retry) == (None, False)
    assert calls == ["before outer", "ended inner", "ended outer"]
    assert outer.ends[0].outcome == "interrupted"


async def test_a_cancel_that_nobody_requested_is_an_error_like_any_other():
    interceptor = Noting("1", [], on_error=ErrorDecision.fallback({"n": 0}))
    done = await run([interceptor], raises(asyncio.CancelledError()))
    assert done.output.data == {"n": 0}


# --- the end --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "answers", "outcome"),
    [
        (returns(), {}, "ok"),
        (returns(), {"after": StageOutput.skip("none")}, "skip"),
        (returns(), {"after": StageOutput.cancel("stop")}, "cancel"),
        (returns(), {"after": StageOutput.fail("no")}, "fail"),
        (raises(ValueError()), {}, "fail"),
        (raises(ValueError()), {"on_error": ErrorAction.RETRY}, "retry"),
        (raises(ValueError()), {"on_error": ErrorDecision.fallback({})}, "ok"),
        (returns(), {"before": REFUSES}, "fail"),
    ],
)
async def test_the_end_is_told_once_as_it_was(body, answers, outcome):
    interceptor = Noting("1", [], **answers)
    done = await run([interceptor], body)
    [end] = interceptor.ends
    assert end.outcome == outcome
    assert end.error is done.error
    assert end.seconds >= 0
