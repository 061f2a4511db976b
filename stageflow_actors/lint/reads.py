"""Which reads of a stage it has not declared."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from stageflow_actors.lint.edges import did_you_mean, named_by
from stageflow_actors.lint.findings import Finding, Rule
from stageflow_actors.lint.records import Gap, Read, Records
from stageflow_actors.model.stage import StageSpec


def check_reads(spec: StageSpec, records: Records, stages: Sequence[str]) -> Iterator[Finding]:
    """A finding for each undeclared read, and a note for whatever could not be checked."""
    for read in records.reads:
        for stage in read.stages:
            if stage not in spec.dependencies:
                yield _undeclared(spec, read, stage, stages)
        if not read.is_complete:
            message = f"'{spec.name}' reads a stage whose name is computed ({read.accessor})."
            yield Finding(Rule.COMPUTED_NAME, spec.name, message, "", read.place, is_note=True)
    for gap in records.not_followed:
        yield _gap(Rule.NOT_FOLLOWED, spec.name, gap)
    for gap in records.no_source:
        yield _gap(Rule.NO_SOURCE, spec.name, gap)


def _undeclared(spec: StageSpec, read: Read, stage: str, stages: Sequence[str]) -> Finding:
    what = f"'{spec.name}' reads '{stage}' ({read.accessor})"
    if stage not in stages:
        message = f"{what}, but there is no such stage."
        hint = did_you_mean(stage, spec.dependencies or stages) or did_you_mean(stage, stages)
        return _finding(spec, read, message, hint or "Correct the name.")
    if stage == spec.name:
        return _finding(spec, read, f"{what}, which is itself.", "Read a stage before it.")
    parameter = named_by(spec).get(stage)
    if parameter is not None:
        message = f"{what}, which it names in {parameter}= only: for order, not for data."
        hint = f"Move '{stage}' from {parameter}= to dependencies= of '{spec.name}'."
        return _finding(spec, read, message, hint)
    message = f"{what}, which it does not depend on."
    return _finding(spec, read, message, f"Add '{stage}' to dependencies= of '{spec.name}'.")


def _finding(spec: StageSpec, read: Read, message: str, hint: str) -> Finding:
    return Finding(Rule.UNDECLARED_READ, spec.name, message, hint, read.place)


def _gap(rule: Rule, stage: str, gap: Gap) -> Finding:
    message = f"Not checked in '{stage}': {gap.what}."
    if rule is Rule.NOT_FOLLOWED:
        message = f"'{stage}' {gap.what}."
    return Finding(rule, stage, message, "", gap.place, is_note=True)
