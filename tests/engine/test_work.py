"""What a run costs, in commands and calls: in proportion to its stages and edges."""

import pytest

from stageflow_actors.engine.facts import Ending, RunAccepted, StageEnded
from stageflow_actors.engine.machine import RunMachine
from tests.engine.scene import plan_of
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
    machine = RunMachine(plan)
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
    machine = RunMachine(plan)
    machine.advance([RunAccepted(0.0)])
    machine.advance([StageEnded(0, 1, Ending.OK, 0.0)])
    looks = machine.state.stages = _Counted(machine.state.stages)
    machine.advance([StageEnded(1, 1, Ending.OK, 0.0)])
    assert looks.count <= 4


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
