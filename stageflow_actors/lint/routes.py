"""Whether the decisions of a router and the routes of its branches fit together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from stageflow_actors.lint.edges import did_you_mean
from stageflow_actors.lint.findings import Finding, Rule
from stageflow_actors.lint.records import Decision, Records
from stageflow_actors.model.stage import StageSpec


def check_routes(spec: StageSpec, records: Records, specs: Sequence[StageSpec]) -> list[Finding]:
    """What is wrong with the routes of ``spec``; nothing if no branch waits for its decision."""
    branches = [each for each in specs if each.router == spec.name]
    routes = list(dict.fromkeys(route for each in branches for route in each.route))
    if not routes:
        return []
    found = [finding for each in records.decisions for finding in _unknown(spec, each, routes)]
    if not records.decisions:
        message = f"No RoutingDecision was found in '{spec.name}', but branches wait for one."
        return [*found, Finding(Rule.NO_DECISION, spec.name, message, is_note=True)]
    return [*found, *_unreachable(spec, records, routes)]


def _unknown(spec: StageSpec, decision: Decision, routes: Sequence[str]) -> Iterator[Finding]:
    """A wrong selection fails the run, unless the fallback is right; that may be intended."""
    is_caught = any(route in routes for route in decision.fallback)
    for route in decision.selected:
        if route not in routes:
            yield Finding(
                Rule.UNKNOWN_ROUTE,
                spec.name,
                f"'{spec.name}' selects route '{route}', but its branches are on: "
                f"{', '.join(routes)}.",
                did_you_mean(route, routes) or f"Put a branch on route='{route}', or correct it.",
                decision.place,
                is_note=is_caught,
            )
    for route in decision.fallback:
        if route not in routes:
            yield Finding(
                Rule.UNKNOWN_ROUTE,
                spec.name,
                f"'{spec.name}' falls back to route '{route}', but its branches are on: "
                f"{', '.join(routes)}.",
                did_you_mean(route, routes) or "Give a fallback_route that a branch is on.",
                decision.place,
            )


def _unreachable(spec: StageSpec, records: Records, routes: Sequence[str]) -> Iterator[Finding]:
    if not all(decision.is_complete for decision in records.decisions):
        place = next(each.place for each in records.decisions if not each.is_complete)
        message = f"'{spec.name}' selects a route whose name is computed."
        yield Finding(Rule.COMPUTED_NAME, spec.name, message, "", place, is_note=True)
        return
    taken = {route for each in records.decisions for route in (*each.selected, *each.fallback)}
    for route in routes:
        if route not in taken:
            message = f"No decision found in '{spec.name}' selects route '{route}'."
            yield Finding(Rule.UNREACHABLE_ROUTE, spec.name, message, is_note=True)
