"""``Post``: one stage of a deployment, and the processes that serve it."""

from __future__ import annotations

from typing import Any

from stageflow_actors.actors.kept_replies import ExecutionId
from stageflow_actors.actors.orders import Order, stage_down
from stageflow_actors.actors.quarantine import Quarantine
from stageflow_actors.actors.stage_process import StageProcess
from stageflow_actors.model.plan import StagePlan


class Post:
    """A stage and who serves it. ``successor`` takes over from one that retires once it is ready.

    ``retired`` ones still have work, ``leaving`` ones only their teardown. ``waiting`` are the
    orders that no process could take yet. ``why_down`` says why there is none.
    """

    __slots__ = (
        "epoch",
        "failed_starts",
        "index",
        "leaving",
        "process",
        "quarantine",
        "retired",
        "stage",
        "successor",
        "waiting",
        "why_down",
    )

    def __init__(self, index: int, stage: StagePlan) -> None:
        self.index = index
        self.stage = stage
        self.epoch = 0
        self.failed_starts = 0
        self.process: StageProcess | None = None
        self.successor: StageProcess | None = None
        self.retired: list[StageProcess] = []
        self.leaving: list[StageProcess] = []
        self.quarantine: Quarantine | None = None
        self.waiting: dict[ExecutionId, Order] = {}
        self.why_down = ""

    def processes(self) -> list[StageProcess]:
        """All that it has now."""
        alone = None if self.quarantine is None else self.quarantine.process
        everybody = (self.process, self.successor, alone, *self.retired, *self.leaving)
        return [process for process in everybody if process is not None]

    def working_on(self, execution: ExecutionId) -> StageProcess | None:
        """Which of them it was sent to, if it has not come back."""
        return next((each for each in self.processes() if execution in each.live), None)

    def take_back(self, execution: ExecutionId) -> Order | None:
        """The order, if it has not begun; it will not."""
        order = self.waiting.pop(execution, None)
        if order is None and self.quarantine is not None:
            order = self.quarantine.take_back(execution)
        return order

    def take_waiting(self) -> list[Order]:
        """All orders that wait for a process; they wait here no more."""
        waiting, self.waiting = self.waiting, {}
        return list(waiting.values())

    def close(self, why: str) -> None:
        """Leave the stage without a process."""
        self.process, self.why_down = None, why
        for order in self.take_waiting():
            order.deliver(stage_down(self.stage.name, why))

    def describe(self) -> dict[str, Any]:
        """Name, kind and process of the stage."""
        return {
            "name": self.stage.name,
            "kind": self.stage.kind,
            "pid": None if self.process is None else self.process.pid,
            "epoch": self.epoch,
        }
