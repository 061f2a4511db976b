"""The routes of runs: start, ask, watch, cancel."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import Response

from stageflow_actors.serving.bodies import object_of, read_body, run_body_from
from stageflow_actors.serving.callers import audiences_of
from stageflow_actors.serving.desk import BATCH_BYTES, Reading, RunOrder, Shown
from stageflow_actors.serving.event_stream import NOTHING_YET, EventStream
from stageflow_actors.serving.guarded import GuardedRoute, caller_of, prefix_of, service_of
from stageflow_actors.serving.headers import preference, wants_events
from stageflow_actors.serving.orders import terms_of
from stageflow_actors.serving.presence import while_there
from stageflow_actors.serving.request_trace import note_run
from stageflow_actors.serving.sse import number_after
from stageflow_actors.serving.start_route import StartRoute, room_of

_JSON = "application/json"


def run_router() -> APIRouter:
    """The routes of runs."""
    router = APIRouter(route_class=GuardedRoute, tags=["runs"])
    router.add_api_route(
        "/v1/pipelines/{name}/runs",
        start_run,
        methods=["POST"],
        summary="Start a run",
        route_class_override=StartRoute,
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
    says where the run is. With `Accept: text/event-stream` it has the events as they come.
    `Stageflow-Timeout` is how many seconds the run may take. With an `Idempotency-Key` one run is
    started, however often it is asked for; 409 for another request.
    """
    service = service_of(request)
    served, settings = service.served(name), service.settings
    terms = terms_of(request)
    wanted = preference(request.headers.getlist("prefer"))
    content = await read_body(request, settings)
    order = terms.order(
        run_body_from(object_of(content, settings)),
        name,
        content,
        size=len(content),
        is_cancelled_when_left=served.is_cancelled_when_left and wanted.wait_s is None,
    )._replace(room=room_of(request))
    if wants_events(request.headers.getlist("accept")):
        return await _started_stream(request, name, order)
    shown = await while_there(
        request.scope, request.receive, service.run(name, order, wanted.wait_s)
    )
    note_run(request.scope, shown.run_id)
    headers = {"Location": f"{order.prefix}/v1/runs/{shown.run_id}"}
    if wanted.applied and not shown.is_ended:
        headers["Preference-Applied"] = wanted.applied
    return _answer(shown, 200 if shown.is_ended else 202, headers)


async def get_run(run_id: str, request: Request) -> Response:
    """The state of a run, and its result once it has ended."""
    shown = await service_of(request).look(run_id, caller_of(request).tenant)
    note_run(request.scope, shown.run_id)
    return _answer(shown, 200)


async def get_events(run_id: str, request: Request) -> Response:
    """The events of a run as server-sent events, from its first to `run.ended`.

    `Last-Event-ID` says which event the client had last; it goes on with the next one. Who had the
    last one gets 204: there is nothing to come back for. Pieces that are not for users are there
    for who has the scope `runs:internal`.
    """
    service, caller = service_of(request), caller_of(request)
    after = number_after(request.headers.get("last-event-id"))
    reading = Reading(run_id, caller.tenant, after, audiences_of(caller), BATCH_BYTES, wait_s=0.0)
    found = await service.read(reading)
    note_run(request.scope, run_id)
    if found.is_over and not found.entries:
        return Response(status_code=204)
    return EventStream(service, reading, found)


async def cancel_run(run_id: str, request: Request) -> Response:
    """Ask a run to stop. Its state says when it has; 409 if it had ended before."""
    shown = await service_of(request).cancel(run_id, caller_of(request).tenant)
    note_run(request.scope, shown.run_id)
    return _answer(shown, 202, {"Location": f"{prefix_of(request)}/v1/runs/{shown.run_id}"})


async def _started_stream(request: Request, name: str, order: RunOrder) -> Response:
    service = service_of(request)
    order = order._replace(is_watched=True)
    shown = await service.hold(service.run(name, order, 0.0))
    note_run(request.scope, shown.run_id)
    tenant, audiences = order.caller.tenant, audiences_of(order.caller)
    reading = Reading(str(shown.run_id), tenant, 0, audiences, BATCH_BYTES, wait_s=0.0)
    answer = EventStream(
        service, reading, NOTHING_YET, cancels_when_left=order.ends_with_its_client
    )
    answer.headers["Location"] = f"{order.prefix}/v1/runs/{shown.run_id}"
    return answer


def _answer(shown: Shown, status: int, headers: dict[str, str] | None = None) -> Response:
    return Response(shown.document, status, headers, _JSON)
