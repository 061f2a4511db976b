"""``build_app``: pipelines as an ASGI application."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from importlib.metadata import version
from types import MappingProxyType
from typing import Any

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from stageflow_actors.actors.runtime import Runtime
from stageflow_actors.security import TokenVerifier
from stageflow_actors.serving.callers import Gate
from stageflow_actors.serving.faults import Fault, ProblemError
from stageflow_actors.serving.guarded import check_routes
from stageflow_actors.serving.open_routes import health_router, openapi_router
from stageflow_actors.serving.openai.routes import openai_router
from stageflow_actors.serving.openapi import openapi_document
from stageflow_actors.serving.pipeline_routes import pipeline_router
from stageflow_actors.serving.problems import problem_response
from stageflow_actors.serving.request_spans import RequestSpans
from stageflow_actors.serving.run_desks import run_desks
from stageflow_actors.serving.run_routes import run_router
from stageflow_actors.serving.served import Servable, served_by_name
from stageflow_actors.serving.service import Service
from stageflow_actors.serving.settings import ServingSettings
from stageflow_actors.serving.socket_route import socket_route

_OF_STATUS = MappingProxyType({404: Fault.NOT_FOUND, 405: Fault.METHOD})


def build_app(
    pipelines: Mapping[str, Servable] | Iterable[Servable],
    *,
    runtime: Runtime,
    verifier: TokenVerifier | None = None,
    settings: ServingSettings | None = None,
    insecure_loopback: bool = False,
    title: str = "stageflow-actors",
) -> FastAPI:
    """An application that serves ``pipelines`` on ``runtime``; its lifespan opens and closes them.

    A pipeline is an object, an import path or the path of a file; a mapping gives names to them. A
    request can name one of these, and nothing else. ``verifier`` says whose a bearer token is;
    without one the application refuses to be made, but with ``insecure_loopback``: then it answers
    whoever is on this machine, and nobody else.

    Raises:
        ServingError: a pipeline cannot be had, two have one name, or nobody would verify tokens.
        PipelineValidationError: the stages do not form a pipeline.
    """
    bounds = settings or ServingSettings()
    gate = Gate(verifier, insecure_loopback=insecure_loopback, timeout_s=bounds.verifier_timeout_s)
    served = served_by_name(pipelines)
    return app_of(
        Service(served, lambda: run_desks(served, runtime, bounds), gate, bounds), title=title
    )


def app_of(service: Service, *, title: str) -> FastAPI:
    """The application in front of ``service``."""

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        async with service.opened():
            yield

    app = FastAPI(
        title=title,
        version=version("stageflow-actors"),
        lifespan=lifespan,
        openapi_url=None,
        redirect_slashes=False,
        # Its metrics are left; of its spans and logs, RequestSpans says why they are not wanted.
        telemetry={"tracing": False, "logs": False, "auto_configure": False},
    )
    app.add_middleware(RequestSpans)
    app.state.service = service
    models = openai_router(service.pipelines)
    for router in (run_router(), pipeline_router(), models, health_router(), openapi_router()):
        for route in router.routes:
            app.router.routes.append(route)
    app.router.routes.append(socket_route())
    check_routes(app.routes)
    _answer_errors(app)
    _describe(app, service)
    return app


def _answer_errors(app: FastAPI) -> None:
    async def of_http(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        fault = _OF_STATUS.get(error.status_code, Fault.DEFECT)
        return problem_response(ProblemError(fault, headers=error.headers), request.scope)

    async def of_parameters(request: Request, _error: Exception) -> Response:
        return problem_response(ProblemError(Fault.QUERY), request.scope)

    async def of_defects(request: Request, _error: Exception) -> Response:
        return problem_response(ProblemError(Fault.DEFECT), request.scope)

    app.add_exception_handler(HTTPException, of_http)
    app.add_exception_handler(RequestValidationError, of_parameters)
    app.add_exception_handler(Exception, of_defects)


def _describe(app: FastAPI, service: Service) -> None:
    """Written once, so that a schema that cannot be had is found before anybody asks."""
    document = openapi_document(
        app.routes,
        service.pipelines,
        title=app.title,
        version=app.version,
        is_guarded=service.gate.asks_for_tokens,
    )

    def openapi() -> dict[str, Any]:
        return document

    app.openapi = openapi  # type: ignore[method-assign]
