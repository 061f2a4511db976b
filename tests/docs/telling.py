"""Runs that tell every event there is: between them, whatever a run or an admission can emit.

The stages that matter are named ``s``, which becomes ``{name}`` in the types of events.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator
from unittest import mock
from uuid import UUID

from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider

from stageflow_actors import (
    AuthContext,
    AuthenticationError,
    AuthInterceptor,
    BreakerPolicy,
    GuardRetryPolicy,
    IdempotencyPolicy,
    InMemoryEventSink,
    LLMResponse,
    LocalRuntime,
    OrgEnforcementInterceptor,
    Pipeline,
    RetryPolicy,
    RoutingDecision,
    Settings,
    StageOutput,
    TenantAccessDeniedError,
    TransientError,
    stage,
)

USER, OURS, THEIRS = UUID(int=1), UUID(int=2), UUID(int=3)
KEYED = {"idempotency_key": "once"}
CHILDREN = ("passes", "fails", "cancels")
"""Registered under these names: a pipeline for each end that a child run may have."""


async def passes(ctx):
    return StageOutput.ok()


async def skips(ctx):
    return StageOutput.skip("nothing to do")


async def fails(ctx):
    return StageOutput.fail("broken")


async def cancels(ctx):
    return StageOutput.cancel("enough")


async def cancels_branch(ctx):
    return StageOutput.cancel_branch("not this one")


async def decides(ctx):
    return RoutingDecision("left")


async def spawns(ctx):
    for name in CHILDREN:
        await ctx.spawn(name)


async def forever(ctx):
    await asyncio.Event().wait()


async def leaves_something_open(ctx):
    def close():
        raise OSError("it cannot be closed")

    ctx.on_cleanup(close)


async def mumbles(ctx):
    knot: dict[str, object] = {}
    knot["itself"] = knot
    ctx.emit_event("mine", knot)


async def is_refused(ctx):
    raise TransientError("too many", retry_after=-1)


async def calls(ctx):
    ctx.record_call(LLMResponse(provider="p", model="m", content="c"))


async def says(ctx):
    span = trace.get_current_span()
    span.set_attributes({f"a{number}": number for number in range(129)})
    for _ in range(129):
        span.add_event("e")
    span.set_status(trace.StatusCode.ERROR, "not well")


class FailsOnce:
    kind = "work"

    def __init__(self):
        self.calls = 0

    async def execute(self, ctx):
        self.calls += 1
        return StageOutput.fail("not yet") if self.calls == 1 else StageOutput.ok()


class Verifier:
    async def verify(self, token):
        return AuthContext(USER, OURS)


def graphs():
    """Each with how often it is run, and what those runs start with."""
    every_end = (passes, skips, fails, cancels, cancels_branch, leaves_something_open)
    for body in (*every_end, mumbles, calls):
        yield Pipeline().with_stage("s", body, "work").build(), 1, {}
    before = Pipeline().with_stage("d", passes, "work").with_stage("o", passes, "work")
    yield before.with_stage("s", passes, "work", "d", after="o").build(), 1, {}
    left = stage("l", passes, "work", dependencies="s", route="left")
    right = stage("r", passes, "work", dependencies="s", route="right")
    yield Pipeline.from_stages(stage("s", decides, "route"), left, right).build(), 1, {}

    retry = RetryPolicy(max_attempts=2, initial_delay_s=0)
    yield Pipeline().with_stage("s", is_refused, "work", retry=retry).build(), 1, {}
    made = Pipeline().with_stage("m", passes, "work")
    for check in (FailsOnce, fails):
        guarded = made.with_stage("s", check, "guard", "m", guard_retry=GuardRetryPolicy("m"))
        yield guarded.build(), 1, {}
    breaker = BreakerPolicy(failure_threshold=1, reset_timeout_s=1e-9, trip_on=Exception)
    yield Pipeline().with_stage("s", FailsOnce, breaker=breaker).build(), 2, {}
    yield Pipeline().with_stage("s", spawns, "work").build(), 1, {}
    once = Pipeline().with_stage("s", passes, "work", idempotency=IdempotencyPolicy())
    yield once.build(), 2, {"data": KEYED}


def children():
    bodies = (passes, fails, cancels)
    return {name: Pipeline().with_stage("c", body, "work") for name, body in zip(CHILDREN, bodies)}


async def told_by_runs() -> AsyncIterator[tuple[str, set[str]]]:
    """The type of each event, and the keys of the data that it has of its own."""
    sink = InMemoryEventSink()  # the log has no part in it
    for graph, times, parts in graphs():
        wide = Settings(wide_events=True)
        runtime = LocalRuntime(event_sink=sink, registry=children(), settings=wide)
        async with runtime, runtime.deploy(graph) as app:
            for _ in range(times):
                run = await app.start(**parts)
                async for event in run.events():
                    yield general(event.type), set(event.data)


async def told_by_streams() -> AsyncIterator[tuple[str, set[str]]]:
    """The same of what stages stream out: to nobody, and to a reader that leaves."""

    async def talks(ctx):
        for _ in range(3):
            await ctx.stream.send(bytes(Settings().max_held_stream_bytes // 2))

    async with LocalRuntime().deploy(Pipeline().with_stage("s", talks, "agent")) as app:
        unread, left = await app.start(), await app.start()
        pieces = left.stream()
        await anext(pieces)
        await pieces.aclose()
        for run in (unread, left):
            async for event in run.events():
                if event.type.startswith("stream."):
                    yield event.type, set(event.data)


async def told_by_spans() -> AsyncIterator[tuple[str, set[str]]]:
    """The same of what a stage sets on the span of its attempt."""
    provider = TracerProvider(shutdown_on_exit=False)
    with mock.patch.object(trace, "get_tracer_provider", lambda: provider):
        async with LocalRuntime().deploy(Pipeline().with_stage("s", says, "work")) as app:
            run = await app.start()
            async for event in run.events():
                yield general(event.type), set(event.data)


async def told_by_refusals() -> AsyncIterator[tuple[str, set[str]]]:
    """The same of a run that may not even wait."""
    settings = Settings(max_running_runs=1, max_waiting_runs=0)
    graph = Pipeline().with_stage("s", forever, "work")
    async with LocalRuntime(settings=settings).deploy(graph) as app:
        await app.start()
        beyond = await app.start()
        async for event in beyond.events():
            yield event.type, set(event.data)


async def told_by_admissions() -> AsyncIterator[tuple[str, set[str]]]:
    """The same of the events that come before those of a run."""
    told = []
    checks = [OrgEnforcementInterceptor(), AuthInterceptor(Verifier())]
    graph = Pipeline().with_stage("s", passes, "work").build(interceptors=checks)
    for data in ({}, {"auth_token": "x"}, {"auth_token": "x", "_resource_org_id": str(THEIRS)}):
        sink = InMemoryEventSink()
        async with LocalRuntime(event_sink=sink) as runtime, runtime.deploy(graph) as app:
            with contextlib.suppress(AuthenticationError, TenantAccessDeniedError):
                await app.run(data=data)
            await runtime.flush_events()
        told += [event for event in sink.events if not event.type.startswith(("pipeline", "stage"))]
    for event in told:
        yield event.type, set(event.data)


async def told_to_a_sink() -> set[str]:
    """The keys of an event that has no data of its own: what a sink receives with every event."""
    sink = InMemoryEventSink()
    async with LocalRuntime(event_sink=sink) as runtime:
        await Pipeline().with_stage("s", passes, "work").run(runtime=runtime)
        await runtime.flush_events()
    return set(sink.of_type("pipeline.created")[0].data)


def general(type_: str) -> str:
    return re.sub(r"^stage\.[a-z]\.", "stage.{name}.", type_)
