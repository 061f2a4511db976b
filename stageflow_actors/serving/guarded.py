"""``GuardedRoute``: no route without a rule, no request without a caller, no error without form."""

from __future__ import annotations

import logging
from collections.abc import Callable, Coroutine, Iterable
from typing import Any

from fastapi.routing import APIRoute
from starlette.requests import HTTPConnection, Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from stageflow_actors.errors import StageflowError
from stageflow_actors.serving.callers import Caller
from stageflow_actors.serving.faults import Fault, ProblemError, ServingError
from stageflow_actors.serving.problems import problem_of, problem_response
from stageflow_actors.serving.request_trace import note_run
from stageflow_actors.serving.scopes import RULES, Scope, rule_for
from stageflow_actors.serving.service import Service
from stageflow_actors.serving.socket_guard import GuardedSocketRoute

logger = logging.getLogger("stageflow_actors.serving")

Handler = Callable[[Request], Coroutine[Any, Any, Response]]


class GuardedRoute(APIRoute):
    """A route whose endpoint is reached by callers that its rule allows.

    Raises:
        ServingError: it has no rule (``SERVE-ROUTE``).
    """

    def refusal(self, problem: ProblemError, request: Request) -> Response:
        """How a request is refused; a route may have a form of its own for it."""
        return problem_response(problem, request.scope)

    async def admit(self, request: Request, scope: Scope) -> Caller:
        """Who asks, if they may.

        Raises:
            ProblemError: they may not.
        """
        return await service_of(request).gate.admit(request, scope)

    def get_route_handler(self) -> Handler:
        """Asks who it is before anything of the request is read."""
        rule = rule_for(self.methods or (), self.path_format)
        inner = super().get_route_handler()

        async def guarded(request: Request) -> Response:
            try:
                if rule.scope is not None:
                    request.state.caller = await self.admit(request, rule.scope)
                response = await inner(request)
            except ProblemError as problem:
                if problem.run_id is not None:
                    note_run(request.scope, problem.run_id)
                return self.refusal(problem, request)
            except StageflowError as error:
                logger.exception("A request ended in %s.", error.code)
                return self.refusal(problem_of(error), request)
            response.headers.setdefault("Cache-Control", "no-store")
            response.headers.setdefault("X-Content-Type-Options", "nosniff")
            return response

        return guarded


def check_routes(routes: Iterable[BaseRoute]) -> None:
    """Pass, if every route is guarded, and every rule has its route.

    Raises:
        ServingError: one is not, or has none (``SERVE-ROUTE``).
    """
    found = set()
    for route in routes:
        if not isinstance(route, GuardedRoute | GuardedSocketRoute):
            raise ServingError(
                f"The route {getattr(route, 'path', route)!r} asks nobody who they are.",
                hint="Make it a GuardedRoute.",
                code="SERVE-ROUTE",
            )
        found.add(rule_for(route.methods or (), route.path_format))
    without = set(RULES) - found
    if without:
        listed = ", ".join(sorted(f"{each.method} {each.path}" for each in without))
        raise ServingError(f"No route has the rules {listed}.", code="SERVE-ROUTE")


def service_of(request: Request) -> Service:
    """What stands behind the application."""
    service: Service = request.app.state.service
    return service


def prefix_of(request: HTTPConnection) -> str:
    """Below which path the application is served; empty at the root."""
    return str(request.scope.get("root_path", ""))


def caller_of(request: Request) -> Caller:
    """Who asks, in an endpoint whose rule has a scope.

    Raises:
        ProblemError: nobody was asked: the route is open.
    """
    caller = getattr(request.state, "caller", None)
    if not isinstance(caller, Caller):
        raise ProblemError(Fault.NO_TOKEN)
    return caller
