"""``violations``: judges a history, without a look at the engine that made it."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from stageflow_actors.testing.history import History, Record
from stageflow_actors.testing.rule import Rule
from stageflow_actors.testing.rules.ahead import (
    reads_what_the_run_has,
    repeats_nothing_begun_ahead,
    run_catches_up,
)
from stageflow_actors.testing.rules.attempts import (
    attempts_follow_each_other,
    guards_reject_so_often,
    keeps_to_the_budget,
    keeps_to_the_total_time,
    repeats_nothing_in_doubt,
    repeats_what_a_policy_covers,
    retries_wait,
    waits_are_as_asked,
)
from stageflow_actors.testing.rules.bookkeeping import (
    events_of_the_run_frame_it,
    events_say_what_happened,
    results_are_of_the_last_attempt,
    timers_are_disarmed_once,
)
from stageflow_actors.testing.rules.losses import (
    repeats_nothing_poisoned,
    says_what_is_poisoned,
    tries_suspects_alone,
)
from stageflow_actors.testing.rules.order import (
    finalizers_have_run,
    reads_nothing_rejected,
    runs_or_is_skipped_as_told,
    starts_nothing_late,
    waits_for_what_is_before,
)
from stageflow_actors.testing.rules.stopping import (
    ended_attempts_are_left_alone,
    everybody_is_told,
    nobody_is_left,
    stops_follow_each_other,
)
from stageflow_actors.testing.rules.verdicts import (
    nothing_follows,
    run_has_ended,
    tolerated_failures_decide_nothing,
    verdict_is_of_the_first_cause,
)
from stageflow_actors.testing.telling import Story

_BEFORE_A_RECORD: tuple[tuple[Rule, Callable[[Story, Record], Iterator[str]]], ...] = (
    (Rule.ONE_VERDICT, nothing_follows),
    (Rule.STATUS, verdict_is_of_the_first_cause),
    (Rule.TOLERATED, tolerated_failures_decide_nothing),
    (Rule.NO_LIVE_BODY, nobody_is_left),
    (Rule.ORDER, waits_for_what_is_before),
    (Rule.ROUTES, runs_or_is_skipped_as_told),
    (Rule.GATE, reads_nothing_rejected),
    (Rule.NO_LATE_START, starts_nothing_late),
    (Rule.FINALIZERS, finalizers_have_run),
    (Rule.AHEAD, run_catches_up),
    (Rule.AHEAD, reads_what_the_run_has),
    (Rule.ATTEMPTS, attempts_follow_each_other),
    (Rule.ONCE_ONLY, repeats_nothing_in_doubt),
    (Rule.ONCE_ONLY, repeats_nothing_begun_ahead),
    (Rule.POISON, tries_suspects_alone),
    (Rule.POISON, says_what_is_poisoned),
    (Rule.TOTAL_TIME, keeps_to_the_total_time),
    (Rule.WAITS, retries_wait),
    (Rule.STOPS, stops_follow_each_other),
    (Rule.LEFT_ALONE, ended_attempts_are_left_alone),
    (Rule.TIMERS, timers_are_disarmed_once),
    (Rule.ONE_RESULT, results_are_of_the_last_attempt),
)
_AFTER_A_RECORD: tuple[tuple[Rule, Callable[[Story, Record], Iterator[str]]], ...] = (
    (Rule.ATTEMPTS, repeats_what_a_policy_covers),
    (Rule.POISON, repeats_nothing_poisoned),
    (Rule.BUDGET, keeps_to_the_budget),
    (Rule.WAITS, waits_are_as_asked),
    (Rule.GUARD_ROUNDS, guards_reject_so_often),
)
_BETWEEN_TICKS: tuple[tuple[Rule, Callable[[Story, Record], Iterator[str]]], ...] = (
    (Rule.STOPS, everybody_is_told),
)
_AT_THE_END: tuple[tuple[Rule, Callable[[Story], Iterator[str]]], ...] = (
    (Rule.ENDS, run_has_ended),
    (Rule.EVENTS, events_say_what_happened),
    (Rule.EVENTS, events_of_the_run_frame_it),
)


def violations(history: History) -> list[str]:
    """What ``history`` breaks: the rule, the tick and the story of each; empty where all is well.

    It reads the plan, the settings and what was recorded, and decides by itself what should have
    happened. The state of the engine is not in a history, and no answer of it is believed.
    """
    story, found, tick = Story(history), [], 0
    for record in history.records:
        if record.tick != tick:
            found += _judged(_BETWEEN_TICKS, story, record)
            tick = record.tick
        found += _judged(_BEFORE_A_RECORD, story, record)
        story.read(record)
        found += _judged(_AFTER_A_RECORD, story, record)
    for rule, judge in _AT_THE_END:
        found += [f"{rule}: {what}" for what in judge(story)]
    return found


def _judged(
    rules: tuple[tuple[Rule, Callable[[Story, Record], Iterator[str]]], ...],
    story: Story,
    record: Record,
) -> list[str]:
    return [
        f"{rule}: #{record.tick} {what}" for rule, judge in rules for what in judge(story, record)
    ]
