"""Whoever takes metrics gets them under its own names; one that raises costs no run anything."""

from __future__ import annotations

import logging

import pytest
from opentelemetry import metrics
from opentelemetry.exporter.prometheus import PrometheusMetricReader
from opentelemetry.sdk.metrics.export import MetricReader
from prometheus_client import CollectorRegistry, generate_latest

from stageflow_actors import Pipeline
from tests.telemetry.metrics_seen import SeenMetrics, fine, results_of


@pytest.fixture
def seen(monkeypatch):
    seen = SeenMetrics(monkeypatch)
    yield seen
    seen.provider.shutdown()


async def test_metrics_follow_a_provider_that_was_set_anew(monkeypatch):
    pipeline = Pipeline("shop").with_stage("fine", fine, "work")
    for _ in range(2):
        seen = SeenMetrics(monkeypatch)
        await results_of(pipeline)
        assert seen.values("stageflow.runs", "pipeline") == {("shop",): 1}
        seen.provider.shutdown()


async def test_runtimes_of_one_process_count_together(seen):
    pipeline = Pipeline("shop").with_stage("fine", fine, "work")
    for _ in range(2):
        await results_of(pipeline)
    assert seen.values("stageflow.runs", "pipeline") == {("shop",): 2}


class Broken(MetricReader):
    """Raises whenever it is given anything, or asked for anything."""

    def _receive_metrics(self, metrics_data, timeout_millis=10_000, **kwargs):
        raise RuntimeError("the collector is on fire")

    def shutdown(self, timeout_millis=30_000, **kwargs):
        pass


class BrokenProvider:
    """Its instruments raise whenever something is recorded."""

    def get_meter(self, *args, **kwargs):
        return self

    def __getattr__(self, name):
        def raises(*args, **kwargs):
            raise RuntimeError(f"no {name}")

        return raises


async def test_a_reader_that_raises_costs_no_run_anything(monkeypatch):
    broken = Broken()
    seen = SeenMetrics(monkeypatch, broken)
    (result,) = await results_of(Pipeline("shop").with_stage("fine", fine, "work"))
    with pytest.raises(RuntimeError):
        broken.collect()
    assert result.ok
    assert seen.values("stageflow.runs", "pipeline") == {("shop",): 1}
    seen.provider.shutdown()


async def test_a_provider_that_raises_costs_no_run_anything(monkeypatch, caplog):
    broken = BrokenProvider()
    monkeypatch.setattr(metrics, "get_meter_provider", lambda: broken)
    pipeline = Pipeline("shop").with_stage("fine", fine, "work")
    results = await results_of(pipeline, times=3)
    assert all(result.ok for result in results)
    told = [each for each in caplog.records if each.name == "stageflow_actors.telemetry"]
    assert [each.levelno for each in told] == [logging.WARNING]


async def test_prometheus_is_told_under_its_own_names(monkeypatch):
    registry = CollectorRegistry()
    reader = PrometheusMetricReader(registry=registry)
    seen = SeenMetrics(monkeypatch, reader)
    await results_of(Pipeline("shop").with_stage("fine", fine, "work"))
    text = generate_latest(registry).decode()
    labels = 'otel_scope_name="stageflow_actors"'
    lines = {line.partition(" ")[0]: line.rpartition(" ")[2] for line in text.splitlines()}
    (attempts,) = [each for each in lines if each.startswith("stageflow_stage_attempts_total{")]
    assert labels in attempts
    assert 'stageflow_pipeline_name="shop"' in attempts
    assert 'stageflow_attempt_outcome="completed"' in attempts
    assert float(lines[attempts]) == 1
    for name in ("stageflow_runs_total", "gen_ai_invoke_workflow_duration_seconds_bucket"):
        assert any(each.startswith(name + "{") for each in lines), name
    seen.provider.shutdown()
