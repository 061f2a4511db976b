"""What the process of a host tells, and whom."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from stageflow_actors.actors.messages import Receipt
from stageflow_actors.actors.orders import Order
from stageflow_actors.actors.ray_errors import CallFault

if TYPE_CHECKING:
    from stageflow_actors.actors.stage_process import StageProcess


class Answered(Protocol):
    """Who takes the end of an execution: its receipt, or why there is none."""

    def __call__(
        self, order: Order, sent_at: float, process: StageProcess, outcome: Receipt | CallFault
    ) -> None: ...


@dataclass(slots=True)
class Watch:
    """What a process tells of itself without being asked for anything."""

    started: Callable[[StageProcess], None]
    """``setup`` has run, or the process could not be started."""
    died: Callable[[StageProcess, CallFault], None]
    stuck: Callable[[StageProcess], None]
    """Its event loop has not turned for ``Settings.heartbeat_timeout_s``."""
