"""Health, for whoever asks; and the description of the interface, for whoever may."""

from __future__ import annotations

import json

from fastapi import APIRouter, Request
from fastapi.openapi.docs import get_swagger_ui_html
from starlette.responses import Response

from stageflow_actors.serving.faults import SOON_S, Fault, ProblemError
from stageflow_actors.serving.guarded import GuardedRoute, service_of

_JSON = "application/json"


def health_router() -> APIRouter:
    """The only routes that are open."""
    router = APIRouter(route_class=GuardedRoute, tags=["health"])
    router.add_api_route("/healthz/live", live, methods=["GET"], summary="Whether it answers")
    router.add_api_route("/healthz/ready", ready, methods=["GET"], summary="Whether it takes runs")
    return router


def openapi_router() -> APIRouter:
    """The OpenAPI document, and a page that shows it."""
    router = APIRouter(route_class=GuardedRoute, include_in_schema=False)
    router.add_api_route("/openapi.json", openapi, methods=["GET"])
    router.add_api_route("/docs", docs, methods=["GET"])
    return router


async def live(request: Request) -> Response:
    """The event loop turns."""
    return Response(b'{"status":"live"}', media_type=_JSON)


async def ready(request: Request) -> Response:
    """Every pipeline is up, and takes runs; 503 where that is not so."""
    if not service_of(request).is_ready:
        raise ProblemError(Fault.NOT_READY, retry_after_s=SOON_S)
    return Response(b'{"status":"ready"}', media_type=_JSON)


async def openapi(request: Request) -> Response:
    """The interface as OpenAPI, with the schemas of the pipelines."""
    return Response(json.dumps(request.app.openapi()), media_type=_JSON)


async def docs(request: Request) -> Response:
    """A page that shows the document above. A browser loads its scripts from a public site."""
    return get_swagger_ui_html(openapi_url="openapi.json", title=request.app.title)
