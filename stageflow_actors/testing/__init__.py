"""Simulated runs: the decisions of the engine under faults, in virtual time, judged from outside.

    history = simulate(7, pipeline)
    assert violations(history) == [], history.story()

Nothing of a stage's code is called; see ``simulate`` for what that shows and what not.
"""

from stageflow_actors.testing.checker import violations
from stageflow_actors.testing.clock import VirtualClock
from stageflow_actors.testing.faults import FaultKind
from stageflow_actors.testing.graphs import random_plan
from stageflow_actors.testing.history import History, Record, What
from stageflow_actors.testing.rule import Rule
from stageflow_actors.testing.simulator import simulate

__all__ = (
    "FaultKind",
    "History",
    "Record",
    "Rule",
    "VirtualClock",
    "What",
    "random_plan",
    "simulate",
    "violations",
)
