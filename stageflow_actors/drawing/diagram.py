"""``Diagram``: what a picture of a pipeline shows, before anybody decides how it looks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from stageflow_actors.drawing.reduction import implied_pairs
from stageflow_actors.model.plan import Plan, StagePlan
from stageflow_actors.story.parts import Outcome

ANY_END = "any end"
"""The label of an order edge that a failed or cancelled stage satisfies, too."""


class EdgeKind(StrEnum):
    """What an edge means. A route edge carries data as well."""

    DATA = "data"
    ORDER = "order"
    ROUTE = "route"


class Detail(StrEnum):
    """Which edges a picture shows; what it leaves out is counted in ``Diagram.hidden``.

    ``ALL``: every declared one. ``NEEDED``: not the order edges that a longer path implies; every
    edge that carries data is there. ``FEWEST``: not the data edges that run beside a longer path
    either, so that the picture shows what comes after what, but no longer who reads whom.
    """

    ALL = "all"
    NEEDED = "needed"
    FEWEST = "fewest"


@dataclass(frozen=True, slots=True)
class Fate:
    """What became of a stage in one run: ``told`` in a few words, with its time.

    ``outcome`` is ``None`` where it did not start.
    """

    outcome: Outcome | None
    told: str
    is_critical: bool = False


@dataclass(frozen=True, slots=True)
class Node:
    """One stage. ``is_optional``: it may be skipped, by a condition or by a route."""

    name: str
    kind: str
    is_router: bool = False
    is_optional: bool = False
    fate: Fate | None = None


@dataclass(frozen=True, slots=True)
class Edge:
    """From one stage to another, by their positions in ``Diagram.nodes``."""

    source: int
    target: int
    kind: EdgeKind
    label: str = ""
    is_critical: bool = False


@dataclass(frozen=True, slots=True)
class Diagram:
    """Stages in topological order, the edges to draw, and how many of each kind are not drawn.

    ``notes`` are what else there is to say. Where it shows a run, all nodes have a ``fate``.
    """

    title: str
    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]
    hidden: dict[EdgeKind, int]
    notes: tuple[str, ...] = ()

    @property
    def is_of_run(self) -> bool:
        """Whether it shows what became of the stages."""
        return any(node.fate is not None for node in self.nodes)

    def footnotes(self) -> list[str]:
        """The notes, and one sentence for each kind of edge that is left out."""
        left_out = [_footnote(kind, count) for kind, count in self.hidden.items() if count]
        return [*self.notes, *left_out]


def diagram_of(plan: Plan, detail: Detail = Detail.NEEDED) -> Diagram:
    """What to draw of ``plan``."""
    edges = tuple(edges_of(plan))
    may_hide = _what_may_hide(detail)
    implied = _implied(edges, len(plan.stages)) if may_hide else frozenset()
    drawn, hidden = [], dict.fromkeys(may_hide, 0)
    for edge in edges:
        if edge.kind in may_hide and edge in implied:
            hidden[edge.kind] += 1
        else:
            drawn.append(edge)
    routers = {edge.source for edge in edges if edge.kind is EdgeKind.ROUTE}
    nodes = tuple(_node(stage, index in routers) for index, stage in enumerate(plan.stages))
    return Diagram(plan.name, nodes, tuple(drawn), hidden)


def edges_of(plan: Plan) -> Iterator[Edge]:
    """Every declared edge, in the order of the plan."""
    for index, stage in enumerate(plan.stages):
        for source in stage.dependencies:
            if stage.route and source == stage.router:
                yield Edge(source, index, EdgeKind.ROUTE, " | ".join(stage.route))
            else:
                yield Edge(source, index, EdgeKind.DATA)
        for source in stage.after:
            yield Edge(source, index, EdgeKind.ORDER)
        for source in stage.after_any:
            yield Edge(source, index, EdgeKind.ORDER, ANY_END)


def _what_may_hide(detail: Detail) -> tuple[EdgeKind, ...]:
    if detail is Detail.ALL:
        return ()
    return (EdgeKind.ORDER,) if detail is Detail.NEEDED else (EdgeKind.DATA, EdgeKind.ORDER)


def _implied(edges: tuple[Edge, ...], count: int) -> frozenset[Edge]:
    """The edges that a longer path makes superfluous, as far as order is concerned.

    A skipped stage passes no earlier than what it waits for, so a path through it counts. An edge
    that any end satisfies does not: nothing is known then about what lies before it. Nor is such an
    edge superfluous itself, as it makes its stage run after a failure.
    """
    strict = [edge for edge in edges if edge.label != ANY_END]
    pairs = implied_pairs([(edge.source, edge.target) for edge in strict], count)
    return frozenset(edge for edge in strict if (edge.source, edge.target) in pairs)


def _is_optional(stage: StagePlan) -> bool:
    return stage.conditional or bool(stage.route)


def _node(stage: StagePlan, is_router: bool) -> Node:
    return Node(stage.name, stage.kind, is_router, _is_optional(stage))


def _footnote(kind: EdgeKind, count: int) -> str:
    edges = f"1 {kind} edge is" if count == 1 else f"{count} {kind} edges are"
    return f"{edges} not drawn: a longer path says the same."
