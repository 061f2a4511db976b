"""Providers made of ``OTEL_*`` variables; what is set for a whole process is set in another one."""

import json
import logging
import os
import subprocess
import sys
import textwrap
from importlib import import_module
from socket import socket

import pytest
from opentelemetry._logs import LogRecord

from stageflow_actors.telemetry.batches import BatchCounts, BatchLimits
from stageflow_actors.telemetry.exporters import Signal, exporters_asked_for
from stageflow_actors.telemetry.providers import make_providers
from tests.style.sources import ROOT
from tests.telemetry.otlp_receiver import GRPC, HTTP, OtlpReceiver

ENDPOINT = "OTEL_EXPORTER_OTLP_ENDPOINT"


@pytest.fixture(autouse=True)
def no_variables(monkeypatch):
    for name in [name for name in os.environ if name.startswith("OTEL_")]:
        monkeypatch.delenv(name)


@pytest.fixture
def configure(monkeypatch):
    """Providers of the variables given, which are nobody's; shut down after the test."""
    made = []

    def configure(variables, role="driver"):
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        made.append(make_providers(exporters_asked_for(os.environ), role))
        return made[-1]

    yield configure
    for configured in made:
        configured.shutdown()


@pytest.fixture
def warnings_of(caplog):
    caplog.set_level(logging.WARNING)
    return lambda: [record.getMessage() for record in caplog.records]


@pytest.fixture
def dead_port():
    """Nobody listens there: it is taken, so that nobody else does either."""
    with socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield taken.getsockname()[1]


def in_a_process(code, variables, timeout_s=60):
    """What ``code`` prints as JSON in a fresh interpreter, and its standard error."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("OTEL_")}
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", textwrap.dedent(code)],
        cwd=ROOT,
        env=kept | variables,
        capture_output=True,
        text=True,
        timeout=timeout_s,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1]), done.stderr


def end_spans(provider, count, name="work"):
    tracer = provider.get_tracer("a test")
    for _ in range(count):
        tracer.start_span(name).end()


OTLP = ("otlp",)
ALL = dict.fromkeys(Signal, OTLP)


@pytest.mark.parametrize(
    ("variables", "asked"),
    [
        ({}, {}),
        ({"OTEL_TRACES_EXPORTER": "none"}, {}),
        ({"OTEL_TRACES_EXPORTER": ""}, {}),
        ({ENDPOINT: " "}, {}),
        ({"OTEL_SERVICE_NAME": "mine"}, {}),
        ({"OTEL_TRACES_EXPORTER": "otlp"}, {Signal.TRACES: OTLP}),
        ({"OTEL_LOGS_EXPORTER": "otlp, console,otlp"}, {Signal.LOGS: ("otlp", "console")}),
        ({"OTEL_METRICS_EXPORTER": "none,console"}, {Signal.METRICS: ("console",)}),
        ({ENDPOINT: "http://x"}, ALL),
        (
            {ENDPOINT: "http://x", "OTEL_METRICS_EXPORTER": "NONE", "OTEL_LOGS_EXPORTER": "none"},
            {Signal.TRACES: OTLP},
        ),
        ({"OTEL_EXPORTER_OTLP_LOGS_ENDPOINT": "http://x"}, {Signal.LOGS: OTLP}),
        ({ENDPOINT: "http://x", "OTEL_SDK_DISABLED": "True"}, {}),
        ({ENDPOINT: "http://x", "OTEL_SDK_DISABLED": "false"}, ALL),
    ],
)
def test_what_the_variables_ask_for(variables, asked):
    assert exporters_asked_for(variables) == asked


def test_what_nobody_asks_for_loads_nothing():
    code = """
        import json, sys
        from stageflow_actors.telemetry.environment import configure_from_environment
        configured = configure_from_environment("driver")
        assert not configured.is_any and configured.shutdown(0)
        print(json.dumps([name for name in sys.modules if name.startswith("opentelemetry")]))
    """
    disabled = {"OTEL_SDK_DISABLED": "true", ENDPOINT: "http://127.0.0.1:1"}
    assert in_a_process(code, disabled) == ([], "")
    assert in_a_process(code, {"OTEL_TRACES_EXPORTER": "none"}) == ([], "")


def test_a_process_exports_to_the_collector_without_a_word_about_its_end():
    code = """
        import json
        from opentelemetry import metrics, trace
        from opentelemetry._logs import LogRecord, get_logger
        from stageflow_actors.telemetry.environment import configure_from_environment
        configured = configure_from_environment("stage")
        assert trace.get_tracer_provider() is configured.tracer_provider
        assert not configure_from_environment("stage").is_any  # there is one already
        trace.get_tracer("here").start_span("work").end()
        metrics.get_meter("here").create_counter("runs").add(1)
        get_logger("here").emit(LogRecord(body="said"))
        print(json.dumps(__import__("os").getpid()))
    """
    with OtlpReceiver() as receiver:
        variables = receiver.environment() | {"OTEL_BSP_SCHEDULE_DELAY": "60000"}
        pid, said = in_a_process(code, variables)
        assert said == ""
        (span,), (metric,), (log,) = receiver.spans, receiver.metrics, receiver.logs
    assert (span.name, metric.name, log.body) == ("work", "runs", "said")
    assert span.resource == metric.resource == log.resource
    instance = span.resource["service.instance.id"]
    expected = {
        "service.name": "stageflow_actors",
        "process.pid": pid,
        "stageflow.process.role": "stage",
        "service.instance.id": instance,
    }
    assert instance
    assert expected.items() <= span.resource.items()


def test_a_provider_that_somebody_has_set_is_left_alone():
    code = """
        import json
        from opentelemetry import metrics, trace
        from opentelemetry._logs import NoOpLoggerProvider, set_logger_provider
        from stageflow_actors.telemetry.environment import configure_from_environment
        trace.set_tracer_provider(trace.NoOpTracerProvider())
        metrics.set_meter_provider(metrics.NoOpMeterProvider())
        first = configure_from_environment("driver")
        set_logger_provider(NoOpLoggerProvider()) if first.logger_provider is None else None
        print(json.dumps([
            first.tracer_provider is None, first.meter_provider is None,
            first.logger_provider is None, not configure_from_environment("driver").is_any,
        ]))
    """
    with OtlpReceiver() as receiver:
        made, said = in_a_process(code, receiver.environment())
    assert made == [True, True, False, True]
    assert said == ""


def test_a_dead_collector_holds_no_process_up_and_is_one_warning(dead_port):
    code = """
        import json
        from opentelemetry import metrics, trace
        from stageflow_actors.telemetry.environment import configure_from_environment
        configured = configure_from_environment("stage")
        tracer = trace.get_tracer("here")
        for _ in range(5000):
            tracer.start_span("work").end()
        metrics.get_meter("here").create_counter("runs").add(1)
        is_first_done = configured.shutdown(0.1)
        is_done = configured.shutdown(20)  # as soon as the exporter has given up
        counts = configured.span_counts["otlp"]
        decided = counts.failed + counts.dropped
        print(json.dumps([is_first_done, is_done, counts.exported, decided, counts.waiting]))
    """
    variables = {ENDPOINT: f"http://127.0.0.1:{dead_port}", "OTEL_BSP_MAX_QUEUE_SIZE": "10000"}
    # The SDK's own processors would each wait for 30 s at the end.
    seen, said = in_a_process(code, variables, timeout_s=25)
    assert seen == [False, True, 0, 5000, 0]
    beginnings = sorted(line.split(":")[0] for line in said.splitlines())
    assert beginnings[-1:] == ["Spans cannot be exported"]
    assert beginnings[:-1] in ([], ["Metrics cannot be exported"])  # which may not have begun


def test_a_short_program_is_told_that_its_spans_are_lost(dead_port):
    code = """
        import json
        from opentelemetry import trace
        from stageflow_actors.telemetry.environment import configure_from_environment
        configure_from_environment("driver")
        trace.get_tracer("here").start_span("work").end()
        print(json.dumps("done"))
    """
    variables = {ENDPOINT: f"http://127.0.0.1:{dead_port}", "OTEL_METRICS_EXPORTER": "none"}
    done, said = in_a_process(code, variables, timeout_s=25)
    assert done == "done"
    assert said.startswith("Spans cannot be exported: Transient error")
    assert len(said.splitlines()) == 1


@pytest.mark.parametrize("protocol", [HTTP, GRPC])
def test_all_signals_arrive_over_both_protocols(protocol, configure):
    with OtlpReceiver(protocol) as receiver:
        configured = configure(receiver.environment(), role="supervisor")
        end_spans(configured.tracer_provider, 3)
        configured.meter_provider.get_meter("here").create_counter("runs").add(2)
        configured.logger_provider.get_logger("here").emit(LogRecord(body="said"))
        receiver.wait_for(lambda seen: len(seen.spans) == 3 and seen.logs)
        assert configured.shutdown(30)
        assert [metric.points[0].value for metric in receiver.metrics] == [2]
        assert configured.span_counts == {"otlp": BatchCounts(submitted=3, exported=3)}
        assert configured.log_counts == {"otlp": BatchCounts(submitted=1, exported=1)}
        assert receiver.spans[0].resource["stageflow.process.role"] == "supervisor"


def test_the_environment_names_the_service_and_its_instance(configure):
    told = {
        "OTEL_TRACES_EXPORTER": "otlp",
        "OTEL_RESOURCE_ATTRIBUTES": "service.name=theirs,service.instance.id=i-7,team=voice",
    }
    attributes = configure(told).tracer_provider.resource.attributes
    assert attributes["service.name"] == "theirs"
    assert (attributes["service.instance.id"], attributes["team"]) == ("i-7", "voice")
    named = configure({"OTEL_SERVICE_NAME": "named"}).tracer_provider
    assert named.resource.attributes["service.name"] == "named"


def test_the_sampler_is_that_of_the_environment(configure):
    configured = configure({"OTEL_TRACES_EXPORTER": "otlp", "OTEL_TRACES_SAMPLER": "always_off"})
    end_spans(configured.tracer_provider, 5)
    assert configured.span_counts == {"otlp": BatchCounts()}


IS_UNKNOWN = "are not exported by it; possible are:"
ARE_WRONG = "as their OTEL_* variables are wrong:"


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        (
            {"OTEL_TRACES_EXPORTER": "zipkin"},
            (
                "OTEL_TRACES_EXPORTER names 'zipkin', which is unknown: traces "
                f"{IS_UNKNOWN} console, none, otlp."
            ),
        ),
        (
            {"OTEL_METRICS_EXPORTER": "carbon"},
            (
                "OTEL_METRICS_EXPORTER names 'carbon', which is unknown: metrics "
                f"{IS_UNKNOWN} console, none, otlp, prometheus."
            ),
        ),
        (
            {"OTEL_TRACES_EXPORTER": "otlp", "OTEL_SPAN_EVENT_COUNT_LIMIT": "-4"},
            f"Nothing is exported of traces, {ARE_WRONG} OTEL_SPAN_EVENT_COUNT_LIMIT must be",
        ),
        (
            {"OTEL_METRICS_EXPORTER": "otlp", "OTEL_METRIC_EXPORT_INTERVAL": "-4"},
            f"Nothing is exported of metrics, {ARE_WRONG} ",
        ),
        (
            {
                ENDPOINT: "http://x",
                "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc",
                "OTEL_EXPORTER_OTLP_COMPRESSION": "brotli",
            },
            "Nothing is exported by otlp over grpc, which cannot be made of the OTEL_* variables:",
        ),
    ],
)
def test_what_is_wrong_is_one_warning_and_the_rest_goes_on(variables, said, configure, warnings_of):
    configured = configure(variables)
    (warning,) = warnings_of()
    assert warning.startswith(said)
    assert not configured.is_any
    assert configured.shutdown(0)


def test_an_exporter_beside_an_unknown_one_is_used(configure, warnings_of):
    configured = configure({"OTEL_TRACES_EXPORTER": "zipkin,otlp"})
    assert list(configured.span_batches) == ["otlp"]
    assert len(warnings_of()) == 1


def test_a_protocol_that_is_not_installed_is_named_with_the_extra(
    configure, warnings_of, monkeypatch
):
    package = "opentelemetry.exporter.otlp.proto.grpc"
    for place in ("trace_exporter", "metric_exporter", "_log_exporter"):
        monkeypatch.setitem(sys.modules, f"{package}.{place}", None)  # importing it fails
    monkeypatch.delitem(sys.modules, "stageflow_actors.telemetry.otlp_grpc", raising=False)
    configured = configure({ENDPOINT: "http://x", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"})
    assert not configured.is_any
    for warning in warnings_of():
        assert warning.startswith("Nothing is exported by otlp over grpc, which is not installed")
        assert "pip install 'stageflow-actors[otlp]'" in warning
    assert len(warnings_of()) == 1


def test_every_place_where_an_exporter_is_looked_for_has_one():
    known = import_module("stageflow_actors.telemetry.exporters")._KNOWN
    for place in known.values():
        module, _, name = place.partition(":")
        assert callable(getattr(import_module(module), name))
    assert len(known) == 9


def test_limits_are_those_of_the_environment(configure, warnings_of):
    limits = {
        "OTEL_TRACES_EXPORTER": "otlp",
        "OTEL_BSP_MAX_QUEUE_SIZE": "40",
        "OTEL_BSP_MAX_EXPORT_BATCH_SIZE": "many",
        "OTEL_BSP_SCHEDULE_DELAY": "250",
    }
    batches = configure(limits).span_batches["otlp"]
    assert batches.limits == BatchLimits(max_queue_size=40, max_batch_size=40, delay_s=0.25)
    assert warnings_of() == [
        "OTEL_BSP_MAX_EXPORT_BATCH_SIZE=many is no positive number; it is 512."
    ]
