"""Defects to be put into the engine, one for each promise that the checker judges by."""

from __future__ import annotations

from stageflow_actors.engine import (
    attempts,
    failures,
    guards,
    machine,
    retries,
    timers,
    transitions,
)
from stageflow_actors.engine.attempts import end_attempt, stop_running
from stageflow_actors.engine.commands import (
    DisarmTimer,
    EmitEvent,
    FallBack,
    InterruptStage,
    KillStage,
)
from stageflow_actors.engine.facts import Ending, StageEnded, TimerKind
from stageflow_actors.engine.machine import RunMachine
from stageflow_actors.engine.retries import Repeat
from stageflow_actors.engine.state import RunPhase, StageState
from stageflow_actors.engine.verdict import Cause, CauseKind
from stageflow_actors.model import plan
from stageflow_actors.model.results import RunStatus
from stageflow_actors.testing import Rule

FINAL_FAILURES = (Ending.FAIL, Ending.TIMED_OUT, Ending.LOST)


STOPS = (TimerKind.STOP, TimerKind.CLEANUP)


def a_late_fact_has_the_verdict_given_again(patch):
    end = RunMachine._end

    def end_and_stay(self, now, commands):
        end(self, now, commands)
        self.state.phase = RunPhase.STOPPING

    patch.setattr(RunMachine, "_end", end_and_stay)


def a_retry_is_forgotten(patch):
    patch.setitem(timers._FIRED, TimerKind.RETRY, lambda *_: True)


def the_mildest_cause_decides(patch):
    patch.setattr(machine, "decisive", lambda causes: max(causes, key=lambda cause: cause.kind))


def a_tolerated_failure_stops_the_run(patch):
    def settle(state, fact, commands):
        failures.settle_failure(state, fact, commands)
        if fact.stage in state.notes.tolerated:
            state.tick_causes.append(Cause(CauseKind.FAILURE, fact.stage, fact.reason))

    for ending in FINAL_FAILURES:
        patch.setitem(transitions.STAGE_TRANSITIONS, (StageState.RUNNING, ending), settle)


def the_verdict_does_not_wait_for_bodies(patch):
    stop = RunMachine._stop

    def stop_and_forget(self, now, commands):
        stop(self, now, commands)
        self.state.live = 0

    patch.setattr(RunMachine, "_stop", stop_and_forget)


def one_stage_before_is_enough(patch):
    def release(state, stage):
        for dependent in state.plan.stages[stage].dependents:
            state.waiting_for[dependent] -= 1
            is_waiting = state.stages[dependent] is StageState.WAITING
            if is_waiting and dependent not in state.ready and state.phase is RunPhase.RUNNING:
                state.ready.append(dependent)

    for module in (transitions, failures, machine):
        patch.setattr(module, "release", release)


def finalizers_wait_for_nothing(patch):
    def expect(state):
        waiting = (each for each in state.plan.finalizers if not state.attempts[each])
        state.ready += [each for each in waiting if state.stages[each] is StageState.WAITING]

    patch.setattr(machine, "expect", expect)


def nothing_is_skipped(patch):
    patch.setattr(machine, "skip_of", lambda state, index: None)


def guards_are_no_gates(patch):
    place = plan.place_guards

    def place_without_gates(by_name, waits):
        return place(by_name, dict(waits))._replace(gates={}, any_gates={})

    patch.setattr(plan, "place_guards", place_without_gates)


def finalizers_run_after_a_cancel(patch):
    patch.setattr(machine, "still_run", lambda state: True)


def a_cancel_is_heard_and_not_heeded(patch):
    patch.setitem(
        transitions.RUN_TRANSITIONS,
        (RunPhase.RUNNING, machine.CancelRequested),
        lambda state, fact, commands: None,
    )


def finalizers_are_dropped(patch):
    patch.setattr(machine, "expect", lambda state: None)


def _repeat_instead_of(patch, refused):
    def repeat_of(state, fact):
        repeat = retries.repeat_of(state, fact)
        return Repeat.RETRY if repeat is refused else repeat

    patch.setattr(failures, "repeat_of", repeat_of)


def the_number_of_attempts_has_no_limit(patch):
    _repeat_instead_of(patch, Repeat.ATTEMPTS_USED_UP)


def every_failure_is_retried(patch):
    patch.setattr(retries, "_is_covered", lambda stage, fact: True)


def the_budget_has_no_limit(patch):
    _repeat_instead_of(patch, Repeat.BUDGET_USED_UP)


def ends_of_older_attempts_count(patch):
    def end_stage(state, fact, commands):
        current = state.stages[fact.stage]
        if current.is_live:
            end_attempt(state, fact.stage, current, commands)
            transitions.STAGE_TRANSITIONS[current, fact.ending](state, fact, commands)

    for phase in (RunPhase.RUNNING, RunPhase.STOPPING):
        patch.setitem(transitions.RUN_TRANSITIONS, (phase, StageEnded), end_stage)


def every_loss_is_repeated(patch):
    patch.setattr(retries, "_is_free", lambda stage, fact: True)


def the_total_time_is_forgotten(patch):
    time_out = timers._FIRED[TimerKind.TOTAL]

    def time_out_once(state, fact, commands):
        is_current = time_out(state, fact, commands)
        if fact.timer.stage in state.notes.tries:
            state.notes.tries[fact.timer.stage].is_out_of_time = False
        return is_current

    patch.setitem(timers._FIRED, TimerKind.TOTAL, time_out_once)


def no_delay_is_heeded(patch):
    patch.setattr(retries, "chosen_delay_s", lambda *_: 0.0)


def a_retry_does_not_wait(patch):
    schedule = failures.schedule_repeat

    def schedule_now(state, fact, repeat, commands):
        schedule(state, fact, repeat, commands)
        state.ready.append(fact.stage)

    patch.setattr(failures, "schedule_repeat", schedule_now)


def guards_reject_for_ever(patch):
    patch.setattr(guards, "_exhausted", lambda guard, rounds: None)


def nobody_is_killed(patch):
    for kind in STOPS:
        patch.setitem(timers._FIRED, kind, lambda *_: True)


def nobody_is_told_to_stop(patch):
    patch.setattr(machine, "stop_running", lambda *_, **__: False)


def those_that_have_ended_are_told_to_stop(patch):
    def stop(state, reason, now, commands, **options):
        found = stop_running(state, reason, now, commands, **options)
        for index, stage in enumerate(state.stages):
            if stage is StageState.OK:
                commands.append(InterruptStage(index, state.attempts[index], reason))
        return found

    patch.setattr(machine, "stop_running", stop)


def a_stop_timer_stays_armed(patch):
    def end(state, index, was, commands):
        own = []
        end_attempt(state, index, was, own)
        commands += [each for each in own if not any(_disarms(each, kind) for kind in STOPS)]

    patch.setattr(transitions, "end_attempt", end)


def a_start_is_not_told(patch):
    begin = machine.begin_attempt

    def begin_quietly(state, index, now, commands):
        own = []
        begin(state, index, now, own)
        commands += [each for each in own if not isinstance(each, EmitEvent)]

    patch.setattr(machine, "begin_attempt", begin_quietly)


def a_start_counts_for_two(patch):
    begin = machine.begin_attempt

    def begin_one_later(state, index, now, commands):
        state.attempts[index] += 1
        begin(state, index, now, commands)

    patch.setattr(machine, "begin_attempt", begin_one_later)


def a_stop_is_told_twice(patch):
    tell = attempts.tell_to_stop

    def tell_twice(state, index, why, reason, commands):
        tell(state, index, why, reason, commands)
        commands.append(InterruptStage(index, state.attempts[index], reason))

    for module in (attempts, timers):
        patch.setattr(module, "tell_to_stop", tell_twice)


def nobody_has_time_to_stop(patch):
    tell = attempts.tell_to_stop

    def tell_and_kill(state, index, why, reason, commands):
        tell(state, index, why, reason, commands)
        commands.append(KillStage(index, state.attempts[index]))

    for module in (attempts, timers):
        patch.setattr(module, "tell_to_stop", tell_and_kill)


def those_that_have_ended_are_killed(patch):
    def kill(state, fact, commands):
        commands.append(KillStage(fact.timer.stage, fact.timer.attempt))
        return True

    a_stop_timer_stays_armed(patch)
    for kind in STOPS:
        patch.setitem(timers._FIRED, kind, kill)


def a_failed_run_is_said_to_be_complete(patch):
    patch.setitem(machine._END_EVENT, RunStatus.FAILED, "pipeline.completed")


def the_start_of_the_run_is_not_told(patch):
    start = RunMachine._start_ready

    def start_quietly(self, now, commands):
        own = []
        start(self, now, own)
        commands += [each for each in own if getattr(each, "type", "") != "pipeline.started"]

    patch.setattr(RunMachine, "_start_ready", start_quietly)


def the_engine_raises(patch):
    def tell_exhausted(*_):
        raise KeyError("a defect")

    patch.setattr(failures, "tell_exhausted", tell_exhausted)


def a_free_repeat_waits(patch):
    _repeat_instead_of(patch, Repeat.FREE)


def a_fallback_stands_in_twice(patch):
    def settle(state, fact, commands):
        failures.settle_failure(state, fact, commands)
        if state.stages[fact.stage] is StageState.FELL_BACK:
            commands.append(FallBack(fact.stage, fact.at))

    for ending in FINAL_FAILURES:
        patch.setitem(transitions.STAGE_TRANSITIONS, (StageState.RUNNING, ending), settle)


def _disarms(command, kind):
    return isinstance(command, DisarmTimer) and command.timer.kind is kind


MUTANTS = [
    (Rule.ONE_VERDICT, a_late_fact_has_the_verdict_given_again),
    (Rule.ENDS, a_retry_is_forgotten),
    (Rule.STATUS, the_mildest_cause_decides),
    (Rule.TOLERATED, a_tolerated_failure_stops_the_run),
    (Rule.NO_LIVE_BODY, the_verdict_does_not_wait_for_bodies),
    (Rule.ORDER, one_stage_before_is_enough),
    (Rule.ORDER, finalizers_wait_for_nothing),
    (Rule.ROUTES, nothing_is_skipped),
    (Rule.GATE, guards_are_no_gates),
    (Rule.NO_LATE_START, finalizers_run_after_a_cancel),
    (Rule.NO_LATE_START, a_cancel_is_heard_and_not_heeded),
    (Rule.FINALIZERS, finalizers_are_dropped),
    (Rule.ATTEMPTS, the_number_of_attempts_has_no_limit),
    (Rule.ATTEMPTS, every_failure_is_retried),
    (Rule.ONE_RESULT, ends_of_older_attempts_count),
    (Rule.ONCE_ONLY, every_loss_is_repeated),
    (Rule.TOTAL_TIME, the_total_time_is_forgotten),
    (Rule.BUDGET, the_budget_has_no_limit),
    (Rule.WAITS, no_delay_is_heeded),
    (Rule.WAITS, a_retry_does_not_wait),
    (Rule.GUARD_ROUNDS, guards_reject_for_ever),
    (Rule.STOPS, nobody_is_killed),
    (Rule.STOPS, nobody_is_told_to_stop),
    (Rule.LEFT_ALONE, those_that_have_ended_are_told_to_stop),
    (Rule.TIMERS, a_stop_timer_stays_armed),
    (Rule.EVENTS, a_start_is_not_told),
    (Rule.EVENTS, a_failed_run_is_said_to_be_complete),
    (Rule.EVENTS, the_start_of_the_run_is_not_told),
    (Rule.ATTEMPTS, a_start_counts_for_two),
    (Rule.STOPS, a_stop_is_told_twice),
    (Rule.STOPS, nobody_has_time_to_stop),
    (Rule.LEFT_ALONE, those_that_have_ended_are_killed),
    (Rule.ENDS, the_engine_raises),
    (Rule.WAITS, a_free_repeat_waits),
    (Rule.ONE_RESULT, a_fallback_stands_in_twice),
]
