"""Log records on their way to OpenTelemetry, each in its span."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import threading

import pytest
from opentelemetry import trace
from opentelemetry._logs import SeverityNumber
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter, SimpleLogRecordProcessor
from opentelemetry.sdk.trace import TracerProvider

from stageflow_actors import LocalRuntime, NoOpEventSink, Pipeline, PipelineContext
from stageflow_actors.model.trace import new_trace
from stageflow_actors.telemetry.log_export import export_log_records
from tests.style.sources import ROOT
from tests.telemetry.otlp_receiver import OtlpReceiver

OTHERS = logging.getLogger("some.other.library")


@pytest.fixture
def exported():
    """What has been exported so far."""
    exporter = InMemoryLogRecordExporter()
    provider = LoggerProvider(shutdown_on_exit=False)
    provider.add_log_record_processor(SimpleLogRecordProcessor(exporter))
    export_log_records(provider)
    handler = export_log_records(provider)  # a second call sends nothing twice
    yield lambda: [each.log_record for each in exporter.get_finished_logs()]
    logging.getLogger().removeHandler(handler)


async def test_a_record_of_a_stage_is_in_the_trace_of_its_run(exported):
    context = PipelineContext.create()
    context.trace = new_trace()
    own = TracerProvider(shutdown_on_exit=False).get_tracer("mine")
    seen = {}

    async def talks(ctx):
        OTHERS.warning("outside of any span", extra={"user": "me"})
        with own.start_as_current_span("inside") as span:
            seen["inside"] = span.get_span_context()
            OTHERS.error("inside of one")

    silent = LocalRuntime(event_sink=NoOpEventSink())  # others may have the log show events
    async with silent.deploy(Pipeline("tea").with_stage("s", talks, "work")) as app:
        await app.run(context)
    first, second = exported()
    assert (first.body, first.severity_number) == ("outside of any span", SeverityNumber.WARN)
    assert f"{first.trace_id:032x}" == context.trace.trace_id
    assert first.attributes["stageflow.stage.name"] == "s"
    assert first.attributes["stageflow.pipeline.name"] == "tea"
    assert (first.attributes["stageflow.attempt.number"], first.attributes["user"]) == (1, "me")
    assert (second.trace_id, second.span_id) == (
        seen["inside"].trace_id,
        seen["inside"].span_id,
    )


def test_an_exception_goes_along_and_whatever_else_a_record_has(exported):
    try:
        raise ValueError("broken")
    except ValueError:
        OTHERS.critical("hello", exc_info=sys.exc_info(), extra={"odd": object(), "no": None})
    [told] = exported()
    assert told.severity_number is SeverityNumber.FATAL
    assert told.attributes["exception.type"] == "ValueError"
    assert told.attributes["exception.stacktrace"].endswith("ValueError: broken")
    assert "stageflow.stage.name" not in told.attributes
    assert told.trace_id == trace.INVALID_TRACE_ID


def test_what_exporting_has_to_say_is_not_exported(exported):
    logging.getLogger("opentelemetry.sdk").warning("late")
    logging.getLogger("stageflow_actors.telemetry").warning("dropped")
    exporting = threading.Thread(
        target=OTHERS.warning, args=("by hand",), name="stageflow-export-x"
    )
    exporting.start()
    exporting.join()
    assert exported() == []


def test_one_variable_has_the_records_of_stages_exported_from_warnings_on():
    code = """
import asyncio, logging
from stageflow_actors import LocalRuntime, Pipeline

async def talks(ctx):
    logging.getLogger("mine").info("too low")
    logging.getLogger("mine").warning("hello", extra={"user": "me"})

runtime = LocalRuntime()
asyncio.run(Pipeline("tea").with_stage("s", talks, "work").run(runtime=runtime))
assert runtime.exports.shutdown(20)
assert runtime.exports.log_counts["otlp"].exported == 1
assert runtime.exports.tracer_provider is None
"""
    with OtlpReceiver() as receiver:
        asked = {
            "OTEL_EXPORTER_OTLP_ENDPOINT": receiver.endpoint,
            "OTEL_LOGS_EXPORTER": "otlp",
            "OTEL_TRACES_EXPORTER": "none",
            "OTEL_METRICS_EXPORTER": "none",
        }
        done = subprocess.run(
            [sys.executable, "-c", code],
            cwd=ROOT,
            env={name: os.environ[name] for name in os.environ if name[:5] != "OTEL_"} | asked,
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert done.returncode == 0, done.stderr
        [log] = receiver.logs
    assert log.body == "hello"
    assert log.attributes["stageflow.pipeline.name"] == "tea"
    assert log.attributes["user"] == "me"
