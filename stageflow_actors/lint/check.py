"""The whole check of a pipeline."""

from __future__ import annotations

from collections.abc import Sequence

from stageflow_actors.lint.edges import check_edges
from stageflow_actors.lint.findings import Finding
from stageflow_actors.lint.reads import check_reads
from stageflow_actors.lint.routes import check_routes
from stageflow_actors.lint.source import Sources
from stageflow_actors.lint.walk import Walk
from stageflow_actors.model.stage import StageSpec


def check(specs: Sequence[StageSpec]) -> list[Finding]:
    """Everything there is to say about these stages: mistakes before notes, each once.

    They need not form a pipeline. No stage is run, and no stage class is instantiated.
    """
    found = check_edges(specs)
    names = [spec.name for spec in specs]
    sources = Sources()
    for spec in specs:
        walk = Walk(spec.name, sources)
        walk.start(spec.runner)
        if spec.batching is not None and spec.batching.batch_size_fn is not None:
            walk.start(spec.batching.batch_size_fn)  # it is given a context, too
        found += check_reads(spec, walk.records, names)
        found += check_routes(spec, walk.records, specs)
    unique = list(dict.fromkeys(found))
    return sorted(unique, key=lambda finding: finding.is_note)
