"""The enrichment of the example, for one text: what a request brings."""

from __future__ import annotations

from examples.document_enrichment.enrichment import enrich
from stageflow_actors import Pipeline, StageContext, StageKind, StageOutput


class Enrich:
    """Says how hard ``input_text`` reads, and what it is about."""

    kind = StageKind.ENRICH

    def execute(self, ctx: StageContext) -> StageOutput:
        text = ctx.snapshot.input_text or ""
        if not text.strip():
            return StageOutput.cancel("There is no text.")
        return StageOutput.ok(enrich(text))


enriching = Pipeline("enriching").with_stage("enrich", Enrich)
