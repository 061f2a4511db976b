"""Whether the stages of a file form a pipeline, with the line of each dependency that does not."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from graphlib import CycleError, TopologicalSorter
from itertools import pairwise
from typing import Any, NamedTuple

from stageflow_actors.configuration.places import Path
from stageflow_actors.configuration.report import Report, did_you_mean, part_of
from stageflow_actors.model.stage import StageSpec

_OPTIONS = ("dependencies", "after", "after_any")


class Edge(NamedTuple):
    """``stage`` waits for ``other``; ``path`` is where it says so."""

    stage: str
    other: str
    path: Path


def check_edges(
    report: Report, stages: Mapping[str, Any], specs: Mapping[str, StageSpec], path: Path
) -> None:
    """Note every dependency that does not exist, and every circle.

    ``stages`` are those of the file at ``path``; a stage with a spec is judged by that, the others
    by what they say as far as it can be read.
    """
    edges = []
    for edge in _edges(stages, specs, path):
        if edge.other in stages:
            edges.append(edge)
            continue
        message = f"Stage '{edge.stage}' depends on '{edge.other}', which does not exist."
        hint = did_you_mean(edge.other, stages, "Add that stage, or remove it here.")
        report.add(edge.path, message, hint=hint, code="CONTRACT-004-MISSING_DEP")
    for circle in _circles(list(stages), edges):
        names = " -> ".join([*(edge.stage for edge in circle), circle[0].stage])
        message = f"Stages depend on each other in a circle: {names}."
        hint = "Remove one dependency on this path."
        report.add(circle[0].path, message, hint=hint, code="CONTRACT-004-CYCLE")


def _edges(stages: Mapping[str, Any], specs: Mapping[str, StageSpec], path: Path) -> Iterator[Edge]:
    for name, stage in stages.items():
        for option in _OPTIONS:
            place = (*path, name, option)
            given = part_of(stage, (option,))
            written = given if isinstance(given, list) else [given]
            spec = specs.get(name)
            for other in written if spec is None else getattr(spec, option):
                if isinstance(other, str):
                    is_item = isinstance(given, list) and other in given
                    yield Edge(name, other, (*place, written.index(other)) if is_item else place)


def _circles(names: Sequence[str], edges: Sequence[Edge]) -> Iterator[list[Edge]]:
    """One circle for each edge that has to go; each begins at the stage declared first."""
    by_ends = {(edge.stage, edge.other): edge for edge in reversed(edges)}
    position = {name: index for index, name in enumerate(names)}
    while True:
        waits: dict[str, list[str]] = {name: [] for name in names}
        for stage, other in by_ends:
            waits[stage].append(other)
        try:
            TopologicalSorter(waits).prepare()
        except CycleError as error:
            circle = error.args[1][:-1][::-1]
            start = min(range(len(circle)), key=lambda at: position[circle[at]])
            turned = [*circle[start:], *circle[:start], circle[start]]
            found = [by_ends[pair] for pair in pairwise(turned)]
            yield found
            del by_ends[found[0].stage, found[0].other]
        else:
            return
