"""The verdict: that there is one, and that it is the right one."""

from __future__ import annotations

from collections.abc import Iterator

from stageflow_actors.model.results import EXTERNAL, RUN, SUPERVISOR, RunStatus
from stageflow_actors.testing.history import Record, What
from stageflow_actors.testing.lanes import Rank
from stageflow_actors.testing.telling import Story

_SILENT = frozenset(
    {
        What.STARTED,
        What.BEGUN_AHEAD,
        What.EFFECT,
        What.TOLD_TO_STOP,
        What.KILLED,
        What.SKIPPED,
        What.FELL_BACK,
        What.FORGOTTEN,
        What.ARMED,
        What.DISARMED,
        What.EVENT,
        What.VERDICT,
    }
)


def nothing_follows(story: Story, record: Record) -> Iterator[str]:
    """After the verdict there is no start, no effect, no event, no other verdict."""
    if story.verdicts and record.what in _SILENT:
        yield f"after the verdict: {record.what} {record.text}".rstrip()


def run_has_ended(story: Story) -> Iterator[str]:
    """The engine raised nothing, and there is a verdict."""
    history = story.history
    if history.crash is not None:
        yield f"the engine raised {history.crash}"
    if history.is_cut_short:
        yield "it was given up after very many steps"
    elif not story.verdicts:
        yield "nothing is left to happen, and there is no verdict"


def verdict_is_of_the_first_cause(story: Story, record: Record) -> Iterator[str]:
    """Of the first tick that brought a reason to stop, the worst; ok where there was none."""
    if record.what is not What.VERDICT or record.data is None:
        return
    expected = _expected(story)
    given = (record.text, record.data["stage"])
    if given != expected:
        yield f"{given}, not {expected}"
    if story.cause is None:
        for index, lane in enumerate(story.lanes):
            if not lane.has_passed:
                yield f"the run is ok, and {story.stages[index].name} has not passed"


def tolerated_failures_decide_nothing(story: Story, record: Record) -> Iterator[str]:
    """A stage whose failure is tolerated, or replaced, is not the one that decides."""
    if record.what is not What.VERDICT or record.data is None:
        return
    if record.text not in (RunStatus.FAILED, RunStatus.TIMED_OUT):
        return
    for stage in story.stages:
        is_harmless = stage.mode.is_tolerant or stage.fallback is not None
        if stage.name == record.data["stage"] and is_harmless:
            yield f"{stage.name} decided, though its failure is tolerated or replaced"


def _expected(story: Story) -> tuple[str, str | None]:
    cause = story.cause
    if cause is None:
        return RunStatus.OK.value, None
    if cause.rank is Rank.ESCALATION:
        return RunStatus.FAILED.value, SUPERVISOR
    if cause.rank is Rank.DEADLINE:
        return RunStatus.TIMED_OUT.value, RUN
    if cause.rank is Rank.EXTERNAL_CANCEL:
        answered = story.answered
        name = EXTERNAL if answered is None else story.stages[answered[1]].name
        return RunStatus.CANCELLED.value, name
    status = {
        Rank.FAILURE: RunStatus.FAILED,
        Rank.TIMEOUT: RunStatus.TIMED_OUT,
        Rank.STAGE_CANCEL: RunStatus.CANCELLED,
    }[cause.rank]
    return status.value, story.stages[cause.stage].name
