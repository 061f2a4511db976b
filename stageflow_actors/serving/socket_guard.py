"""``GuardedSocketRoute``: no WebSocket without a rule, none without a caller that it allows."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from urllib.parse import urlsplit

from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket, WebSocketState

from stageflow_actors.serving.callers import Caller, is_loopback_host
from stageflow_actors.serving.faults import Fault, ProblemError, ServingError
from stageflow_actors.serving.problems import problem_response
from stageflow_actors.serving.scopes import WEBSOCKET, Scope, rule_for
from stageflow_actors.serving.service import Service

PROTOCOL = "stageflow.v1"
"""What is spoken over the socket."""

_BEARER = "bearer."
_DENIAL = "websocket.http.response"
_CLOSE_CODES = 4000

Endpoint = Callable[[WebSocket, Caller], Awaitable[None]]


class GuardedSocketRoute(WebSocketRoute):
    """A route whose endpoint is reached by callers that its rule allows, before the handshake.

    A ``ProblemError`` of the endpoint refuses the handshake, too, until it accepts it.

    Raises:
        ServingError: it has no rule, or one that lets everybody in (``SERVE-ROUTE``).
    """

    methods = frozenset({WEBSOCKET})

    def __init__(self, path: str, endpoint: Endpoint) -> None:
        scope = rule_for(self.methods, path).scope
        if scope is None:
            raise ServingError(f"The socket {path} is open to everybody.", code="SERVE-ROUTE")

        async def guarded(websocket: WebSocket) -> None:
            websocket.scope["route"] = self  # as routes of FastAPI do
            await websocket.receive()  # that somebody connects
            try:
                await endpoint(websocket, await _caller_of(websocket, scope))
            except ProblemError as problem:
                if websocket.application_state is not WebSocketState.CONNECTING:
                    raise
                await _deny(websocket, problem)

        super().__init__(path, guarded)


def chosen_protocol(websocket: WebSocket) -> str | None:
    """Ours, if the client offers any. Its token, which may stand beside it, is never sent back.

    Raises:
        ProblemError: it offers others only.
    """
    offered = [each for each in _offered(websocket) if not each.startswith(_BEARER)]
    if PROTOCOL in offered:
        return PROTOCOL
    if _offered(websocket):
        raise ProblemError(Fault.HEADER, f"Sec-WebSocket-Protocol has to have {PROTOCOL}.")
    return None


async def _caller_of(websocket: WebSocket, scope: Scope) -> Caller:
    """Who connects: by the header, or from a browser, which can set none, by a subprotocol."""
    service: Service = websocket.app.state.service
    given = websocket.headers.getlist("authorization")
    for each in _offered(websocket):
        if each.startswith(_BEARER):
            given.append(f"Bearer {each.removeprefix(_BEARER)}")
    caller = await service.gate.admit(websocket, scope, given)
    if not service.gate.asks_for_tokens:
        # With tokens any page may connect: a foreign one has none, and browsers add none to it.
        _check_origin(websocket)
    return caller


def _check_origin(websocket: WebSocket) -> None:
    """A page from elsewhere, in a browser on this machine, must not reach what asks for nothing."""
    for origin in websocket.headers.getlist("origin"):
        try:
            host = urlsplit(origin).hostname
        except ValueError:
            host = None
        if host is None or not is_loopback_host(host):
            raise ProblemError(Fault.LOOPBACK, "The Origin has to be on this machine.")


def _offered(websocket: WebSocket) -> list[str]:
    return list(websocket.scope.get("subprotocols") or ())


async def _deny(websocket: WebSocket, problem: ProblemError) -> None:
    if _DENIAL in websocket.scope.get("extensions", {}):
        await websocket.send_denial_response(problem_response(problem, websocket.scope))
    else:
        await websocket.close(_CLOSE_CODES + problem.fault.status, problem.fault.code)
