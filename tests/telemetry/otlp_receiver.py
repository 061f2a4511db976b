"""A collector on this machine: it decodes what is exported to it, and misbehaves when told to."""

from __future__ import annotations

import contextlib
import gzip
import threading
import zlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self

import grpc
from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.logs.v1 import logs_service_pb2, logs_service_pb2_grpc
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2, metrics_service_pb2_grpc
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2, trace_service_pb2_grpc

from tests.telemetry.otlp_records import (
    SeenLog,
    SeenMetric,
    SeenSpan,
    logs_in,
    metrics_in,
    spans_in,
)

HTTP = "http/protobuf"
GRPC = "grpc"
ENCODINGS = {"gzip": gzip.decompress, "deflate": zlib.decompress, "identity": bytes}
REQUESTS = {
    "/v1/traces": trace_service_pb2.ExportTraceServiceRequest,
    "/v1/metrics": metrics_service_pb2.ExportMetricsServiceRequest,
    "/v1/logs": logs_service_pb2.ExportLogsServiceRequest,
}
RESPONSES = {
    "/v1/traces": trace_service_pb2.ExportTraceServiceResponse,
    "/v1/metrics": metrics_service_pb2.ExportMetricsServiceResponse,
    "/v1/logs": logs_service_pb2.ExportLogsServiceResponse,
}


@dataclass(frozen=True)
class Asked:
    """A request as it came, before anything was done with it."""

    path: str
    encoding: str
    headers: dict[str, str]


@dataclass(frozen=True)
class Conduct:
    """What is done with a request: after ``delay_s``, and once ``gate`` is set."""

    gate: threading.Event
    delay_s: float = 0.0
    status: int = 200
    retry_after_s: float | None = None
    hangs_up: bool = False


class OtlpReceiver:
    """Listens on the loopback while it is entered, and keeps all that it has accepted.

    ``protocol`` is ``http/protobuf`` or ``grpc``. What a test changes by ``refuse``, ``hang``,
    ``hang_up`` and ``be_slow`` holds for requests that come afterwards, until ``behave``.
    """

    def __init__(self, protocol: str = HTTP) -> None:
        self.protocol = protocol
        self._changed = threading.Condition()
        self._spans: list[SeenSpan] = []
        self._metrics: list[SeenMetric] = []
        self._logs: list[SeenLog] = []
        self._asked: list[Asked] = []
        self._ends = threading.Event()
        self._gates: list[threading.Event] = []
        self._stack = contextlib.ExitStack()
        self._port = 0
        self.behave()

    def __enter__(self) -> Self:
        start = {HTTP: _serve_http, GRPC: _serve_grpc}[self.protocol]
        self._port = start(self, self._stack)
        return self

    def __exit__(self, *_exc) -> None:
        self._ends.set()
        for gate in self._gates:
            gate.set()
        self._stack.close()

    @property
    def endpoint(self) -> str:
        """Its URL, without the path of a signal."""
        return f"http://127.0.0.1:{self._port}"

    def environment(self) -> dict[str, str]:
        """The variables that make a process export all it has to this receiver, soon."""
        return {
            "OTEL_TRACES_EXPORTER": "otlp",
            "OTEL_METRICS_EXPORTER": "otlp",
            "OTEL_LOGS_EXPORTER": "otlp",
            "OTEL_EXPORTER_OTLP_ENDPOINT": self.endpoint,
            "OTEL_EXPORTER_OTLP_PROTOCOL": self.protocol,
            "OTEL_BSP_SCHEDULE_DELAY": "20",
            "OTEL_BLRP_SCHEDULE_DELAY": "20",
        }

    @property
    def spans(self) -> list[SeenSpan]:
        with self._changed:
            return list(self._spans)

    @property
    def metrics(self) -> list[SeenMetric]:
        with self._changed:
            return list(self._metrics)

    @property
    def logs(self) -> list[SeenLog]:
        with self._changed:
            return list(self._logs)

    @property
    def asked(self) -> list[Asked]:
        """Every request that came, accepted or not."""
        with self._changed:
            return list(self._asked)

    def wait_for(self, predicate, timeout: float = 30.0) -> None:
        """Until ``predicate(self)``; an ``AssertionError`` that says what came, if it never is."""
        with self._changed:
            if self._changed.wait_for(lambda: predicate(self), timeout):
                return
            raise AssertionError(
                f"not within {timeout} s; there are {len(self._asked)} requests, spans "
                f"{[span.name for span in self._spans]}, metrics "
                f"{[metric.name for metric in self._metrics]}, logs "
                f"{[log.body for log in self._logs]}"
            )

    def behave(self) -> None:
        """Accept requests again. What hangs already goes on only after ``release``."""
        self._conduct = Conduct(_open_gate())

    def refuse(self, status: int = 503, retry_after_s: float | None = None) -> None:
        """Answer with an error; over gRPC ``UNAVAILABLE``, or ``INVALID_ARGUMENT`` below 500."""
        self._conduct = Conduct(_open_gate(), status=status, retry_after_s=retry_after_s)

    def hang(self) -> None:
        """Answer nothing, until ``release``; then accept."""
        gate = threading.Event()
        self._gates.append(gate)
        self._conduct = Conduct(gate)

    def release(self) -> None:
        """Let what hangs go on, and behave."""
        self.behave()
        for gate in self._gates:
            gate.set()

    def hang_up(self) -> None:
        """Close each connection once its request is read."""
        self._conduct = Conduct(_open_gate(), hangs_up=True)

    def be_slow(self, delay_s: float) -> None:
        """Accept each request ``delay_s`` late."""
        self._conduct = Conduct(_open_gate(), delay_s=delay_s)

    def note(self, asked: Asked) -> Conduct:
        """Keep ``asked``, and wait as long as the request has to; what is to be done with it."""
        with self._changed:
            conduct = self._conduct
            self._asked.append(asked)
            self._changed.notify_all()
        conduct.gate.wait()
        if conduct.delay_s:
            self._ends.wait(conduct.delay_s)
        return conduct

    def accept(self, path: str, request) -> None:
        with self._changed:
            if path == "/v1/traces":
                self._spans.extend(spans_in(request))
            elif path == "/v1/metrics":
                self._metrics.extend(metrics_in(request))
            else:
                self._logs.extend(logs_in(request))
            self._changed.notify_all()


def _open_gate() -> threading.Event:
    gate = threading.Event()
    gate.set()
    return gate


def _serve_http(receiver: OtlpReceiver, stack: contextlib.ExitStack) -> int:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            encoding = self.headers.get("Content-Encoding", "identity")
            headers = {name.lower(): value for name, value in self.headers.items()}
            conduct = receiver.note(Asked(self.path, encoding, headers))
            if conduct.hangs_up:
                return
            status = conduct.status if self.path in REQUESTS else 404
            if status == 200:
                try:
                    request = REQUESTS[self.path].FromString(ENCODINGS[encoding](body))
                    receiver.accept(self.path, request)
                except (DecodeError, KeyError, OSError, zlib.error):
                    status = 400
            with contextlib.suppress(OSError):  # who asked may have given up
                self._reply(status, conduct)

        def _reply(self, status, conduct):
            body = RESPONSES[self.path]().SerializeToString() if status == 200 else b""
            self.send_response(status)
            if conduct.retry_after_s is not None:
                self.send_header("Retry-After", str(conduct.retry_after_s))
            self.send_header("Content-Type", "application/x-protobuf")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_args):
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = False  # closing waits for each of them

        def handle_error(self, *_args):
            pass  # who hangs up

    server = stack.enter_context(Server(("127.0.0.1", 0), Handler))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    stack.callback(thread.join)
    stack.callback(server.shutdown)
    return server.server_port


def _serve_grpc(receiver: OtlpReceiver, stack: contextlib.ExitStack) -> int:
    class Servicer:
        def __init__(self, path):
            self._path = path

        def Export(self, request, context):
            headers = dict(context.invocation_metadata())
            encoding = headers.get("grpc-encoding", "identity")
            conduct = receiver.note(Asked(self._path, encoding, headers))
            if conduct.hangs_up:
                context.abort(grpc.StatusCode.CANCELLED, "hung up")
            if conduct.status >= 500:
                context.abort(grpc.StatusCode.UNAVAILABLE, "refused")
            if conduct.status != 200:
                context.abort(grpc.StatusCode.INVALID_ARGUMENT, "refused")
            receiver.accept(self._path, request)
            return RESPONSES[self._path]()

    pool = stack.enter_context(ThreadPoolExecutor(max_workers=4))
    server = grpc.server(pool)
    trace_service_pb2_grpc.add_TraceServiceServicer_to_server(Servicer("/v1/traces"), server)
    metrics_service_pb2_grpc.add_MetricsServiceServicer_to_server(Servicer("/v1/metrics"), server)
    logs_service_pb2_grpc.add_LogsServiceServicer_to_server(Servicer("/v1/logs"), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    stack.callback(lambda: server.stop(grace=0).wait())
    return port
