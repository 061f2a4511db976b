"""One live server per module: the pipelines of ``flows``, behind tokens, on ``LocalRuntime``."""

from __future__ import annotations

import pytest

from stageflow_actors import InMemoryEventSink, LocalRuntime
from stageflow_actors.serving import ServedPipeline, ServingSettings, build_app
from tests.serving import flows
from tests.serving.live import Live, Tokens
from tests.serving.sockets import open_socket


@pytest.fixture(scope="module")
def gates():
    return flows.Gates()


@pytest.fixture(scope="module")
def served(gates):
    """The pipelines to serve; a module may have its own."""
    return [
        flows.typed(),
        flows.plain(),
        flows.failing(),
        flows.refusing(),
        flows.bursting(gates),
        flows.gated(gates),
        ServedPipeline(flows.gated(gates, "lasting"), on_disconnect="continue"),
    ]


@pytest.fixture(scope="module")
def settings():
    """The bounds; a module may have its own."""
    return ServingSettings(max_body_bytes=20_000, heartbeat_s=0.05, drain_s=0.2)


@pytest.fixture(scope="module")
def live(served, settings):
    runtime = LocalRuntime(event_sink=InMemoryEventSink())
    app = build_app(served, runtime=runtime, verifier=Tokens(), settings=settings)
    server = Live(app).start()
    yield server
    server.stop()


@pytest.fixture
def client(live):
    with live.client() as asking:
        yield asking


@pytest.fixture
def socket(live):
    """A WebSocket to the live server."""
    with open_socket(live) as opened:
        yield opened
