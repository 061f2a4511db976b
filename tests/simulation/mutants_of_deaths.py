"""Defects to be put into the engine: what it makes of deaths, and of a supervisor that gives up."""

from __future__ import annotations

from stageflow_actors.engine import attempts, failures, machine, retries, transitions
from stageflow_actors.engine.commands import StartStage
from stageflow_actors.engine.facts import NO_HINT, Escalated
from stageflow_actors.engine.retries import Repeat
from stageflow_actors.engine.state import RunPhase
from stageflow_actors.engine.verdict import CauseKind
from stageflow_actors.testing import Rule


def nobody_is_tried_alone(patch):
    def start(stage, attempt, feedback, is_alone):
        return StartStage(stage, attempt, feedback)

    patch.setattr(attempts, "StartStage", start)


def every_repeat_is_tried_alone(patch):
    def start(stage, attempt, feedback, is_alone):
        return StartStage(stage, attempt, feedback, is_alone=attempt > 1)

    patch.setattr(attempts, "StartStage", start)


def what_is_poisoned_is_repeated(patch):
    def repeat_of(state, fact):
        repeat = retries.repeat_of(state, fact)
        return Repeat.FREE if repeat is Repeat.POISONED else repeat

    patch.setattr(failures, "repeat_of", repeat_of)


def what_is_poisoned_is_said_to_be_lost(patch):
    patch.setattr(failures, "_poison", lambda state, fact: fact)


def what_is_lost_is_said_to_be_poisoned(patch):
    def repeat_of(state, fact):
        repeat = retries.repeat_of(state, fact)
        is_suspect = fact.stage in state.notes.tries and repeat is Repeat.ATTEMPTS_USED_UP
        return Repeat.POISONED if is_suspect else repeat

    patch.setattr(failures, "repeat_of", repeat_of)


def deaths_of_victims_count(patch):
    schedule = failures.schedule_repeat

    def schedule_repeat(state, fact, repeat, commands):
        fact.hint = fact.hint._replace(is_innocent=NO_HINT.is_innocent)
        schedule(state, fact, repeat, commands)

    patch.setattr(failures, "schedule_repeat", schedule_repeat)


def deaths_that_a_policy_covers_do_not_count(patch):
    schedule = failures.schedule_repeat

    def schedule_repeat(state, fact, repeat, commands):
        schedule(state, fact, repeat, commands)
        if repeat is Repeat.RETRY:
            state.notes.tries[fact.stage].losses = 0

    patch.setattr(failures, "schedule_repeat", schedule_repeat)


def an_escalation_is_heard_and_not_heeded(patch):
    _when_escalated(patch, RunPhase.RUNNING)


def finalizers_run_after_an_escalation(patch):
    _when_escalated(patch, RunPhase.STOPPING)


def _when_escalated(patch, phase):
    """Nothing is done."""
    entry = (phase, Escalated)
    patch.setitem(transitions.RUN_TRANSITIONS, entry, lambda state, fact, commands: None)


def an_escalation_is_the_mildest_cause(patch):
    def rank(cause):
        return cause.kind is CauseKind.ESCALATION, cause.kind, cause.stage or 0

    patch.setattr(machine, "decisive", lambda causes: min(causes, key=rank))


MUTANTS = [
    (Rule.POISON, nobody_is_tried_alone),
    (Rule.POISON, every_repeat_is_tried_alone),
    (Rule.POISON, what_is_poisoned_is_repeated),
    (Rule.POISON, what_is_poisoned_is_said_to_be_lost),
    (Rule.POISON, what_is_lost_is_said_to_be_poisoned),
    (Rule.POISON, deaths_of_victims_count),
    (Rule.POISON, deaths_that_a_policy_covers_do_not_count),
    (Rule.NO_LATE_START, an_escalation_is_heard_and_not_heeded),
    (Rule.NO_LATE_START, finalizers_run_after_an_escalation),
    (Rule.STATUS, an_escalation_is_the_mildest_cause),
]
