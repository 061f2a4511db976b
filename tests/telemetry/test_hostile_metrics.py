"""Numbers that no exporter can encode: they cost no other metric its place in an export."""

from __future__ import annotations

import pytest
from opentelemetry.exporter.otlp.proto.common.metrics_encoder import encode_metrics
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

from stageflow_actors import Pipeline
from stageflow_actors.telemetry.instruments import Instruments
from stageflow_actors.telemetry.measured import Measured
from stageflow_actors.telemetry.metrics import MetricsWriter
from stageflow_actors.telemetry.otel_metrics import OtelRecorder
from tests.telemetry.metrics_seen import SeenMetrics, results_of


@pytest.fixture
def seen(monkeypatch):
    seen = SeenMetrics(monkeypatch)
    yield seen
    seen.provider.shutdown()


class Huge:
    """A record of somebody's own."""

    latency_ms = 1.0

    def __init__(self, tokens) -> None:
        self.tokens = tokens

    def to_otel_attributes(self):
        return {"gen_ai.usage.input_tokens": self.tokens, "gen_ai.usage.output_tokens": 7}


@pytest.mark.parametrize("tokens", [10**400, 2**63, 1e300])
async def test_a_number_that_is_too_large_is_not_counted(seen, caplog, tokens):
    async def asks(ctx):
        ctx.record_call(Huge(tokens))

    await results_of(Pipeline("shop").with_stage("asks", asks, "work"))
    assert seen.values("stageflow.provider.tokens", "gen_ai.token.type") == {("output",): 7}
    assert caplog.records == []


async def test_a_record_that_is_told_twice_counts_once_and_each_of_many_does(seen):
    async def asks(ctx):
        records = [Huge(1) for _ in range(1_000)]
        for record in records * 2:
            ctx.record_call(record)

    await results_of(Pipeline("shop").with_stage("asks", asks, "work"))
    tokens = seen.values("stageflow.provider.tokens", "gen_ai.token.type")
    assert tokens == {("input",): 1_000, ("output",): 7_000}


def test_a_sum_stays_one_that_can_be_encoded():
    reader = InMemoryMetricReader()
    provider = MeterProvider([reader], shutdown_on_exit=False)
    recorder = OtelRecorder(provider)
    for _ in range(3):
        recorder.adder(Instruments.TOKENS, ("p", "a", "acme", "m", "input"))(2**63 - 1)
    encode_metrics(reader.get_metrics_data()).SerializeToString()
    provider.shutdown()


class Raises:
    """A place that takes nothing, and cannot even say so in time."""

    def adder(self, instrument, values):
        raise OSError("gone")


class Keeps:
    def __init__(self):
        self.kept = []

    def adder(self, instrument, values):
        return self.kept.append


def test_a_recorder_that_raises_costs_no_other_anything(caplog):
    keeps = Keeps()
    writer = MetricsWriter([Raises(), keeps], Measured())
    for value in (1, 2):
        writer.record(Instruments.REFUSED, value, "p")
    assert keeps.kept == [1, 2]
    assert len(caplog.records) == 1
