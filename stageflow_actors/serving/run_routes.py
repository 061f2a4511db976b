"""The routes of runs: start, ask, watch, cancel."""

from __future__ import annotations

import asyncio
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from stageflow_actors.serving.bodies import read_run_body
from stageflow_actors.serving.event_stream import EventStream
from stageflow_actors.serving.faults import Fault, ProblemError
from stageflow_actors.serving.guarded import GuardedRoute, caller_of, service_of
from stageflow_actors.serving.headers import TIMEOUT_HEADER, deadline_s, preference
from stageflow_actors.serving.problems import problem_of
from stageflow_actors.serving.records import RunRecord
from stageflow_actors.serving.served import OnDisconnect
from stageflow_actors.serving.tape import position_after

_JSON = "application/json"
_GONE = "the client disconnected"
_BY_REQUEST = "the client asked"


def run_router() -> APIRouter:
    """The routes of runs."""
    router = APIRouter(route_class=GuardedRoute, tags=["runs"])
    router.add_api_route(
        "/v1/pipelines/{name}/runs", start_run, methods=["POST"], summary="Start a run"
    )
    router.add_api_route("/v1/runs/{run_id}", get_run, methods=["GET"], summary="State and result")
    router.add_api_route(
        "/v1/runs/{run_id}/events", get_events, methods=["GET"], summary="Events as they come"
    )
    router.add_api_route("/v1/runs/{run_id}", cancel_run, methods=["DELETE"], summary="Cancel")
    return router


async def start_run(name: str, request: Request) -> Response:
    """Start a run, and answer when it has ended: with its result, whatever its end.

    With `Prefer: respond-async` the answer is 202 at once, or after `wait=SECONDS`, and `Location`
    says where the run is. `Stageflow-Timeout` is how many seconds the run may take.
    """
    service, caller = service_of(request), caller_of(request)
    served = service.served(name)
    settings = service.settings
    timeout_s = deadline_s(
        request.headers.getlist(TIMEOUT_HEADER),
        settings.default_timeout_s,
        settings.max_timeout_s,
    )
    wanted = preference(request.headers.getlist("prefer"))
    body = await read_run_body(request, settings)
    record = await service.start(name, caller, body, timeout_s)
    is_cancelled = served.on_disconnect == OnDisconnect.CANCEL and wanted.wait_s is None
    if wanted.wait_s != 0:
        await _wait(record, request, wanted.wait_s, cancels=is_cancelled)
    if record.refusal is not None:
        raise problem_of(record.refusal)
    headers = {"Location": f"/v1/runs/{record.run_id}"}
    if wanted.applied and not record.is_ended:
        headers["Preference-Applied"] = wanted.applied
    return _shown(record, 200 if record.is_ended else 202, headers)


async def get_run(run_id: str, request: Request) -> Response:
    """The state of a run, and its result once it has ended."""
    return _shown(service_of(request).book.find(run_id, caller_of(request).tenant), 200)


async def get_events(run_id: str, request: Request) -> Response:
    """The events of a run as server-sent events, from its first to `run.ended`.

    `Last-Event-ID` says which event the client had last; it goes on with the next one. Who had the
    last one gets 204: there is nothing to come back for.
    """
    service = service_of(request)
    record = service.book.find(run_id, caller_of(request).tenant)
    position = position_after(request.headers.get("last-event-id"), len(record.tape))
    if record.is_ended and position == len(record.tape):
        return Response(status_code=204)
    return EventStream(service, record, position)


async def cancel_run(run_id: str, request: Request) -> Response:
    """Ask a run to stop. Its state says when it has; 409 if it had ended before."""
    record = service_of(request).book.find(run_id, caller_of(request).tenant)
    if not await record.cancel(_BY_REQUEST):
        raise ProblemError(Fault.RUN_ENDED, run_id=record.run_id)
    return _shown(record, 202, {"Location": f"/v1/runs/{record.run_id}"})


async def _wait(
    record: RunRecord, request: Request, limit_s: float | None, *, cancels: bool
) -> None:
    """Until the run has ended, ``limit_s`` is up, or the client has gone."""
    assert record.ending is not None, "it was started"
    record.is_awaited = True
    leaving = asyncio.create_task(_left(request))
    waiting: set[asyncio.Task[Any]] = {record.ending, leaving}
    try:
        await asyncio.wait(waiting, timeout=limit_s, return_when=asyncio.FIRST_COMPLETED)
        if leaving.done() and cancels:
            await record.cancel(_GONE)
    except asyncio.CancelledError:  # how some servers say that the client has gone
        if cancels:
            await record.cancel(_GONE)
        raise
    finally:
        record.is_awaited = False
        leaving.cancel()


async def _left(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


def _shown(record: RunRecord, status: int, headers: dict[str, str] | None = None) -> Response:
    return Response(record.shown(), status, headers, _JSON)
