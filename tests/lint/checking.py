"""Checks one stage, and tells what was found in short."""

from __future__ import annotations

from stageflow_actors import Pipeline
from stageflow_actors.lint.check import check


async def other(ctx):
    return None


def found_in(pipeline):
    return check(pipeline.declared())


def mistakes(pipeline):
    return [finding for finding in found_in(pipeline) if not finding.is_note]


def notes(pipeline):
    return [finding for finding in found_in(pipeline) if finding.is_note]


def pipeline_with(runner, **options):
    """``runner`` as stage ``read``, which depends on ``a``; ``b`` is there, too."""
    pipeline = Pipeline("p").with_stage("a", other, "work").with_stage("b", other, "work", "a")
    return pipeline.with_stage("read", runner, "work", **{"dependencies": "a", **options})


def undeclared(runner, **options):
    """The stages that ``runner`` reads without having declared them."""
    said = mistakes(pipeline_with(runner, **options))
    assert {finding.rule for finding in said} <= {"undeclared-read"}
    return [finding.message.split("'")[3] for finding in said]


def noted(runner, **options):
    return [str(finding.rule) for finding in notes(pipeline_with(runner, **options))]
