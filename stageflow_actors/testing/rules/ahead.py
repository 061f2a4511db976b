"""What processes do ahead of the run: it is done once, and the run catches up with it."""

from __future__ import annotations

from collections.abc import Iterator

from stageflow_actors.testing.history import Record, What
from stageflow_actors.testing.lanes import Outcome
from stageflow_actors.testing.telling import Story


def run_catches_up(story: Story, record: Record) -> Iterator[str]:
    """What is said to have begun is started in that very tick, and not skipped."""
    is_too_late = record.what is What.VERDICT or record.tick > story.tick
    for stage in sorted(story.announced) if is_too_late else ():
        yield f"{story.stages[stage].name} was begun ahead, and the run has not caught up with it"


def reads_what_the_run_has(story: Story, record: Record) -> Iterator[str]:
    """What was begun ahead has read the outputs that count: those of first attempts, all ok."""
    if not story.is_caught_up_with(record):
        return
    stage = story.stages[record.stage]
    for other in stage.strict:
        lane, name = story.lanes[other], story.stages[other].name
        if lane.open or lane.outcome is not Outcome.OK or lane.last != 1:
            what = lane.outcome or "not over"
            yield f"{stage.name} was begun ahead, after {name}: attempt {lane.last}, {what}"


def repeats_nothing_begun_ahead(story: Story, record: Record) -> Iterator[str]:
    """What a dead process may have begun is begun once more only where that does no harm."""
    stage = story.stages[record.stage]
    if record.what is not What.STARTED or stage.effects.allow_repeats:
        return
    if story.lanes[record.stage].is_ahead and not story.is_caught_up_with(record):
        yield f"{stage.name} started, and had been begun ahead before"
