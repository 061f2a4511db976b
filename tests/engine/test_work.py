"""What a run costs, in commands and calls: in proportion to its stages and edges."""

from collections import Counter

import pytest

from stageflow_actors.engine.commands import EmitEvent, EndRun, SkipStage, StartStage
from stageflow_actors.engine.facts import (
    Ending,
    FailureHint,
    RunAccepted,
    Signal,
    StageEnded,
    Timer,
    TimerFired,
    TimerKind,
)
from stageflow_actors.engine.machine import RunMachine
from stageflow_actors.engine.state import RunPhase
from stageflow_actors.model.settings import Settings
from tests.engine.graphs import plan_of
from tests.model.counting import calls_made_by


@pytest.fixture(autouse=True)
def checked_engine():
    """Replaces the checks that every other test has after each step: they would be counted."""


def chain(length):
    return plan_of({f"s{n}": f"s{n - 1}" if n else "" for n in range(length)})


def fan(width):
    middle = {f"m{n}": "first" for n in range(width)}
    return plan_of({"first": "", **middle, "join": " ".join(middle)})


def play(plan):
    """Complete a run, one stage per tick; the commands of each tick."""
    machine = RunMachine(plan, Settings())
    ticks = [machine.advance([RunAccepted(0.0)])]
    ticks += [machine.advance([StageEnded(n, 1, Ending.OK, 0.0)]) for n in range(len(plan.stages))]
    return ticks


def test_every_tick_of_a_chain_commands_the_same_few_things():
    ticks = play(chain(300))
    assert {len(commands) for commands in ticks[1:-1]} == {3}
    assert {len(commands) for commands in play(chain(30))[1:-1]} == {3}


def test_a_chain_twice_as_long_makes_twice_as_many_calls():
    short, long = chain(200), chain(400)
    calls = [calls_made_by(lambda plan=plan: play(plan)) for plan in (short, long)]
    assert calls[1] <= 2.01 * calls[0]


def test_a_fan_twice_as_wide_makes_about_twice_as_many_calls():
    narrow, wide = fan(200), fan(400)
    calls = [calls_made_by(lambda plan=plan: play(plan)) for plan in (narrow, wide)]
    assert calls[1] <= 2.1 * calls[0]


def test_a_tick_looks_at_the_stages_it_is_about_and_at_no_other():
    plan = fan(500)
    machine = RunMachine(plan, Settings())
    machine.advance([RunAccepted(0.0)])
    machine.advance([StageEnded(0, 1, Ending.OK, 0.0)])
    looks = machine.state.stages = _Counted(machine.state.stages)
    machine.advance([StageEnded(1, 1, Ending.OK, 0.0)])
    assert looks.count <= 4


# --- skips ----------------------------------------------------------------------------------------


def fork(width):
    """A router with many branches and one that joins them all."""
    branches = {f"b{n}": "router route:wide" for n in range(width)}
    return plan_of(
        {"router": "", "only": "router route:narrow", **branches, "join": " ".join(branches)}
    )


def conditional_chain(length):
    return plan_of({"s0": "", **{f"s{n}": f"s{n - 1} conditional" for n in range(1, length)}})


def skip_all(plan):
    """Let the first stage skip whatever can be skipped; what that tick commanded."""
    machine = RunMachine(plan, Settings())
    machine.advance([RunAccepted(0.0)])
    if plan.routes_of(0):
        return machine.advance([StageEnded(0, 1, Ending.OK, 0.0, signal=Signal(route="narrow"))])
    return machine.advance([StageEnded(0, 1, Ending.SKIP, 0.0)])


@pytest.mark.parametrize("make", [fork, conditional_chain])
def test_twice_as_many_skips_make_about_twice_as_many_calls(make):
    few, many = make(500), make(1000)
    calls = [calls_made_by(lambda plan=plan: skip_all(plan)) for plan in (few, many)]
    assert calls[1] <= 2.1 * calls[0]


def test_a_skip_is_two_commands_however_many_there_are():
    kinds = Counter(map(type, skip_all(fork(1000))))  # the router's end, the start of the other
    assert kinds == {SkipStage: 1001, EmitEvent: 1001 + 2, StartStage: 1}
    kinds = Counter(map(type, skip_all(conditional_chain(1000))))  # the first end, that of the run
    assert kinds == {SkipStage: 999, EmitEvent: 999 + 2, EndRun: 1}


def test_a_skip_looks_at_its_own_state_and_at_no_other():
    plan = fork(1000)
    machine = RunMachine(plan, Settings())
    machine.advance([RunAccepted(0.0)])
    looks = machine.state.stages = _Counted(machine.state.stages)
    machine.advance([StageEnded(0, 1, Ending.OK, 0.0, signal=Signal(route="narrow"))])
    assert looks.count <= 2 * len(plan.stages)


# --- finalizers -----------------------------------------------------------------------------------


def finalizer_chain(length):
    return plan_of({f"s{n}": f"any:s{n - 1}" if n else "" for n in range(length)})


def finalizer_of_all(width):
    stages = {f"s{n}": "" for n in range(width)}
    return plan_of({**stages, "close": " ".join(f"any:{name}" for name in stages)})


def finalizer_of_each(width):
    """None of them can start, as all depend on what fails."""
    stages = {f"s{n}": "" for n in range(width)}
    return plan_of({**stages, **{f"c{n}": f"s0 any:s{n}" for n in range(1, width)}})


def fail_first(plan):
    """Fail the first stage, then end every other that is live, one per tick."""
    machine = RunMachine(plan, Settings())
    machine.advance([RunAccepted(0.0)])
    machine.advance([StageEnded(0, 1, Ending.FAIL, 0.0)])
    for n in range(1, len(plan.stages)):
        machine.advance([StageEnded(n, 1, Ending.OK, 0.0)])
    assert machine.state.phase is RunPhase.ENDED


@pytest.mark.parametrize("make", [finalizer_chain, finalizer_of_all, finalizer_of_each])
def test_a_failed_run_with_twice_as_many_finalizers_makes_about_twice_as_many_calls(make):
    few, many = make(200), make(400)
    calls = [calls_made_by(lambda plan=plan: fail_first(plan)) for plan in (few, many)]
    assert calls[1] <= 2.1 * calls[0]


# --- failures -------------------------------------------------------------------------------------


def flaw(stage, attempt):
    hint = FailureHint(is_covered=True)
    return StageEnded(stage, attempt, Ending.FAIL, 0.0, hint=hint)


def waited(stage, attempt):
    return TimerFired(Timer(TimerKind.RETRY, stage, attempt), 0.0)


def fail_all_twice(plan):
    """Every stage fails, and runs a second and a third time."""
    machine = RunMachine(plan, Settings(max_retries_per_run=10_000))
    machine.advance([RunAccepted(0.0)])
    for n in range(len(plan.stages)):
        for attempt in (1, 2):
            machine.advance([flaw(n, attempt)])
            machine.advance([waited(n, attempt)])
        machine.advance([StageEnded(n, 3, Ending.OK, 0.0)])
    assert machine.state.phase is RunPhase.ENDED


@pytest.mark.parametrize("before", ["", "s{}"], ids=["side by side", "one after the other"])
def test_twice_as_many_retries_make_about_twice_as_many_calls(before):
    def stages(count):
        edges = [before.format(n - 1) if n else "" for n in range(count)]
        return plan_of({f"s{n}": f"{edges[n]} retry:3" for n in range(count)})

    few, many = stages(200), stages(400)
    calls = [calls_made_by(lambda plan=plan: fail_all_twice(plan)) for plan in (few, many)]
    assert calls[1] <= 2.1 * calls[0]


def test_a_retry_looks_at_its_own_stage_and_at_no_other():
    machine = RunMachine(plan_of({f"s{n}": "retry:3" for n in range(500)}), Settings())
    machine.advance([RunAccepted(0.0)])
    looks = machine.state.stages = _Counted(machine.state.stages)
    machine.advance([flaw(250, 1)])
    machine.advance([waited(250, 1)])
    assert looks.count <= 9


def test_twice_as_many_stages_without_what_they_require_make_about_twice_as_many_calls():
    def fail_tolerated(plan):
        machine = RunMachine(plan, Settings())
        machine.advance([RunAccepted(0.0)])
        assert machine.advance([StageEnded(0, 1, Ending.FAIL, 0.0)])[-1].status == "ok"

    def blocked(count):
        names = {f"b{n}": "first" for n in range(count)}
        return plan_of({"first": "tolerant", **names, "join": " ".join(names)})

    few, many = blocked(200), blocked(400)
    calls = [calls_made_by(lambda plan=plan: fail_tolerated(plan)) for plan in (few, many)]
    assert calls[1] <= 2.1 * calls[0]


# --- guards ---------------------------------------------------------------------------------------


def region(length):
    """A producer, a chain behind it, a guard, and as many stages that it holds."""
    chain = {f"s{n}": f"s{n - 1}" if n else "" for n in range(length)}
    guard = {"check": f"s{length - 1} guard:s0 rejects:99 stagnant:99"}
    return plan_of({**chain, **guard, **{f"h{n}": f"s{n}" for n in range(length)}})


def reject(machine, rounds):
    """Have the guard of a ``region`` reject so often."""
    plan = machine.state.plan
    guard = plan.stage_names.index("check")
    rejection = FailureHint(is_rejection=True)
    for attempt in range(1, rounds + 1):
        for n in plan.stages[guard].guard.region[:-1]:
            machine.advance([StageEnded(n, attempt, Ending.OK, 0.0)])
        machine.advance([StageEnded(guard, attempt, Ending.FAIL, 0.0, hint=rejection)])
    assert machine.state.attempts[0] == rounds + 1


def test_a_region_twice_as_long_and_twice_as_many_rounds_make_about_twice_as_many_calls():
    def play_rounds(plan, rounds):
        machine = RunMachine(plan, Settings())
        machine.advance([RunAccepted(0.0)])
        reject(machine, rounds)

    short, long = region(100), region(200)
    calls = [
        calls_made_by(lambda plan=plan, rounds=rounds: play_rounds(plan, rounds))
        for plan, rounds in [(short, 10), (long, 10), (short, 20)]
    ]
    assert calls[1] <= 2.1 * calls[0]
    assert calls[2] <= 2.1 * calls[0]


def test_a_rejection_looks_at_its_region_and_at_no_other_stage():
    pair = {"make": "", "check": "make guard:make"}
    plan = plan_of({**pair, **{f"beside{n}": "" for n in range(500)}})
    machine = RunMachine(plan, Settings())
    machine.advance([RunAccepted(0.0)])
    guard = plan.stage_names.index("check")
    machine.advance([StageEnded(0, 1, Ending.OK, 0.0)])
    looks = machine.state.stages = _Counted(machine.state.stages)
    hint = FailureHint(is_rejection=True)
    machine.advance([StageEnded(guard, 1, Ending.FAIL, 0.0, hint=hint)])
    assert looks.count <= 9


class _Counted(list):
    """A list that counts how often an item of it is read or written."""

    count = 0

    def __getitem__(self, index):
        self.count += 1
        return super().__getitem__(index)

    def __setitem__(self, index, value):
        self.count += 1
        super().__setitem__(index, value)

    def __iter__(self):
        self.count += len(self)
        return super().__iter__()
