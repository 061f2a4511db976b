"""``RoutingDecision``: how a stage chooses which of its branches runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from numbers import Real
from typing import Any

from stageflow_actors.errors import RoutingError


@dataclass(frozen=True, slots=True)
class RoutingDecision:
    """What a router returns. ``fallback_route`` is taken where no branch is on ``selected_route``.

    ``confidence`` (0 to 1) and ``metadata`` are for readers, dependents and the event; they decide
    nothing.

    Raises:
        RoutingError: a part cannot be used (``ROUTE-INVALID``).
    """

    selected_route: str
    confidence: float = 1.0
    fallback_route: str | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not _is_name(self.selected_route):
            raise _invalid("selected_route", self.selected_route, "a non-empty string")
        if self.fallback_route is not None and not _is_name(self.fallback_route):
            raise _invalid("fallback_route", self.fallback_route, "a non-empty string or None")
        is_number = isinstance(self.confidence, Real) and not isinstance(self.confidence, bool)
        if not is_number or not 0 <= self.confidence <= 1:
            raise _invalid("confidence", self.confidence, "a number from 0 to 1")
        if not isinstance(self.metadata, Mapping):
            raise _invalid("metadata", self.metadata, "a mapping")
        self._make_plain()

    def _make_plain(self) -> None:
        """They travel to where a class of the user's, an enum's for example, is unknown."""
        object.__setattr__(self, "selected_route", str.__str__(self.selected_route))
        object.__setattr__(self, "confidence", float(self.confidence))
        if self.fallback_route is not None:
            object.__setattr__(self, "fallback_route", str.__str__(self.fallback_route))

    def route_among(self, routes: Sequence[str], stage: str) -> str:
        """The route to take: the selected one, or else the fallback, if branches are on it.

        Raises:
            RoutingError: neither is among ``routes`` (``ROUTE-UNMATCHED``).
        """
        for route in (self.selected_route, self.fallback_route):
            if route in routes:
                return route  # type: ignore[return-value] # None is on no list of routes
        fallback = f" and the fallback '{self.fallback_route}'" if self.fallback_route else ""
        raise RoutingError(
            f"Stage '{stage}' selected route '{self.selected_route}'{fallback}, "
            f"but its branches are on: {', '.join(routes)}.",
            routes=routes,
            hint="Select one of these, or give a fallback_route that is one.",
        )


def undecided(stage: str, routes: Sequence[str]) -> RoutingError:
    """The error of a stage that branches wait for and that ended ok without a decision."""
    return RoutingError(
        f"Stage '{stage}' took no route, but branches on {', '.join(routes)} wait for one.",
        routes=routes,
        hint="Return a RoutingDecision, or StageOutput.ok(route=RoutingDecision(...)).",
        code="ROUTE-UNDECIDED",
    )


def _is_name(value: object) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _invalid(part: str, value: object, expected: str) -> RoutingError:
    return RoutingError(
        f"RoutingDecision.{part} must be {expected}, got {value!r:.80}.",
        routes=(),
        code="ROUTE-INVALID",
    )
