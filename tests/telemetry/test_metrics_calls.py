"""Metrics of calls of providers: what they took, used and cost, once each."""

from __future__ import annotations

from decimal import Decimal

import pytest

from stageflow_actors import Pipeline, StageOutput
from stageflow_actors.providers import Cost, LLMResponse, Usage
from tests.conformance.failing_stages import at_once
from tests.telemetry.metrics_seen import SeenMetrics, results_of

CALL = {"provider": "acme", "model": "acme-1", "content": "what was said"}


@pytest.fixture
def seen(monkeypatch):
    seen = SeenMetrics(monkeypatch)
    yield seen
    seen.provider.shutdown()


async def test_calls_of_providers_are_measured_and_paid_once(seen):
    async def asks(ctx):
        usage = Usage(input_tokens=30, output_tokens=7)
        cost = Cost(amount=Decimal("0.5"), currency="EUR")
        told = LLMResponse(
            **CALL, usage=usage, cost=cost, latency_ms=1500.0, time_to_first_output_ms=250.0
        )
        ctx.record_call(told)
        ctx.record_call(LLMResponse(**CALL, cost=Cost(amount=Decimal(2), currency="USD")))
        return StageOutput.ok(answer=told)

    await results_of(Pipeline("shop").with_stage("asks", asks, "work"), times=2)
    of_call = ("gen_ai.operation.name", "gen_ai.provider.name", "gen_ai.request.model")
    acme = ("chat", "acme", "acme-1")
    assert seen.values("gen_ai.client.operation.duration", *of_call) == {acme: 2}
    assert seen.total("gen_ai.client.operation.duration") == pytest.approx(3.0)
    assert seen.values("gen_ai.client.operation.time_to_first_chunk", *of_call) == {acme: 2}
    assert seen.total("gen_ai.client.operation.time_to_first_chunk") == pytest.approx(0.5)
    usage = seen.values("gen_ai.client.token.usage", *of_call, "gen_ai.token.type")
    assert usage == {(*acme, "input"): 2, (*acme, "output"): 2}
    tokens = seen.values("stageflow.provider.tokens", "stage", "gen_ai.token.type")
    assert tokens == {("asks", "input"): 60, ("asks", "output"): 14}
    cost = ("pipeline", "stage", "stageflow.provider.cost.currency")
    paid = seen.values("stageflow.provider.cost", *cost)
    assert paid == {("shop", "asks", "EUR"): 1.0, ("shop", "asks", "USD"): 4.0}


async def test_a_call_of_an_attempt_that_failed_is_paid_too(seen):
    async def asks_and_fails(ctx):
        ctx.record_call(LLMResponse(**CALL, cost=Cost(amount=Decimal(1), currency="EUR")))
        raise ConnectionError("gone")

    pipeline = Pipeline("shop").with_stage("asks", asks_and_fails, "work", retry=at_once(2))
    await results_of(pipeline)
    assert seen.total("stageflow.provider.cost") == 2.0


class Odd:
    """A record of somebody's own, which says whatever it likes."""

    latency_ms = float("nan")

    def to_otel_attributes(self):
        return {
            "gen_ai.provider.name": "a\ncme\ud800",
            "gen_ai.request.model": 7,
            "gen_ai.usage.input_tokens": -1,
            "gen_ai.usage.output_tokens": "many",
            "stageflow.provider.latency_ms": float("nan"),
            "stageflow.provider.cost.amount": 3,
        }


async def test_a_record_that_is_odd_counts_as_far_as_it_makes_sense(seen):
    async def asks(ctx):
        ctx.record_call(Odd())
        return StageOutput.ok()

    (result,) = await results_of(Pipeline("shop").with_stage("asks", asks, "work"))
    assert result.ok
    (paid,) = seen.points("stageflow.provider.cost")
    assert paid.value == 3
    assert paid.attributes["gen_ai.provider.name"] == "a cme?"
    assert paid.attributes["gen_ai.request.model"] == "7"
    assert not seen.names & {"gen_ai.client.operation.duration", "gen_ai.client.token.usage"}
