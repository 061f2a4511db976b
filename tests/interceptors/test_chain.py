"""``InterceptorChain``: who is asked when, and what becomes of the answers."""

from __future__ import annotations

import asyncio

import pytest

from stageflow_actors import (
    RoutingDecision,
    StageDefinitionError,
    StageOutput,
)
from stageflow_actors.interceptors import (
    BaseInterceptor,
    ErrorDecision,
    InterceptorChain,
    InterceptorRejectedError,
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


def without_ended(calls):
    return [call for call in calls if not call.startswith("ended")]


# --- order ----------------------------------------------------------------------------------------


@NOTING
async def test_before_goes_by_priority_and_after_the_other_way(noting):
    calls = []
    three, one, two = (noting(str(n), calls, n) for n in (3, 1, 2))
    done = await run([three, one, two], returns(n=1))
    assert done.output.data == {"n": 1}
    assert (done.error, done.wants_retry) == (None, False)
    assert without_ended(calls) == [
        *("before 1", "before 2", "before 3"),
        *("after 3", "after 2", "after 1"),
    ]


async def test_ties_are_called_as_listed():
    calls = []
    await run([Noting(name, calls) for name in "cab"], returns())
    assert without_ended(calls)[:3] == ["before c", "before a", "before b"]


@NOTING
async def test_on_error_is_asked_in_reverse_and_not_followed_by_after(noting):
    calls, error = [], ValueError("boom")
    done = await run([noting(str(n), calls, n) for n in (1, 2)], raises(error))
    assert done == (None, error, False)
    assert without_ended(calls) == ["before 1", "before 2", "on_error 2", "on_error 1"]


async def test_everybody_gets_the_stage_and_its_context():
    got, ctx, error = [], stage_context(), ValueError()

    class Curious(BaseInterceptor):
        def before(self, *given):
            got.append(given)

        def on_error(self, *given):
            got.append(given)

        def after(self, *given):
            got.append(given)

    await run([Curious()], returns(n=1), ctx)
    await run([Curious()], raises(error), ctx)
    before, after, _, on_error = got
    assert before == ("price", ctx)
    assert after == ("price", StageOutput.ok(n=1), ctx)
    assert on_error == ("price", error, ctx)


# --- answering in place of the stage --------------------------------------------------------------


@NOTING
@pytest.mark.parametrize("result", [{"n": 7}, StageOutput.ok(n=7)])
async def test_a_result_of_before_stands_in_for_the_stage(noting, result):
    calls = []
    answer = InterceptorResult(stage_ran=False, result=result)
    chain = [noting("1", calls, 1), noting("2", calls, 2, before=answer), noting("3", calls, 3)]
    done = await run(chain, unreachable)
    assert done.output == StageOutput.ok(n=7)
    # 3 has seen nothing begin, so it is told of no end
    assert calls == ["before 1", "before 2", "after 2", "after 1", "ended 2", "ended 1"]


async def test_an_error_of_before_fails_the_stage_and_nobody_can_undo_it():
    calls = []
    mild = Noting("mild", calls, 1, on_error=ErrorDecision.fallback({}))
    done = await run([mild, Noting("strict", calls, 2, before=REFUSES)], unreachable)
    assert isinstance(done.error, InterceptorRejectedError)
    assert done.error.code == "INTERCEPTOR-REJECTED"
    assert done.error.message == "Interceptor 'strict' refused stage 'price': denied"
    assert (done.output, done.wants_retry) == (None, False)
    assert without_ended(calls) == ["before mild", "before strict"]


async def test_an_error_without_text_fails_the_stage_too():
    empty = InterceptorResult(stage_ran=False, error="")
    done = await run([Noting("strict", [], before=empty)], unreachable)
    assert "no reason given" in done.error.message


async def test_a_plain_result_lets_the_stage_run():
    done = await run([Noting("1", [], before=InterceptorResult())], returns(n=1))
    assert done.output.data == {"n": 1}


@pytest.mark.parametrize(
    "parts",
    [
        {"error": "denied"},  # which a stage that runs all the same would belie
        {"result": {"n": 1}},
        {"stage_ran": False},
        {"stage_ran": 0, "result": {}},
        {"stage_ran": False, "result": ["n"]},
        {"stage_ran": False, "error": ValueError("denied")},
    ],
    ids=str,
)
def test_a_result_whose_parts_do_not_go_together_cannot_be_made(parts):
    with pytest.raises(InterceptorReturnTypeError):
        InterceptorResult(**parts)


# --- replacing the output -------------------------------------------------------------------------


@NOTING
async def test_what_after_returns_replaces_the_output_for_those_that_follow(noting):
    class Doubling(Noting):
        def after(self, stage_name, output, ctx):
            return StageOutput.ok(n=output.data["n"] * 2)

    outer = noting("outer", [], 1, after=None)
    done = await run([outer, Doubling("a", [], 2), Doubling("b", [], 3)], returns(n=1))
    assert done.output.data == {"n": 4}


async def test_after_sees_a_failure_that_was_returned_and_may_replace_it():
    calls = []

    async def body():
        return StageOutput.fail("no stock")

    mends = Noting("mends", calls, after=StageOutput.ok(n=0))
    assert (await run([mends], body)).output == StageOutput.ok(n=0)
    assert without_ended(calls) == ["before mends", "after mends"]


@pytest.mark.parametrize("method", ["before", "after"])
async def test_a_decision_on_a_route_counts_as_if_the_stage_had_made_it(method):
    decision = RoutingDecision("left")
    routed = StageOutput.ok(route=decision)
    answer = InterceptorResult(False, routed) if method == "before" else routed
    done = await run([Noting("router", [], **{method: answer})], returns())
    assert done.output.routing is decision
    assert done.output.data["route"] == "left"


# --- idle -----------------------------------------------------------------------------------------


class Sleepy(Noting):
    idle = True

    def is_idle(self):
        return self.idle


@pytest.mark.parametrize("error", [None, ValueError("boom")])
async def test_idle_interceptors_are_not_called(error):
    calls = []
    chain = InterceptorChain([Sleepy("1", calls), Sleepy("2", calls)])
    assert chain.is_idle
    done = await chain.run(stage_context(), raises(error) if error else returns(n=1))
    assert done.error is error
    assert calls == []


async def test_an_idle_interceptor_is_passed_by_where_others_are_not():
    calls = []
    chain = InterceptorChain([Sleepy("1", calls), Noting("2", calls)])
    assert not chain.is_idle
    await chain.run(stage_context(), returns())
    assert calls == ["before 2", "after 2", "ended 2"]


async def test_one_that_wakes_up_during_an_attempt_waits_for_the_next():
    calls = []
    sleepy = Sleepy("1", calls)

    async def body():
        sleepy.idle = False
        return StageOutput.ok()

    chain = InterceptorChain([sleepy, Noting("2", [])])
    await chain.run(stage_context(), body)
    assert calls == []
    await chain.run(stage_context(), returns())
    assert calls == ["before 1", "after 1", "ended 1"]


async def test_one_that_cannot_say_whether_it_is_idle_fails_the_stage():
    error = RuntimeError("no idea")

    class Confused(BaseInterceptor):
        def is_idle(self):
            raise error

    chain = InterceptorChain([Confused()])
    assert not chain.is_idle
    assert (await chain.run(stage_context(), unreachable)).error is error


async def test_only_a_plain_true_is_idle():
    calls = []
    sleepy = Sleepy("1", calls)
    sleepy.idle = "maybe"
    await run([sleepy], returns())
    assert calls[0] == "before 1"


def test_a_chain_of_nobody_is_idle():
    assert InterceptorChain([]).is_idle


# --- declarations ---------------------------------------------------------------------------------


class Named(BaseInterceptor):
    name = "named"


class Unnamed(Named):
    pass


def test_an_interceptor_without_a_name_or_priority_has_that_of_its_class_and_100():
    assert (Named().name, Unnamed().name, Named().priority) == ("named", "Unnamed", 100)


class AsyncIdle(BaseInterceptor):
    async def is_idle(self):
        return True


class AsyncEnd(BaseInterceptor):
    async def ended(self, stage_name, end, ctx):
        pass


@pytest.mark.parametrize(
    "odd",
    [
        object(),
        Noting,
        AsyncIdle(),
        AsyncEnd(),
        *(Noting("odd", [], priority) for priority in (None, "1", True, float("nan"))),
    ],
)
def test_what_is_no_interceptor_is_refused_at_once(odd):
    with pytest.raises(StageDefinitionError):
        InterceptorChain([Noting("1", []), odd])


async def test_one_interceptor_serves_many_attempts_at_a_time():
    calls, gate = [], asyncio.Event()

    async def body():
        await gate.wait()
        return StageOutput.ok()

    chain = InterceptorChain([AsyncNoting("1", calls)])
    attempts = [asyncio.create_task(chain.run(stage_context(), body)) for _ in range(3)]
    while len(calls) < 3:
        await asyncio.sleep(0)
    gate.set()
    assert all(done.output is not None for done in await asyncio.gather(*attempts))
    assert calls.count("ended 1") == 3
