"""From a decision of a stage to the route that its branches are on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from stageflow_actors.actors.sealing import plain_data
from stageflow_actors.model.routing import RoutingDecision, undecided

if TYPE_CHECKING:
    from stageflow_actors.model.redaction.redactor import Redactor

Taken = tuple[str | None, Mapping[str, Any] | None]
"""The route, and what the event says about the decision; ``None`` where there is none."""


def take_route(
    decision: RoutingDecision | None, routes: Sequence[str], stage: str, redactor: Redactor | None
) -> Taken:
    """The route that ``stage`` takes among those its branches are on.

    A decision with metadata needs a ``redactor``: the event tells of them.

    Raises:
        RoutingError: the branches wait for a decision, and there is none, or none of theirs.
    """
    if decision is None:
        if routes:
            raise undecided(stage, routes)
        return None, None
    route = decision.route_among(routes, stage) if routes else None
    return route, {
        "route": route or decision.selected_route,
        "selected_route": decision.selected_route,
        "fallback_route": decision.fallback_route,
        "confidence": decision.confidence,
        "metadata": {} if redactor is None else plain_data(decision.metadata, redactor),
    }
