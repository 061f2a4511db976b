"""``ServedPipeline``: a pipeline and how it is served; and what its description says."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from typing import Any

from stageflow_actors.drawing.diagram import diagram_of
from stageflow_actors.drawing.dot import to_dot
from stageflow_actors.drawing.mermaid import to_mermaid
from stageflow_actors.drawing.svg import to_svg
from stageflow_actors.model.plan import StagePlan
from stageflow_actors.model.policies.placement import Placement
from stageflow_actors.pipeline import Pipeline, StageGraph
from stageflow_actors.serving.faults import ServingError
from stageflow_actors.serving.openai.declaration import OpenAIModel
from stageflow_actors.serving.targets import pipeline_at

_NAME = r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}"


class OnDisconnect(StrEnum):
    """What becomes of a run when the client that waits for it goes away."""

    CANCEL = "cancel"
    CONTINUE = "continue"


class GraphFormat(StrEnum):
    """What the picture of a pipeline is written in."""

    SVG = "svg"
    MERMAID = "mermaid"
    DOT = "dot"
    JSON = "json"


@dataclass(frozen=True)
class ServedPipeline:
    """A pipeline, or where it is: ``package.module:name``, ``flows.yaml``, ``flows.yaml:name``.

    ``on_disconnect`` says what becomes of a run whose client waits for it, and goes away.
    ``openai`` says that it also answers as a model of the OpenAI API, under the name that it is
    served by, or under others: ``{"a-name": OpenAIModel(...)}``.

    Raises:
        ServingError: there is no such pipeline, or ``on_disconnect`` is none.
    """

    target: Pipeline | StageGraph | str
    on_disconnect: OnDisconnect | str = OnDisconnect.CANCEL
    openai: OpenAIModel | Mapping[str, OpenAIModel] | None = None

    def __post_init__(self) -> None:
        if self.on_disconnect not in list(OnDisconnect):
            raise ServingError(
                f"on_disconnect is {self.on_disconnect!r}.", hint="Give 'cancel' or 'continue'."
            )
        if not isinstance(self.target, Pipeline | StageGraph | str):
            raise ServingError(
                f"A {type(self.target).__name__} is no pipeline.",
                hint="Give a Pipeline, a StageGraph, an import path or the path of a file.",
            )

    @property
    def is_cancelled_when_left(self) -> bool:
        """Whether a run ends with the client that waits for it."""
        return self.on_disconnect == OnDisconnect.CANCEL

    @cached_property
    def graph(self) -> StageGraph:
        """The pipeline, built."""
        target = self.target
        found = pipeline_at(target) if isinstance(target, str) else target
        return found if isinstance(found, StageGraph) else found.build()

    @cached_property
    def description(self) -> dict[str, Any]:
        """Its schemas, its stages and where they run."""
        plan = self.graph.plan
        names = plan.stage_names
        return {
            "on_disconnect": str(self.on_disconnect),
            "input_schema": self.graph.input_schema(),
            "output_schema": self.graph.output_schema(),
            "stages": [_stage(each, names) for each in plan.stages],
        }

    def picture(self, format_: GraphFormat) -> str:
        """The graph, drawn or as data."""
        return self._pictures[format_]

    def graph_data(self) -> dict[str, Any]:
        """The nodes and edges of the picture."""
        diagram = diagram_of(self.graph.plan)
        nodes = [
            {"name": each.name, "kind": each.kind, "optional": each.is_optional}
            for each in diagram.nodes
        ]
        names = [each.name for each in diagram.nodes]
        edges = [
            {
                "source": names[each.source],
                "target": names[each.target],
                "kind": str(each.kind),
                "label": each.label,
            }
            for each in diagram.edges
        ]
        return {"nodes": nodes, "edges": edges}

    @cached_property
    def _pictures(self) -> dict[GraphFormat, str]:
        """Drawn once: no request makes it work."""
        diagram = diagram_of(self.graph.plan)
        return {
            GraphFormat.SVG: to_svg(diagram),
            GraphFormat.MERMAID: to_mermaid(diagram),
            GraphFormat.DOT: to_dot(diagram),
        }


Servable = ServedPipeline | Pipeline | StageGraph | str


def served_by_name(
    given: Mapping[str, Servable] | Iterable[Servable],
) -> dict[str, ServedPipeline]:
    """The pipelines under the names that requests may say: their own, or those of the mapping.

    Raises:
        ServingError: there are none; a name is taken, or cannot stand in a path.
    """
    named: dict[str, ServedPipeline] = {}
    if isinstance(given, Mapping):
        pairs = [(name, _served(each)) for name, each in given.items()]
    else:
        listed = [given] if isinstance(given, Servable) else given
        pairs = [(each.graph.name, each) for each in map(_served, listed)]
    for name, served in pairs:
        if not isinstance(name, str) or not re.fullmatch(_NAME, name):
            raise ServingError(
                f"A pipeline is named {name!r:.80}, which cannot stand in a path.",
                hint="Serve it under a name of letters, digits, '.', '_' and '-'.",
                code="SERVE-NAME",
            )
        if name in named:
            raise ServingError(
                f"Two pipelines are named {name!r}.",
                hint="Give a mapping of names to pipelines.",
                code="SERVE-NAME",
            )
        named[name] = served
    if not named:
        raise ServingError("There is no pipeline to serve.", hint="Name one.", code="SERVE-NAME")
    return named


def _served(given: Servable) -> ServedPipeline:
    return given if isinstance(given, ServedPipeline) else ServedPipeline(given)


def _stage(stage: StagePlan, names: tuple[str, ...]) -> dict[str, Any]:
    return {
        "name": stage.name,
        "kind": stage.kind,
        "dependencies": [names[each] for each in stage.dependencies],
        "after": [names[each] for each in (*stage.after, *stage.after_any)],
        "conditional": stage.conditional,
        "route": list(stage.route),
        "timeout_s": stage.timeout_s,
        "replicas": stage.replicas,
        "concurrency": stage.concurrency,
        "is_batching": stage.is_batching,
        "placement": _placement(stage.placement),
    }


def _placement(placement: Placement | None) -> dict[str, Any] | None:
    """What it asks for; not its environment, which may hold secrets."""
    if placement is None:
        return None
    return {
        "num_cpus": placement.num_cpus,
        "num_gpus": placement.num_gpus,
        "memory": placement.memory,
        "resources": dict(placement.resources),
        "labels": dict(placement.labels),
        "share": placement.share,
    }
