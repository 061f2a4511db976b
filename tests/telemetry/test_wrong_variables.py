"""Variables that say what there is not: what is done instead, told once in a process."""

import json
import logging
import os
import subprocess
import sys

import pytest
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter

from stageflow_actors.telemetry.exporters import Exporters, Signal
from tests.style.sources import ROOT
from tests.telemetry.otlp_receiver import OtlpReceiver

PROTOCOL = "OTEL_EXPORTER_OTLP_PROTOCOL"
OF_TRACES = "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL"
TWO_RUNTIMES = """
import json
from opentelemetry import trace
from stageflow_actors import LocalRuntime
first, second = LocalRuntime(), LocalRuntime()
trace.get_tracer("here").start_span("work").end()
print(json.dumps([first.exports.is_any, first.exports.shutdown(20), second.exports.is_any]))
"""


def told_by_two_runtimes(variables, more=""):
    """What is exported by each, and what the process says."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("OTEL_")}
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", more + TWO_RUNTIMES],
        cwd=ROOT,
        env=kept | variables,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1]), done.stderr.splitlines()


@pytest.mark.parametrize("unknown", ["http/json", "nonsense"])
def test_an_unknown_protocol_is_one_warning_and_the_usual_one_is_used(unknown):
    with OtlpReceiver() as receiver:
        variables = receiver.environment() | {PROTOCOL: unknown}
        exported, said = told_by_two_runtimes(variables)
        assert [span.name for span in receiver.spans] == ["work"]
    assert exported == [True, True, False]
    [warning] = said
    assert warning == (
        f"{PROTOCOL} names '{unknown}', which is unknown: http/protobuf is used; "
        "possible are: grpc, http/protobuf."
    )


def test_an_unknown_protocol_of_one_signal_leaves_it_that_of_all(caplog):
    caplog.set_level(logging.WARNING)
    made = Exporters({PROTOCOL: "grpc", OF_TRACES: "pigeon"}).make(Signal.TRACES, "otlp")
    try:
        assert isinstance(made, OTLPSpanExporter)
    finally:
        made.shutdown()
    [warning] = caplog.messages
    assert warning.startswith(f"{OF_TRACES} names 'pigeon', which is unknown: grpc is used;")


def test_an_unknown_exporter_is_one_warning_that_says_what_is_not_exported():
    exported, said = told_by_two_runtimes({"OTEL_TRACES_EXPORTER": "zipkin"})
    assert exported == [False, True, False]
    [warning] = said
    assert "'zipkin', which is unknown: traces are not exported by it" in warning


def test_what_is_not_installed_is_one_hint():
    lacking = (
        "import sys\n"
        "for name in ('trace_exporter', 'metric_exporter', '_log_exporter'):\n"
        "    sys.modules['opentelemetry.exporter.otlp.proto.http.' + name] = None\n"
    )
    variables = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1"}
    exported, said = told_by_two_runtimes(variables, lacking)
    assert exported == [False, True, False]
    [warning] = said
    assert "pip install 'stageflow-actors[otlp]'" in warning


def test_what_could_not_be_made_is_tried_again_under_other_variables():
    more = "import os\nfrom stageflow_actors import LocalRuntime\nLocalRuntime()\n"
    more += "os.environ['OTEL_TRACES_EXPORTER'] = 'console'\n"
    exported, said = told_by_two_runtimes({"OTEL_TRACES_EXPORTER": "zipkin"}, more)
    assert exported == [True, True, False]
    assert len(said) == 1
