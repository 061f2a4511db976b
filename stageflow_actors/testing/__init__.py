"""What becomes of a pipeline when things go wrong: simulated, and for real.

Simulated runs: the decisions of the engine under faults, in virtual time, judged from outside.

    history = simulate(7, pipeline)
    assert violations(history) == [], history.story()

Nothing of a stage's code is called; see ``simulate`` for what that shows and what not.

Faults on purpose: ``faulty`` has a stage fail, hang or die where it runs, ``StageKiller`` kills
processes, ``lossy_rpc`` loses messages. Each is written down when it happens.
"""

from stageflow_actors.testing.chaos import (
    Block,
    Exit,
    Fault,
    FaultLedger,
    FaultRecord,
    Hang,
    MemoryLimit,
    Raise,
    Sigkill,
    Sigstop,
    Slow,
    StageKiller,
    StopLoop,
    faulty,
    lossy_rpc,
)
from stageflow_actors.testing.checker import violations
from stageflow_actors.testing.clock import VirtualClock
from stageflow_actors.testing.faults import FaultKind
from stageflow_actors.testing.graphs import random_plan
from stageflow_actors.testing.history import History, Record, What
from stageflow_actors.testing.rule import Rule
from stageflow_actors.testing.simulator import simulate

__all__ = (
    "Block",
    "Exit",
    "Fault",
    "FaultKind",
    "FaultLedger",
    "FaultRecord",
    "Hang",
    "History",
    "MemoryLimit",
    "Raise",
    "Record",
    "Rule",
    "Sigkill",
    "Sigstop",
    "Slow",
    "StageKiller",
    "StopLoop",
    "VirtualClock",
    "What",
    "faulty",
    "lossy_rpc",
    "random_plan",
    "simulate",
    "violations",
)
