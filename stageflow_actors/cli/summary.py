"""What a run came to, for people: verdict, failures, outputs nobody reads on, timeline."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import Console
from rich.text import Text

from stageflow_actors.cli.failure import ExitCode
from stageflow_actors.cli.stdout import takes_signs
from stageflow_actors.drawing.labels import short, shown, shown_lines
from stageflow_actors.drawing.timeline.chart import chart_of
from stageflow_actors.drawing.timeline.text import timeline
from stageflow_actors.model.output import StageStatus
from stageflow_actors.model.plan import Plan
from stageflow_actors.model.results import RunResult, RunStatus, StageFailure
from stageflow_actors.story.story import RunStory

_MAX_WIDTH = 110


def exit_code_of(result: RunResult) -> ExitCode:
    """What the process says about the end of its run."""
    if result.status is RunStatus.OK:
        return ExitCode.OK
    return ExitCode.CANCELLED if result.status is RunStatus.CANCELLED else ExitCode.FAILED


def print_summary(
    console: Console,
    plan: Plan,
    result: RunResult,
    story: RunStory,
    *,
    with_traceback: bool = False,
) -> None:
    """Everything, from the verdict down to the timeline, which ``story`` tells."""
    width = min(console.width, _MAX_WIDTH)
    console.print()
    console.print(_verdict(plan, result), soft_wrap=True)
    for failure in result.failures.values():
        console.print(_failure(failure, with_traceback=with_traceback), soft_wrap=True)
    for line in _outputs(plan, result, width):
        console.print(line, overflow="ellipsis", no_wrap=True)
    is_plain = not takes_signs(console.encoding)
    console.print()
    chart = chart_of(story, stages=plan.stage_names)
    console.print(timeline(chart, width=width, is_plain=is_plain), end="", no_wrap=True)


def _verdict(plan: Plan, result: RunResult) -> Text:
    style = {RunStatus.OK: "bold green", RunStatus.CANCELLED: "bold yellow"}
    text = Text.assemble((f"{shown(plan.name)}: ", "bold"))
    text.append(str(result.status).replace("_", " "), style.get(result.status, "bold red"))
    text.append(f" after {result.duration_ms:.1f} ms, {_counts(plan, result)}")
    if result.status is RunStatus.CANCELLED and result.stage is not None:
        text.append(f"\nstopped by {shown(result.stage)}")
        text.append(f": {shown(result.reason)}" if result.reason else "")
    return text


def _counts(plan: Plan, result: RunResult) -> str:
    stages = len(plan.stages)
    ended = [output.status for output in result.outputs.values()]
    counts = {
        "ok": ended.count(StageStatus.OK),
        "failed": len(result.failures),
        "skipped": len(result.skipped),
        "cancelled": len(result.cancelled) + ended.count(StageStatus.CANCEL),
    }
    told = ", ".join(f"{count} {what}" for what, count in counts.items() if count > 0)
    return f"{stages} stage{'s' if stages > 1 else ''}: {told}"


def _failure(failure: StageFailure, *, with_traceback: bool) -> Text:
    text = Text("\n")
    text.append(shown(failure.stage), "bold red")
    text.append(f"  {failure.error_type}: {shown_lines(failure.message)}\n")
    hint = getattr(failure.original, "hint", "")
    if isinstance(hint, str) and hint:
        text.append("  try", style="bold cyan")
        text.append(f"  {hint}\n")
    text.append(" code", style="dim")
    text.append(f"  {failure.code}")
    if with_traceback:
        text.append(f"\n\n{failure.traceback.rstrip()}")
    return text


def _outputs(plan: Plan, result: RunResult, width: int) -> Iterator[Text]:
    """What the stages made that no other stage reads."""
    read = {source for stage in plan.stages for source in stage.dependencies}
    for index, stage in enumerate(plan.stages):
        output = result.outputs.get(stage.name)
        if index in read or output is None or not output.data or stage.name in result.skipped:
            continue
        yield Text()
        yield Text(shown(stage.name), "bold")
        for key, value in output.data.items():
            yield Text.assemble("  ", (shown(str(key)), "cyan"), "  ", short(repr(value), width))
