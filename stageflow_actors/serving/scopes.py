"""The one table of who may do what: every route stands in it, or the door is not built."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from typing import NamedTuple

from stageflow_actors.serving.faults import ServingError


class Scope(StrEnum):
    """What a token may allow: a role of its ``AuthContext``."""

    RUNS_WRITE = "runs:write"
    RUNS_READ = "runs:read"
    RUNS_INTERNAL = "runs:internal"
    """Beside the other: pieces that are not for users."""
    PIPELINES_READ = "pipelines:read"


WEBSOCKET = "WEBSOCKET"
"""Stands for the method of a route that is a WebSocket."""


class Rule(NamedTuple):
    """A route, and the scope that it needs; ``None``: it is open to everybody."""

    method: str
    path: str
    scope: Scope | None


RULES: tuple[Rule, ...] = (
    Rule("POST", "/v1/pipelines/{name}/runs", Scope.RUNS_WRITE),
    Rule("GET", "/v1/runs/{run_id}", Scope.RUNS_READ),
    Rule("GET", "/v1/runs/{run_id}/events", Scope.RUNS_READ),
    Rule("DELETE", "/v1/runs/{run_id}", Scope.RUNS_WRITE),
    Rule(WEBSOCKET, "/v1/ws", Scope.RUNS_READ),
    Rule("GET", "/v1/pipelines", Scope.PIPELINES_READ),
    Rule("GET", "/v1/pipelines/{name}", Scope.PIPELINES_READ),
    Rule("GET", "/v1/pipelines/{name}/graph", Scope.PIPELINES_READ),
    Rule("GET", "/v1/models", Scope.PIPELINES_READ),
    Rule("GET", "/v1/models/{model}", Scope.PIPELINES_READ),
    Rule("POST", "/v1/chat/completions", Scope.RUNS_WRITE),
    Rule("POST", "/v1/audio/transcriptions", Scope.RUNS_WRITE),
    Rule("POST", "/v1/audio/speech", Scope.RUNS_WRITE),
    Rule("GET", "/openapi.json", Scope.PIPELINES_READ),
    Rule("GET", "/docs", Scope.PIPELINES_READ),
    Rule("GET", "/healthz/live", None),
    Rule("GET", "/healthz/ready", None),
)


def rule_for(methods: Iterable[str], path: str) -> Rule:
    """The rule of a route with exactly one method.

    Raises:
        ServingError: it has none (``SERVE-ROUTE``).
    """
    asked = sorted(methods)
    for rule in RULES:
        if [rule.method] == asked and rule.path == path:
            return rule
    raise ServingError(
        f"The route {' '.join(asked)} {path} has no rule.",
        hint="Say in the table of scopes what it needs.",
        code="SERVE-ROUTE",
    )
