"""How often a stage is executed, when, and who may be repeated."""

from __future__ import annotations

from collections.abc import Iterator

from stageflow_actors.engine.facts import Ending, TimerKind
from stageflow_actors.model.policies.effects import Effects
from stageflow_actors.testing.history import Record, What
from stageflow_actors.testing.lanes import Change, Outcome
from stageflow_actors.testing.telling import Story, schedule_of

_ROUNDING_S = 1e-9


def attempts_follow_each_other(story: Story, record: Record) -> Iterator[str]:
    """One at a time, numbered from 1, never after a result."""
    if record.what is not What.STARTED:
        return
    lane, name = story.lanes[record.stage], story.stages[record.stage].name
    runs = any(stage == record.stage for stage, _attempt in story.live)
    if lane.open or (runs and not story.is_caught_up_with(record)):
        yield f"{name} started again while it ran"
    if record.attempt != lane.last + 1:
        yield f"attempt {record.attempt} of {name} followed attempt {lane.last}"
    if lane.outcome not in (None, Outcome.RETRYING):
        yield f"{name} started again, though it was {lane.outcome}"


def repeats_what_a_policy_covers(story: Story, record: Record) -> Iterator[str]:
    """A retry is covered by a policy, or free; and no more than there may be."""
    change = story.change
    if change is None or change.outcome is not Outcome.RETRYING or change.is_free:
        return
    stage, lane = story.stages[change.stage], story.lanes[change.stage]
    if not _is_covered(story, change):
        yield f"{stage.name} is retried, and no policy covers that"
    if lane.retries >= schedule_of(stage).max_attempts:
        yield f"{stage.name} is retried for the {lane.retries}. time"


def keeps_to_the_budget(story: Story, record: Record) -> Iterator[str]:
    """All retries of a run together are as many as its settings allow."""
    change, most = story.change, story.history.settings.max_retries_per_run
    is_retry = change is not None and change.outcome is Outcome.RETRYING and not change.is_free
    if is_retry and story.retries_spent > most:
        yield f"{story.retries_spent} retries, of {most}"


def repeats_nothing_in_doubt(story: Story, record: Record) -> Iterator[str]:
    """A stage that may act once only is not started after it was lost or timed out."""
    stage = story.stages[record.stage]
    if record.what is not What.STARTED or stage.effects is not Effects.ONCE_ONLY:
        return
    if story.lanes[record.stage].in_doubt:
        yield f"{stage.name} started again, and may have acted before"


def keeps_to_the_total_time(story: Story, record: Record) -> Iterator[str]:
    """No attempt starts when the time for all attempts is over."""
    if record.what is What.STARTED and story.lanes[record.stage].is_out_of_time:
        yield f"{story.stages[record.stage].name} started when its time was up"


def retries_wait(story: Story, record: Record) -> Iterator[str]:
    """The wait is what the policy or the failure asks for, and the attempt comes after it."""
    lane = story.lanes[record.stage]
    is_retry = record.what is What.STARTED and lane.outcome is Outcome.RETRYING
    if is_retry and record.at < lane.retry_due - _ROUNDING_S:
        yield f"{story.stages[record.stage].name} was retried too early"


def waits_are_as_asked(story: Story, record: Record) -> Iterator[str]:
    """Nothing for a free repeat; at least ``retry_after_s``, and no more than the policy says."""
    change = story.change
    if change is None or change.outcome is not Outcome.RETRYING:
        return
    stage = story.stages[change.stage]
    is_late = story.lanes[change.stage].is_late  # what it said then counts for nothing
    asked = 0.0 if is_late else _retry_after_s(change)
    longest_s = max(schedule_of(stage).max_delay_s, asked)
    for armed in story.in_tick(change.tick, What.ARMED, change.stage):
        if armed.timer is None or armed.timer.kind is not TimerKind.RETRY:
            continue
        if change.is_free and armed.seconds:
            yield f"{stage.name} waits for a free repeat"
        if not change.is_free and not asked <= armed.seconds <= longest_s:
            yield f"{stage.name} waits for {armed.seconds} s, and not for {asked} to {longest_s}"


def guards_reject_so_often(story: Story, record: Record) -> Iterator[str]:
    """A guard that has used up its rounds, or its time, has nothing made again."""
    change = story.change
    if change is None or change.outcome is not Outcome.REJECTED:
        return
    stage, lane = story.stages[change.stage], story.lanes[change.stage]
    if stage.guard is None:
        yield f"{stage.name} is no guard"
        return
    if lane.rejections >= stage.guard.max_attempts:
        yield f"{stage.name} rejected {lane.rejections} times"
    if lane.equal_rejections > stage.guard.stagnation_limit:
        yield f"{stage.name} rejected the same {lane.equal_rejections} times"
    if lane.guard_time_up is not None and lane.guard_time_up < change.tick:
        yield f"{stage.name} rejected when its time was up"


def _is_covered(story: Story, change: Change) -> bool:
    stage, lane, told = story.stages[change.stage], story.lanes[change.stage], change.told
    if told is None:
        return False
    is_timeout = lane.is_late or told.ending is Ending.TIMED_OUT
    if not is_timeout and told.ending is Ending.RETRY:
        return True
    if stage.retry is None:
        return False
    if not is_timeout and told.ending is Ending.FAIL:
        return told.hint is not None and told.hint.is_covered
    if stage.effects is Effects.ONCE_ONLY:
        return False
    return stage.retry.covers_timeout if is_timeout else stage.retry.covers_loss


def _retry_after_s(change: Change) -> float:
    hint = None if change.told is None else change.told.hint
    return (hint.retry_after_s if hint is not None else None) or 0.0
