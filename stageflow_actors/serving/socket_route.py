"""The route of the WebSocket."""

from __future__ import annotations

from starlette.websockets import WebSocket

from stageflow_actors.serving.callers import Caller
from stageflow_actors.serving.service import Service
from stageflow_actors.serving.socket_guard import GuardedSocketRoute, chosen_protocol
from stageflow_actors.serving.socket_session import SocketSession


def socket_route() -> GuardedSocketRoute:
    """Runs over one connection, both ways."""
    return GuardedSocketRoute("/v1/ws", serve_socket)


async def serve_socket(websocket: WebSocket, caller: Caller) -> None:
    """Accept, and serve until one of both sides ends it. It counts as a stream of its tenant.

    Raises:
        ProblemError: it cannot be accepted.
    """
    service: Service = websocket.app.state.service
    protocol = chosen_protocol(websocket)
    with service.streaming(caller.tenant):
        await websocket.accept(protocol)
        await SocketSession(websocket, service, caller).serve()
