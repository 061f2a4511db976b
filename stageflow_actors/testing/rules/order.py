"""When a stage may start: what it waits for, its route, guards, and a run that stops."""

from __future__ import annotations

from collections.abc import Iterator

from stageflow_actors.model.plan import StagePlan
from stageflow_actors.testing.history import Record, What
from stageflow_actors.testing.lanes import Outcome, Rank
from stageflow_actors.testing.telling import Story


def waits_for_what_is_before(story: Story, record: Record) -> Iterator[str]:
    """A first start or a skip comes after all that it waits for, and none of that comes later."""
    if record.what not in (What.STARTED, What.SKIPPED):
        return
    stage, lanes = story.stages[record.stage], story.lanes
    for other in _all_behind(story, record.stage):
        if lanes[other].has_begun:
            yield f"{stage.name} began after {story.stages[other].name}, which waits for it"
    if lanes[record.stage].outcome is Outcome.RETRYING:
        return
    for other in stage.strict:
        if not lanes[other].has_passed:
            yield f"{stage.name} began before {story.stages[other].name} had passed"
        is_lacking = lanes[other].is_tolerated and other not in stage.optional
        if is_lacking and record.what is What.STARTED:
            yield f"{stage.name} started without {story.stages[other].name}, which failed"
    for other in stage.after_any:
        is_enough = lanes[other].is_over if story.may_finalize else lanes[other].has_passed
        if not is_enough:
            yield f"{stage.name} began before {story.stages[other].name} was over"


def runs_or_is_skipped_as_told(story: Story, record: Record) -> Iterator[str]:
    """It is skipped where routes, conditions and failures before it say so, and only there."""
    is_first = story.lanes[record.stage].outcome is not Outcome.RETRYING
    if record.what not in (What.STARTED, What.SKIPPED) or not is_first:
        return
    why, name = story.why_skipped(record.stage), story.stages[record.stage].name
    if record.what is What.STARTED and why is not None:
        yield f"{name} started, though it is {why}"
    if record.what is What.SKIPPED and why is None:
        yield f"{name} was skipped, and nothing says so"


def reads_nothing_rejected(story: Story, record: Record) -> Iterator[str]:
    """What runs again because of a guard has not been read by others before."""
    if record.what is not What.FORGOTTEN:
        return
    name, lanes = story.stages[record.stage].name, story.lanes
    if lanes[record.stage].open:
        yield f"{name} was forgotten while it ran"
    for other in _all_behind(story, record.stage):
        is_forgotten = story.in_tick(record.tick, What.FORGOTTEN, other)
        if lanes[other].has_begun and not is_forgotten:
            yield f"{story.stages[other].name} had begun when {name} was rejected"


def starts_nothing_late(story: Story, record: Record) -> Iterator[str]:
    """After a failure only finalizers start, and after any other reason to stop nothing does.

    What has begun ahead of the run is not started by it any more.
    """
    cause = story.cause
    if record.what is not What.STARTED or cause is None or story.is_caught_up_with(record):
        return
    name = story.stages[record.stage].name
    if story.is_cancelled:
        yield f"{name} started after a cancel, the time of the run or an escalation"
    elif cause.rank is Rank.STAGE_CANCEL:
        yield f"{name} started after a stage had stopped the run"
    elif record.stage not in story.history.plan.finalizers:
        yield f"{name} started after a failure, and is no finalizer"


def finalizers_have_run(story: Story, record: Record) -> Iterator[str]:
    """After a failure, each finalizer whose other edges allow it has run before the verdict."""
    if record.what is not What.VERDICT or not story.may_finalize:
        return
    for index in story.history.plan.finalizers:
        stage = story.stages[index]
        is_ready = all(story.lanes[other].has_passed for other in stage.strict)
        if is_ready and not story.lanes[index].has_begun:
            yield f"{stage.name} has not run"


def _all_behind(story: Story, index: int) -> Iterator[int]:
    return (other for other, stage in enumerate(story.stages) if index in _waits(stage))


def _waits(stage: StagePlan) -> tuple[int, ...]:
    return (*stage.strict, *stage.after_any)
