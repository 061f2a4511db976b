"""W3C Trace Context: what is read from headers and written to them, and who is in which span."""

from __future__ import annotations

import asyncio

import pytest

from stageflow_actors import TraceContext
from stageflow_actors.model.trace import attempt_span_id, new_trace

TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


def test_what_is_read_is_written_again():
    headers = {"traceparent": f"00-{TRACE}-{SPAN}-01", "tracestate": "a=1,b=2", "baggage": "c=3"}
    trace = TraceContext.from_headers(headers)
    assert trace == (TRACE, SPAN, True, None, "a=1,b=2", "c=3", True)
    assert trace.to_headers() == headers


def test_names_of_headers_are_in_any_case_and_lower_case_counts_first():
    header = f"00-{TRACE}-{SPAN}-01"
    headers = {"Traceparent": header, "TraceState": "a=1", "BAGGAGE": "c=3", "Accept": "*/*"}
    trace = TraceContext.from_headers(headers)
    assert trace == (TRACE, SPAN, True, None, "a=1", "c=3", True)
    of_two = {"TraceParent": f"00-{TRACE}-{'1' * 16}-01", "traceparent": header}
    assert TraceContext.from_headers(of_two).span_id == SPAN


@pytest.mark.parametrize(("flags", "is_sampled"), [("00", False), ("01", True), ("fe", False)])
def test_the_flag_for_sampling_is_the_last_bit(flags, is_sampled):
    trace = TraceContext.from_headers({"traceparent": f"00-{TRACE}-{SPAN}-{flags}"})
    assert trace.is_sampled is is_sampled


def test_a_later_version_is_read_as_far_as_it_is_known():
    header = f"cc-{TRACE}-{SPAN}-01-what-comes-later"
    assert TraceContext.from_headers({"traceparent": header}).span_id == SPAN


@pytest.mark.parametrize(
    "header",
    [
        "",
        "nonsense",
        f"00-{TRACE}-{SPAN}",
        f"00-{TRACE}-{SPAN}-1",
        f"00-{TRACE}-{SPAN}-01-more",
        f"ff-{TRACE}-{SPAN}-01",
        f"00-{'0' * 32}-{SPAN}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE.upper()}-{SPAN}-01",
        f"00-{TRACE[:-1]}-{SPAN}-01",
        f"00-{TRACE}g-{SPAN}-01",
        "00-" + "0" * 100_000,
    ],
)
def test_what_does_not_follow_the_recommendation_is_no_trace(header):
    assert TraceContext.from_headers({"traceparent": header}) is None
    assert TraceContext.from_headers({}) is None


@pytest.mark.parametrize("state", ["x" * 8_193, "a=\x00", "a=\r\nset-cookie: b", "ä=1"])
def test_a_state_that_cannot_be_passed_on_is_left_out(state):
    headers = {"traceparent": f"00-{TRACE}-{SPAN}-01", "tracestate": state, "baggage": state}
    trace = TraceContext.from_headers(headers)
    assert (trace.state, trace.baggage) == ("", "")
    assert set(trace.to_headers()) == {"traceparent"}


def test_attempts_have_ids_that_anybody_can_work_out():
    run = new_trace()
    one, two = run.attempt("a", 1), run.attempt("a", 2)
    assert one.span_id == attempt_span_id(run.span_id, "a", 1)
    assert (one.trace_id, one.parent_id) == (run.trace_id, run.span_id)
    named = {run.attempt(stage, 1).span_id for stage in ("a", "b", "a/1", "\ud800")}
    assert len({one.span_id, two.span_id, *named}) == 5


def test_below_one_that_is_not_recorded_it_is_passed_on_as_it_came():
    trace = TraceContext.from_headers({"traceparent": f"00-{TRACE}-{SPAN}-01"})
    silent = trace._replace(is_recorded=False)
    assert silent.attempt("a", 1) is silent
    assert silent.child().to_headers() == trace.to_headers()


def test_the_outer_one_is_active_again_when_the_inner_one_is_left():
    outer, inner = new_trace(), new_trace()
    with outer.activate():
        with inner.activate():
            assert TraceContext.active() is inner
        assert TraceContext.active() is outer
    assert TraceContext.active() is None


async def test_tasks_inherit_what_is_active_and_siblings_share_nothing():
    outer = new_trace()

    async def sibling():
        inherited = TraceContext.active()
        with new_trace().activate() as own:
            await asyncio.sleep(0)
            return inherited is outer and TraceContext.active() is own

    with outer.activate():
        assert await asyncio.gather(sibling(), sibling()) == [True, True]
        assert TraceContext.active() is outer
