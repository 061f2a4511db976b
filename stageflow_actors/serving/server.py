"""Serves an application with uvicorn: one process, for a laptop."""

from __future__ import annotations

import logging
import math
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import uvicorn
from fastapi import FastAPI

from stageflow_actors.errors import RuntimeFault
from stageflow_actors.serving.faults import ServingError
from stageflow_actors.serving.service import Service

_ENDING = (signal.SIGINT, signal.SIGTERM)
_SHUTDOWN_S = 2.0
"""Beyond ``drain_s``: what is left to answers that are on their way."""


def make_server(app: FastAPI, *, host: str, port: int) -> uvicorn.Server:
    """A server that is not started yet.

    Raises:
        ServingError: others than this machine would reach an application that asks nobody who they
            are (``SERVE-EXPOSED``).
    """
    service: Service = app.state.service
    service.gate.check_host(host)
    config = uvicorn.Config(
        app,
        host=host,
        port=port,
        lifespan="on",
        log_level="warning",
        access_log=False,
        proxy_headers=False,  # or anybody could say that they are on this machine
        server_header=False,
        timeout_graceful_shutdown=math.ceil(service.settings.drain_s + _SHUTDOWN_S),
    )
    return _TellingServer(config)


def run_server(server: uvicorn.Server, on_started: Callable[[str], None]) -> None:
    """Serve until SIGINT or SIGTERM; ``on_started`` gets the URL once it answers.

    Raises:
        StageflowError: a pipeline could not be deployed.
        ServingError: the address cannot be had (``SERVE-ADDRESS``).
    """
    assert isinstance(server, _TellingServer)
    server.on_started = on_started
    service: Service = server.config.app.state.service  # type: ignore[union-attr]
    uvicorn_log = logging.getLogger("uvicorn.error")
    uvicorn_log.addFilter(_without_startup_trace)
    try:
        server.run()
    except SystemExit:
        if service.startup_error is None:
            where = f"{server.config.host}:{server.config.port}"
            raise ServingError(
                f"Nobody can listen at {where}.",
                hint="Another program may do so already: give another --port.",
                code="SERVE-ADDRESS",
            ) from None
    finally:
        uvicorn_log.removeFilter(_without_startup_trace)
    if service.startup_error is not None:
        raise service.startup_error
    if not server.started:
        raise RuntimeFault("The server did not start.", code="SERVE-START")


def _without_startup_trace(record: logging.LogRecord) -> bool:
    """What kept a pipeline from being deployed is raised; uvicorn need not print it, too."""
    return "Traceback" not in record.getMessage() and "startup failed" not in record.getMessage()


class _TellingServer(uvicorn.Server):
    """Says when it answers; a signal ends it, and nothing else of the process."""

    on_started: Callable[[str], None] | None = None

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """What has to be closed after it is closed: signals are not raised once more."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {each: signal.signal(each, self.handle_exit) for each in _ENDING}
        try:
            yield
        finally:
            for each, handler in before.items():
                signal.signal(each, handler)

    async def startup(self, sockets: object = None) -> None:
        await super().startup(sockets)  # type: ignore[arg-type]
        if self.started and self.on_started is not None:
            host, port = self.servers[0].sockets[0].getsockname()[:2]
            shown = f"[{host}]" if ":" in host else host
            self.on_started(f"http://{shown}:{port}")
