"""What is said of an execution that nobody answered, and whether a process is really gone."""

from __future__ import annotations

import os
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from stageflow_actors.actors.codec import FarOutput
from stageflow_actors.actors.failures import failure_of, failure_to_wire
from stageflow_actors.actors.messages import Execution, Receipt
from stageflow_actors.actors.ray_errors import CallFault, FaultKind
from stageflow_actors.engine.facts import Ending, FailureHint
from stageflow_actors.errors import StageLostError, StageOutputError

if TYPE_CHECKING:
    from stageflow_actors.actors.stage_process import StageProcess

_FULL = ("ObjectStoreFullError", "OutOfDiskError")
GONE = (FaultKind.DIED, FaultKind.OUT_OF_MEMORY)
"""What a call ends with where there is no process any more."""


def is_alive(pid: int | None) -> bool:
    """Whether there is such a process on this machine; one that nobody has buried yet is dead."""
    if pid is None:
        return False
    with suppress(OSError):  # other systems have no such files
        return Path(f"/proc/{pid}/stat").read_bytes().rpartition(b") ")[2][:1] not in b"ZX"
    try:
        os.kill(pid, 0)  # asks, and does nothing
    except (ProcessLookupError, PermissionError):
        return False
    return True


def lost_error(stage: str, fault: CallFault) -> StageLostError:
    """What is said of an execution of ``stage`` that nobody answered."""
    unknown = "Whether the stage had finished is unknown"
    if fault.kind is FaultKind.OUT_OF_MEMORY:
        return StageLostError(
            f"The process of stage '{stage}' was ended: its machine ran out of memory.",
            hint=f"{unknown}; a new process takes later runs. Give it more memory, or less work.",
            code="STAGE-OUT-OF-MEMORY",
        )
    if fault.kind in GONE or fault.kind is FaultKind.UNANSWERED:
        why = f": {fault.error_type}" if fault.error_type else f": {fault.text}"
        return StageLostError(
            f"The process of stage '{stage}' died or was out of reach{why}.",
            hint=f"{unknown}; a new process takes later runs.",
        )
    return StageLostError(
        f"The call to stage '{stage}' failed: {fault.error_type}: {fault.text}",
        hint=f"{unknown}.",
        code="STAGE-CALL",
    )


def lost_receipt(
    process: StageProcess, execution: Execution, fault: CallFault, sent_at: float
) -> Receipt:
    """The receipt of an execution that nobody answered. One death is one failure, however many
    were executing; whoever was there when another one was ended is innocent.
    """
    is_innocent = process.ended_for not in (None, execution)
    is_news = not process.is_told
    process.is_told = process.ended_at is not None
    hint = FailureHint(is_innocent=is_innocent, counts=is_news and not is_innocent)
    failure = failure_to_wire(failure_of(lost_error(process.name, fault)))
    ending = Ending.FAIL if fault.kind is FaultKind.NEVER_RAN else Ending.LOST
    return Receipt.failed(failure, sent_at, time.time(), ending=ending, hint=hint)


def begun_and_lost(stage: str) -> Receipt:
    """The receipt of an execution that a process has begun ahead of its run, before it died."""
    now = time.time()
    error = lost_error(stage, CallFault(FaultKind.DIED, "", "it died before its run caught up"))
    return Receipt.failed(failure_to_wire(failure_of(error)), now, now, ending=Ending.LOST)


def not_stored(stage: str, receipt: Receipt, fault: CallFault) -> Receipt | CallFault:
    """What becomes of an execution whose big output nobody could take."""
    if not any(name in fault.error_type for name in _FULL):
        return fault
    size = receipt.output.size if type(receipt.output) is FarOutput else 0
    error = StageOutputError(
        f"The output of stage '{stage}', {size} bytes, does not fit into the object store: "
        f"{fault.error_type}.",
        hint="Start Ray with a larger object_store_memory, return less, or run fewer at a time.",
        code="OUTPUT-STORE-FULL",
    )
    failure = failure_to_wire(failure_of(error))
    return Receipt.failed(
        failure, receipt.started_at, receipt.ended_at, receipt.events, hint=FailureHint(counts=True)
    )
