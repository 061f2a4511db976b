"""Timers, results and events: what is announced matches what happened."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from stageflow_actors.testing.history import Record, What
from stageflow_actors.testing.lanes import Change, Outcome
from stageflow_actors.testing.telling import Story

_WORDS = (
    (Outcome.OK, "completed"),
    (Outcome.SKIPPED, "skipped"),
    (Outcome.FELL_BACK, "failed"),
    (Outcome.FAILED, "failed"),
    (Outcome.TIMED_OUT, "failed"),
    (Outcome.BRANCH_CANCELLED, "cancelled"),
    (Outcome.CANCELLED, "cancelled"),
    (Outcome.INTERRUPTED, "cancelled"),
    (Outcome.RETRYING, "stage.retry_scheduled"),
    (Outcome.REJECTED, "guard_retry.scheduled"),
)
_ACTIONS = (
    (Outcome.RETRYING, "retry"),
    (Outcome.REJECTED, "guard_retry"),
    (Outcome.FELL_BACK, "fallback"),
)
_OF_STAGES = frozenset({"started", *(word for _outcome, word in _WORDS)})
_ENDS = frozenset({"completed", "skipped", "failed", "cancelled"})
Place = tuple[int, int, int, str]
"""Tick, stage, attempt and word of an event."""


def timers_are_disarmed_once(story: Story, record: Record) -> Iterator[str]:
    """Armed once, disarmed once, and none is left at the verdict."""
    if record.what is What.ARMED and record.timer in story.armed:
        yield f"{record.timer} was armed twice"
    if record.what is What.DISARMED and record.timer not in story.armed:
        yield f"{record.timer} was disarmed, and not armed"
    if record.what is What.VERDICT:
        for timer in sorted(story.armed):
            yield f"{timer} was never disarmed"


def results_are_of_the_last_attempt(story: Story, record: Record) -> Iterator[str]:
    """What counts as the end of a stage is the end of its last attempt, and counts once."""
    if record.what is What.FELL_BACK:
        fallbacks = story.in_tick(record.tick, What.FELL_BACK, record.stage)
        if len(fallbacks) > 1:
            yield f"{story.stages[record.stage].name} fell back twice"
    if record.what is not What.EVENT or record.stage < 0:
        return
    name = story.stages[record.stage].name
    word = _word_of(record, name)
    if word not in _ENDS:
        return
    if record.attempt != max(story.lanes[record.stage].last, 1):
        yield f"attempt {record.attempt} of {name} {word}, and is not the last"
    announced = [
        each
        for each in story.in_tick(record.tick, What.EVENT, record.stage)
        if _word_of(each, name) in _ENDS
    ]
    if len(announced) > 1:
        yield f"{name} ended {len(announced)} times at once"


def events_say_what_happened(story: Story) -> Iterator[str]:
    """Each start and each outcome has its event, in the same tick, and no event is without one."""
    if story.history.crash is not None:
        return  # the last tick is torn
    happened = Counter(_places_of_changes(story.changes))
    told: Counter[Place] = Counter()
    for record in story.history.records:
        if record.what is What.STARTED:
            happened[record.tick, record.stage, record.attempt, "started"] += 1
        elif record.what is What.EVENT and record.stage >= 0:
            word = _word_of(record, story.stages[record.stage].name)
            action = (record.data or {}).get("action_taken", "stop_run")
            if word in _OF_STAGES:
                told[record.tick, record.stage, record.attempt, word] += 1
            elif action != "stop_run":
                told[record.tick, record.stage, record.attempt, f"action {action}"] += 1
    for tick, stage, attempt, word in sorted((happened - told).keys()):
        yield f"#{tick} nothing says '{word}' of attempt {attempt} of {story.stages[stage].name}"
    for tick, stage, attempt, word in sorted((told - happened).keys()):
        yield f"#{tick} attempt {attempt} of {story.stages[stage].name} is said to be '{word}'"


def events_of_the_run_frame_it(story: Story) -> Iterator[str]:
    """First that it was created, then that it started, at last how it ended."""
    types = [each.text for each in story.history.records if each.what is What.EVENT]
    if not story.verdicts or not types:
        return
    if types[0] != "pipeline.created":
        yield f"the first event is {types[0]}"
    begun = [type_ for type_ in types if type_.startswith("stage.")]
    has_started = types.count("pipeline.started")
    if has_started > 1 or (begun and types[1] != "pipeline.started"):
        yield f"pipeline.started is there {has_started} times, or comes too late"
    ended = {"ok": "completed", "cancelled": "cancelled"}
    statuses = [each.text for each in story.history.records if each.what is What.VERDICT]
    expected = f"pipeline.{ended.get(statuses[0], 'failed')}"
    if types[-1] != expected:
        yield f"the last event is {types[-1]}, not {expected}"


def _places_of_changes(changes: list[Change]) -> Iterator[Place]:
    for change in changes:
        word = next(word for outcome, word in _WORDS if outcome is change.outcome)
        yield change.tick, change.stage, change.attempt, word
        done = [action for outcome, action in _ACTIONS if outcome is change.outcome]
        for action in ["continue"] if change.is_tolerated else done:
            yield change.tick, change.stage, change.attempt, f"action {action}"


def _word_of(record: Record, name: str) -> str:
    return record.text.removeprefix(f"stage.{name}.")
