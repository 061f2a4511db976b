"""Who is told to stop, who is killed, and that nobody is left when the verdict is given."""

from __future__ import annotations

from collections.abc import Iterator

from stageflow_actors.engine.facts import TimerKind
from stageflow_actors.testing.history import Record, What
from stageflow_actors.testing.lanes import Outcome
from stageflow_actors.testing.telling import Story

_STOPS = (TimerKind.STOP, TimerKind.CLEANUP)


def ended_attempts_are_left_alone(story: Story, record: Record) -> Iterator[str]:
    """Only the attempt that runs is told to stop or killed."""
    if record.what not in (What.TOLD_TO_STOP, What.KILLED):
        return
    if story.lanes[record.stage].open != record.attempt:
        name = story.stages[record.stage].name
        yield f"attempt {record.attempt} of {name} was {record.what} after its end"


def stops_follow_each_other(story: Story, record: Record) -> Iterator[str]:
    """Told once; then killed, if it has not ended in time, and not before."""
    lane = story.lanes[record.stage]
    name = story.stages[record.stage].name
    if record.what is What.TOLD_TO_STOP and lane.is_told and lane.open == record.attempt:
        yield f"{name} was told to stop twice"
    fired = any(story.has_timer(record.tick, What.FIRED, record.stage, each) for each in _STOPS)
    if record.what is What.KILLED and not (lane.is_told and fired):
        yield f"{name} was killed before it had its time to stop"
    is_stop = record.timer is not None and record.timer.kind in _STOPS
    if record.what is not What.FIRED or not is_stop:
        return
    if story.has_timer(record.tick, What.ARMED, record.stage, TimerKind.CLEANUP):
        return  # it was heard of in this very tick, and has got its time for that
    has_ended = story.in_tick(record.tick, What.END_TOLD, record.stage)
    is_killed = story.in_tick(record.tick, What.KILLED, record.stage)
    if lane.open == record.attempt and not has_ended and not is_killed:
        yield f"{name} has not stopped, and was not killed"


def everybody_is_told(story: Story, record: Record) -> Iterator[str]:
    """Once a run stops, whoever still runs has been told, but for finalizers after a failure.

    To be asked before the first record of a tick.
    """
    if story.cause is None:
        return
    spared = story.history.plan.finalizers if story.may_finalize else ()
    for index, lane in enumerate(story.lanes):
        goes_on = (lane.open and not lane.is_told) or lane.outcome is Outcome.RETRYING
        if goes_on and index not in spared:
            yield f"{story.stages[index].name} goes on in a run that stops"


def nobody_is_left(story: Story, record: Record) -> Iterator[str]:
    """At the verdict every body has ended, and the engine has been told of it."""
    if record.what is not What.VERDICT:
        return
    for stage, attempt in sorted(story.live):
        yield f"attempt {attempt} of {story.stages[stage].name} runs"
    for index, lane in enumerate(story.lanes):
        if not lane.is_over and (index, lane.open) not in story.live:
            yield f"{story.stages[index].name} is not over"
