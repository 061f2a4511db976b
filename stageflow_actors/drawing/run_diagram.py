"""A picture of a pipeline that shows what became of its stages in one run."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import pairwise

from stageflow_actors.drawing.diagram import Diagram, Fate
from stageflow_actors.drawing.labels import shown
from stageflow_actors.drawing.timeline.chart import Row, chart_of
from stageflow_actors.drawing.timeline.ticks import duration
from stageflow_actors.story.critical_path import Segment
from stageflow_actors.story.story import RunStory


def with_run(diagram: Diagram, story: RunStory) -> Diagram:
    """``diagram`` with the fate of each stage, and the critical path of the run.

    Stages of the run that the pipeline does not have are counted in a note.
    """
    chart = chart_of(story)
    rows = {row.name: row for row in chart.rows if not row.depth}
    steps = set(_steps(chart.path))
    critical = {piece.stage for piece in chart.path}
    names = [node.name for node in diagram.nodes]
    nodes = tuple(
        replace(node, fate=_fate(rows.get(node.name), node.name in critical))
        for node in diagram.nodes
    )
    edges = tuple(
        replace(edge, is_critical=(names[edge.source], names[edge.target]) in steps)
        for edge in diagram.edges
    )
    status = "has not ended" if chart.status is None else shown(chart.status).replace("_", " ")
    notes = [f"run {shown(chart.run_id)}: {status} after {duration(chart.seconds)}"]
    notes += _strangers(set(rows) - set(names))
    return replace(diagram, nodes=nodes, edges=edges, notes=(*diagram.notes, *notes))


def _fate(row: Row | None, is_critical: bool) -> Fate:
    if row is None:
        return Fate(None, "not started")
    if row.started_s is None:
        return Fate(row.outcome, row.note)
    told = duration(row.worked_s)
    return Fate(row.outcome, f"{told}, {row.note}" if row.note else told, is_critical)


def _steps(path: Sequence[Segment]) -> Iterator[tuple[str, str]]:
    """From which stage to which the critical path goes."""
    stages = [piece.stage for piece in path if piece.stage is not None]
    for source, target in pairwise(stages):
        if source != target:
            yield source, target


def _strangers(names: set[str]) -> list[str]:
    if not names:
        return []
    count = "1 stage" if len(names) == 1 else f"{len(names)} stages"
    is_ = "is" if len(names) == 1 else "are"
    return [f"{count} of the run {is_} not in this pipeline."]
