"""The routes of pipelines: which there are, what they take, how they look."""

from __future__ import annotations

import json
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from stageflow_actors.serving.faults import Fault, ProblemError
from stageflow_actors.serving.guarded import GuardedRoute, prefix_of, service_of
from stageflow_actors.serving.served import GraphFormat

_JSON = "application/json"
_TYPES = (
    (GraphFormat.SVG, "image/svg+xml"),
    (GraphFormat.MERMAID, "text/vnd.mermaid; charset=utf-8"),
    (GraphFormat.DOT, "text/vnd.graphviz; charset=utf-8"),
    (GraphFormat.JSON, _JSON),
)
_PICTURE_ONLY = "default-src 'none'; style-src 'unsafe-inline'"


def pipeline_router() -> APIRouter:
    """The routes of pipelines."""
    router = APIRouter(route_class=GuardedRoute, tags=["pipelines"])
    router.add_api_route(
        "/v1/pipelines", list_pipelines, methods=["GET"], summary="Which pipelines there are"
    )
    router.add_api_route(
        "/v1/pipelines/{name}",
        describe_pipeline,
        methods=["GET"],
        summary="Schemas, stages and where they run",
    )
    router.add_api_route(
        "/v1/pipelines/{name}/graph", draw_pipeline, methods=["GET"], summary="A picture"
    )
    return router


async def list_pipelines(request: Request) -> Response:
    """Every pipeline that can be run."""
    told = [
        {"name": name, "stages": len(served.graph.plan.stages), "links": _links(name, request)}
        for name, served in service_of(request).pipelines.items()
    ]
    return _json({"pipelines": told})


async def describe_pipeline(name: str, request: Request) -> Response:
    """What a pipeline takes and returns, its stages, and what their processes ask for."""
    served = service_of(request).served(name)
    return _json({"name": name, **served.description, "links": _links(name, request)})


async def draw_pipeline(name: str, request: Request) -> Response:
    """The graph of a pipeline; `format` is `svg`, `mermaid`, `dot` or `json`."""
    served = service_of(request).served(name)
    wanted = request.query_params.getlist("format") or [GraphFormat.SVG.value]
    if len(wanted) != 1 or wanted[0] not in list(GraphFormat):
        raise ProblemError(Fault.QUERY, f"format is one of {', '.join(GraphFormat)}.")
    format_ = GraphFormat(wanted[0])
    if format_ is GraphFormat.JSON:
        return _json({"pipeline": name, **served.graph_data()})
    type_ = next(type_ for each, type_ in _TYPES if each is format_)
    headers = {"Content-Security-Policy": _PICTURE_ONLY}
    return Response(served.picture(format_), headers=headers, media_type=type_)


def _links(name: str, request: Request) -> dict[str, str]:
    path = f"{prefix_of(request)}/v1/pipelines/{name}"
    return {"self": path, "runs": f"{path}/runs", "graph": f"{path}/graph"}


def _json(document: dict[str, Any]) -> Response:
    return Response(json.dumps(document, ensure_ascii=True), media_type=_JSON)
