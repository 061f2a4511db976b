"""What is wrong with the edges of a pipeline, whether it builds or not."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence
from graphlib import CycleError, TopologicalSorter

from stageflow_actors.errors import PipelineValidationError
from stageflow_actors.lint.findings import Finding, Rule
from stageflow_actors.model.plan import make_plan
from stageflow_actors.model.stage import StageSpec


def check_edges(specs: Sequence[StageSpec]) -> list[Finding]:
    """Every mistake in the edges; where there is none, whatever else keeps it from building."""
    if not specs:
        message = "The pipeline has no stages."
        return [Finding(Rule.EMPTY, "", message, "Add at least one with with_stage().")]
    names = [spec.name for spec in specs]
    found = [*_unknown(specs, names), *_cycles(specs), *_isolated(specs)]
    return found or list(_not_buildable(specs))


def named_by(spec: StageSpec) -> dict[str, str]:
    """The stages that ``spec`` waits for, and the parameter that names each."""
    return {
        **dict.fromkeys(spec.after_any, "after_any"),
        **dict.fromkeys(spec.after, "after"),
        **dict.fromkeys(spec.dependencies, "dependencies"),
    }


def did_you_mean(name: str, known: Sequence[str]) -> str:
    """A hint that names what is near; empty if nothing is."""
    near = difflib.get_close_matches(name, known, n=1)
    return f"Did you mean '{near[0]}'?" if near else ""


def _unknown(specs: Sequence[StageSpec], names: Sequence[str]) -> Iterator[Finding]:
    for spec in specs:
        for other, parameter in named_by(spec).items():
            if other not in names:
                yield Finding(
                    Rule.UNKNOWN_STAGE,
                    spec.name,
                    f"'{spec.name}' names '{other}' in {parameter}=, but there is no such stage.",
                    did_you_mean(other, names)
                    or f"Add that stage, or remove it from {parameter}=.",
                )


def _cycles(specs: Sequence[StageSpec]) -> Iterator[Finding]:
    """One finding for each circle: after each, the edge that closes it is taken away."""
    waits_for = {spec.name: set(named_by(spec)) for spec in specs}
    while True:
        try:
            TopologicalSorter(waits_for).prepare()
        except CycleError as error:
            circle = error.args[1][::-1]
            waits_for[circle[0]].discard(circle[1])
            yield Finding(
                Rule.CYCLE,
                circle[0],
                f"Stages wait for each other in a circle: {' -> '.join(circle)}.",
                "Remove one dependency on this path.",
            )
        else:
            return


def _isolated(specs: Sequence[StageSpec]) -> Iterator[Finding]:
    if len(specs) < 2:
        return
    named = {other for spec in specs for other in named_by(spec)}
    for spec in specs:
        if not named_by(spec) and spec.name not in named:
            yield Finding(
                Rule.ISOLATED_STAGE,
                spec.name,
                f"'{spec.name}' waits for no stage, and no stage waits for it.",
                "Connect it, or move it to a pipeline of its own.",
            )


def _not_buildable(specs: Sequence[StageSpec]) -> Iterator[Finding]:
    try:
        make_plan("checked", specs)
    except PipelineValidationError as error:
        stage = error.stages[0] if error.stages else ""
        yield Finding(Rule.NOT_BUILDABLE, stage, error.message, error.hint)
