"""Stages whose process dies: when they are tried alone, and when no more."""

from __future__ import annotations

from collections.abc import Iterator

from stageflow_actors.errors import PoisonedInputError
from stageflow_actors.testing.history import Record, What
from stageflow_actors.testing.lanes import Outcome
from stageflow_actors.testing.telling import Story, is_death

_POISONED = PoisonedInputError.default_code


def tries_suspects_alone(story: Story, record: Record) -> Iterator[str]:
    """An attempt has a process of its own after so many deaths, and only then."""
    if record.what is not What.STARTED:
        return
    name, deaths = story.stages[record.stage].name, story.lanes[record.stage].deaths
    is_suspect = deaths >= story.history.settings.max_losses_per_stage
    if record.is_alone is not is_suspect:
        yield f"{name} was tried {'alone' if record.is_alone else 'as any'} after {deaths} deaths"


def repeats_nothing_poisoned(story: Story, record: Record) -> Iterator[str]:
    """A stage that died alone is not executed again, and has failed with a code of its own."""
    change, most = story.change, story.history.settings.max_losses_per_stage
    if change is None or change.told is None or not is_death(change.told):
        return
    lane, name = story.lanes[change.stage], story.stages[change.stage].name
    if lane.is_told or lane.deaths <= most:
        return
    if change.outcome not in (Outcome.FAILED, Outcome.FELL_BACK):
        yield f"{name} was {change.outcome} after it had died alone"
    told = story.in_tick(change.tick, What.EVENT, change.stage)
    has_code = any(_says_poisoned(each) for each in told if each.text == f"stage.{name}.failed")
    if not has_code and story.history.crash is None:
        yield f"nothing says that {name} is poisoned"


def says_what_is_poisoned(story: Story, record: Record) -> Iterator[str]:
    """What is said to be poisoned has died once more than it may, the last time alone."""
    if record.what is not What.EVENT or not _says_poisoned(record):
        return
    lane, name = story.lanes[record.stage], story.stages[record.stage].name
    if lane.deaths != story.history.settings.max_losses_per_stage + 1:
        yield f"{name} is said to be poisoned after {lane.deaths} deaths"
    if not lane.is_alone:
        yield f"{name} is said to be poisoned, and was not tried alone"


def _says_poisoned(record: Record) -> bool:
    return (record.data or {}).get("code") == _POISONED
