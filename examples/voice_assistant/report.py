"""What a run is told to have done, as text for a terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from stageflow_actors import Pipeline, RunResult
from stageflow_actors.drawing.diagram import Detail, diagram_of
from stageflow_actors.drawing.text import to_text

BAR = 24
"""Columns that the whole run takes in the timeline."""


def report(result: RunResult, pipeline: Pipeline, processes: Sequence[Mapping[str, Any]]) -> str:
    """The answer, the picture of the pipeline, and the timeline of the run."""
    picture = to_text(diagram_of(pipeline.plan, Detail.FEWEST))
    return f"{answer_of(result)}\n\n{picture}\n{timeline(result, pipeline, processes)}"


def answer_of(result: RunResult) -> str:
    """What was heard, what was said, and why."""
    outputs = result.outputs
    lines = [f"Question  {outputs.data('hear')['question']}?"]
    lines += [f"Answer    {outputs.data('output_guard')['text']}"]
    reason = outputs.data("input_guard")["reason"]
    if reason is not None:
        lines.append(f"Blocked   by the input guard: {reason}.")
    found = outputs.data("answer").get("passages", ())
    if found:
        lines.append(
            "From      " + ", ".join(f"{one['url']} ({one['score']:.2f})" for one in found)
        )
    elif reason is None:
        lines.append("From      nothing: no passage accounts for enough of the question.")
    note = outputs.data("answer").get("note")
    lines += [f"Note      {note}"] if note else []
    lines += [f"Changed   {change}." for change in outputs.data("output_guard")["changes"]]
    spoken = outputs.data("speak")
    seconds = spoken["speech"]["duration_ms"] / 1000
    return "\n".join([*lines, f"Spoken    in {spoken['path']} ({seconds:.1f} s)"])


def timeline(
    result: RunResult,
    pipeline: Pipeline,
    processes: Sequence[Mapping[str, Any]],
) -> str:
    """When each stage worked, in which process, and what the run took beyond its stages' work."""
    lines = [f"{'stage':<14}{'process':>8}{'started':>12}{'worked':>12}"]
    for process in processes:
        name = process["name"]
        timing = result.timings[name]
        since = (timing.started_at - result.started_at) * 1000
        bar = _bar(since, timing.duration_ms, result.duration_ms)
        lines.append(
            f"{name:<14}{process['pid']:>8}{since:>9.1f} ms{timing.duration_ms:>9.1f} ms  {bar}"
        )
    work = longest_chain_ms(result, pipeline)
    beyond = result.duration_ms - work
    share = beyond / result.duration_ms
    lines.append(f"\nThe run took {result.duration_ms:.1f} ms. Its longest chain of stages worked")
    lines.append(f"{work:.1f} ms of it; all else took {beyond:.1f} ms, {share:.1%} of the run.")
    return "\n".join(lines)


def longest_chain_ms(result: RunResult, pipeline: Pipeline) -> float:
    """Work that no number of processors could have done at the same time, in milliseconds."""
    chain: dict[str, float] = {}
    for name, before in waits_for(pipeline).items():
        chain[name] = result.timings[name].duration_ms + max(
            (chain[one] for one in before), default=0
        )
    return max(chain.values())


def waits_for(pipeline: Pipeline) -> dict[str, tuple[str, ...]]:
    """Every stage, after those that it waits for."""
    specs = (pipeline.get_stage(name) for name in pipeline.stage_names())
    return {spec.name: (*spec.dependencies, *spec.after) for spec in specs if spec}


def _bar(since_ms: float, worked_ms: float, run_ms: float) -> str:
    start = min(int(since_ms / run_ms * BAR), BAR - 1)
    length = max(round(worked_ms / run_ms * BAR), 1)
    return " " * start + "█" * min(length, BAR - start)
