"""``StartRoute``: the route that starts runs; it refuses before anything is waited for."""

from __future__ import annotations

import asyncio

from starlette.requests import Request
from starlette.responses import Response

from stageflow_actors.serving.callers import Caller
from stageflow_actors.serving.guarded import GuardedRoute, Handler, service_of
from stageflow_actors.serving.headers import KEY_HEADER
from stageflow_actors.serving.room import Room
from stageflow_actors.serving.scopes import Scope


class StartRoute(GuardedRoute):
    """Refuses in one turn of the event loop whoever has had all that a tenant may have.

    Neither is the body asked for then, nor is a token verified that was a moment ago. Serve's proxy
    is called for the body of each request, unless its answer is there before the event loop turns:
    that costs more than all the rest of a refusal. Room is held from here on, or all that come
    while one body is read would find the same. A request with a key may be for a run that there is.
    """

    async def admit(self, request: Request, scope: Scope) -> Caller:
        """As any other, and there may be room for the run."""
        if KEY_HEADER in request.headers:
            return await super().admit(request, scope)
        service, name = service_of(request), request.path_params["name"]
        recent = service.gate.recent_tenant(request)
        if recent is not None:
            request.state.room = service.reserve(name, recent)
        caller = await super().admit(request, scope)
        if caller.tenant != recent:
            _give_back(request)
            request.state.room = service.reserve(name, caller.tenant)
        await asyncio.sleep(0)  # the body is asked for now, and comes while the rest is looked at
        return caller

    def get_route_handler(self) -> Handler:
        """What of the room was not used is there for others at the end."""
        guarded = super().get_route_handler()

        async def started(request: Request) -> Response:
            try:
                return await guarded(request)
            finally:
                _give_back(request)

        return started


def room_of(request: Request) -> Room | None:
    """What is held for the run that the request asks for."""
    room: Room | None = getattr(request.state, "room", None)
    return room


def _give_back(request: Request) -> None:
    room = room_of(request)
    if room is not None:
        room.give_back()
