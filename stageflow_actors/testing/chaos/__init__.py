"""Faults on purpose, in a pipeline that runs: stages fail, hang and die, messages get lost.

    ledger = FaultLedger("faults.jsonl")
    pipeline = Pipeline().with_stage("fetch", faulty(fetch, Sigkill(), ledger=ledger, times=1))
    ...
    assert ledger.fired(Sigkill, "fetch") == 1

Every fault is written down before it strikes: a run that went well is no proof without.
"""

from stageflow_actors.testing.chaos.faults import (
    Block,
    Exit,
    Fault,
    Hang,
    MemoryLimit,
    Raise,
    Sigkill,
    Sigstop,
    Slow,
    StopLoop,
)
from stageflow_actors.testing.chaos.faulty import faulty
from stageflow_actors.testing.chaos.killer import StageKiller
from stageflow_actors.testing.chaos.ledger import FaultLedger, FaultRecord
from stageflow_actors.testing.chaos.rpc import lossy_rpc

__all__ = (
    "Block",
    "Exit",
    "Fault",
    "FaultLedger",
    "FaultRecord",
    "Hang",
    "MemoryLimit",
    "Raise",
    "Sigkill",
    "Sigstop",
    "Slow",
    "StageKiller",
    "StopLoop",
    "faulty",
    "lossy_rpc",
)
