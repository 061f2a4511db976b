"""Defects to be put into the engine: what processes do ahead of the run."""

from __future__ import annotations

from dataclasses import replace

from stageflow_actors.engine import leases, machine, transitions
from stageflow_actors.engine.facts import StageEnded
from stageflow_actors.engine.machine import RunMachine
from stageflow_actors.engine.state import RunPhase, StageState
from stageflow_actors.testing import Rule


def what_was_begun_ahead_is_forgotten(patch):
    patch.setattr(RunMachine, "_catch_up", lambda self, now, commands: self.state.ahead.clear())


def what_was_begun_ahead_is_not_told_to_stop(patch):
    patch.setattr(machine, "tell_to_stop", lambda *_: None)


def whoever_is_late_is_late_though_others_go_on(patch):
    end = transitions.RUN_TRANSITIONS[RunPhase.RUNNING, StageEnded]

    def end_stage(state, fact, commands):
        is_late = state.stages[fact.stage] is StageState.TIMING_OUT
        if is_late and fact.attempt == state.attempts[fact.stage]:
            state.ahead.extend(fact.ahead)
            fact = replace(fact, ahead=())
        end(state, fact, commands)

    for phase in (RunPhase.RUNNING, RunPhase.STOPPING):
        patch.setitem(transitions.RUN_TRANSITIONS, (phase, StageEnded), end_stage)


def what_may_not_be_repeated_goes_ahead_of_what_is(patch):
    patch.setattr(leases, "_stops_its_run", lambda stage: True)


def what_others_decide_on_goes_ahead(patch):
    patch.setattr(leases, "_follows_freely", lambda stage: True)


MUTANTS = [
    (Rule.AHEAD, what_was_begun_ahead_is_forgotten),
    (Rule.STOPS, what_was_begun_ahead_is_not_told_to_stop),
    (Rule.AHEAD, whoever_is_late_is_late_though_others_go_on),
    (Rule.ONCE_ONLY, what_may_not_be_repeated_goes_ahead_of_what_is),
    (Rule.AHEAD, what_others_decide_on_goes_ahead),
]
