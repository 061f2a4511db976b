"""What a process does ahead of its run, in the naive model of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from stageflow_actors.engine.facts import Fact, StageEnded
from stageflow_actors.engine.leases import Follower
from stageflow_actors.engine.state import StageState

if TYPE_CHECKING:
    from tests.engine.naive import NaiveRun


def may_follow(
    run: NaiveRun, followers: Mapping[int, Sequence[Follower]], stage: int
) -> tuple[int, ...]:
    """What the process of ``stage``, which is executed for the first time, may begin after it."""

    def has_ended(index: int) -> bool:
        is_there = index == stage or run.stages[index] is StageState.OK
        return is_there and run.attempts[index] == 1

    return tuple(
        each.stage
        for each in followers.get(stage, ())
        if all(map(has_ended, each.waits_for)) and not run.attempts[each.stage]
    )


def catch_up(run: NaiveRun, facts: Sequence[Fact]) -> None:
    """Start what nobody has started, as the run stops, and have it stop."""
    for fact in facts:
        for index in fact.ahead if isinstance(fact, StageEnded) else ():
            if run.stages[index] is StageState.WAITING:
                assert run.cause is not None, "it went on with what the run has not come to"
                run.start(index)
                run.stages[index] = StageState.STOPPING
            assert run.stages[index] in (StageState.RUNNING, StageState.STOPPING)
