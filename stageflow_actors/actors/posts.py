"""``Post``: one host of a deployment: its stages, the processes that serve them, and what waits."""

from __future__ import annotations

import math
from typing import Any

from stageflow_actors.actors.messages import Execution, Receipt
from stageflow_actors.actors.meters import Ledger
from stageflow_actors.actors.orders import Order, stage_down
from stageflow_actors.actors.quarantine import Quarantine
from stageflow_actors.actors.stage_process import StageProcess
from stageflow_actors.engine.fair_queue import FairQueue
from stageflow_actors.engine.leases import followers_in
from stageflow_actors.engine.packing import HostPlan
from stageflow_actors.engine.scaling import least_loaded
from stageflow_actors.model.plan import Plan, StagePlan
from stageflow_actors.model.settings import Settings
from stageflow_actors.model.stats import StageStats

_LONG_S = 0.05
_TRIP_S = 0.005
"""Executions shorter than the first overlap with the trip of the next one to their process."""
_WEIGHT = 0.2


class Post:
    """``ledgers`` have what its processes count, by stage.

    ``staff`` are the processes that count as replicas, ready or not; a ``successor`` of one that
    retires counts once it is ready.

    ``retired`` ones still have work, ``leaving`` ones only their teardown. ``wanted`` is how many
    there should be, ``why_down`` why there are none.
    """

    __slots__ = (
        "_durations",
        "_limits",
        "_waiting",
        "epoch",
        "failed_starts",
        "followers",
        "host",
        "leaving",
        "ledgers",
        "quarantine",
        "retired",
        "staff",
        "stages",
        "successors",
        "wanted",
        "why_down",
    )

    def __init__(self, host: HostPlan, plan: Plan, settings: Settings) -> None:
        stages = {index: plan.stages[index] for index in host.stages}
        self.host = host
        self.stages = stages
        self.followers = followers_in(plan, host.stages)
        self.epoch = 0
        self.failed_starts = 0
        self.wanted = host.replicas
        self.staff: list[StageProcess] = []
        self.successors: dict[StageProcess, StageProcess] = {}
        self.retired: list[StageProcess] = []
        self.leaving: list[StageProcess] = []
        self.quarantine: Quarantine | None = None
        self.why_down = ""
        share = settings.background_share
        self._waiting = {index: FairQueue[Execution, Order](share) for index in stages}
        self._limits = {index: _limit_of(stage, settings) for index, stage in stages.items()}
        self._durations = dict.fromkeys(stages, 0.0)
        self.ledgers = {index: Ledger() for index in stages}

    @property
    def ongoing(self) -> int:
        """Executions that wait or run."""
        waiting = sum(map(len, self._waiting.values()))
        return waiting + sum(len(process.live) for process in self.staff)

    def processes(self) -> list[StageProcess]:
        """All that it has now."""
        alone = None if self.quarantine is None else self.quarantine.process
        everybody = (*self.staff, *self.successors.values(), *self.retired, *self.leaving)
        return [*everybody, *([] if alone is None else [alone])]

    def take_up(self, process: StageProcess) -> None:
        """Count what it does from now on, wherever in this host it works."""
        for index, meter in process.meters.items():
            self.ledgers[index].add(meter)

    def stats(self, now: float) -> dict[str, StageStats]:
        """Of each stage, by name. ``now`` is on the clock of the event loop."""
        replicas = sum(process.is_ready for process in self.staff)
        on_trial = [] if self.quarantine is None else self.quarantine.waiting_stages()
        return {
            stage.name: self.ledgers[index]
            .tally(now)
            .stats(
                stage.name,
                replicas=replicas,
                waiting=len(self._waiting[index]) + on_trial.count(index),
                takes_batches=stage.is_batching,
            )
            for index, stage in self.stages.items()
        }

    def spare_staff(self) -> list[StageProcess]:
        """Those of its staff that are more than wanted: not ready yet, else with the least work."""
        by_use = sorted(self.staff, key=lambda process: (process.is_ready, len(process.live)))
        return by_use[: max(0, len(self.staff) - self.wanted)]

    def working_on(self, execution: Execution) -> StageProcess | None:
        """Which of them it was given to, if it has not come back."""
        return next((each for each in self.processes() if execution in each.live), None)

    def free_process(self, stage: int) -> StageProcess | None:
        """The least loaded one that is ready and has room for one more execution of ``stage``."""
        limit = self._limits[stage] + self._ahead(stage)
        if len(self.staff) == 1:  # nearly always: spare it what choosing costs
            (only,) = self.staff
            return only if only.is_ready and only.meters[stage].load < limit else None
        ready = [process for process in self.staff if process.is_ready]
        place = least_loaded([process.meters[stage].load for process in ready], limit)
        return None if place is None else ready[place]

    def former_of(self, process: StageProcess) -> StageProcess | None:
        """Whom it is to take over from, if anybody."""
        return next((old for old, new in self.successors.items() if new is process), None)

    def remove(self, process: StageProcess) -> StageProcess | None:
        """Take one out that has ended; who was to take over from it."""
        for place in (self.staff, self.retired):
            if process in place:
                place.remove(process)
        former = self.former_of(process)
        if former is not None:
            del self.successors[former]
            former.is_retired = False
        return self.successors.pop(process, None)

    def note_end(self, stage: int, receipt: Receipt) -> None:
        """Learn how long executions of ``stage`` take."""
        took_s = receipt.ended_at - receipt.started_at
        self._durations[stage] += _WEIGHT * (took_s - self._durations[stage])

    def has_waiting(self, stage: int) -> bool:
        """Whether any execution of ``stage`` waits."""
        return bool(self._waiting[stage])

    def wait(self, order: Order) -> None:
        """Let it wait until there is room."""
        self._waiting[order.stage].put(
            order.execution,
            order.run,
            order,
            is_background=order.is_background,
            size=order.size,
        )

    def next_waiting(self, stage: int) -> Order:
        """The one whose turn it is; it waits here no more."""
        return self._waiting[stage].take()

    def take_back(self, execution: Execution) -> Order | None:
        """The order, if it has not begun; it will not."""
        order = self._waiting[execution[1]].remove(execution)
        if order is None and self.quarantine is not None:
            order = self.quarantine.take_back(execution)
        return order

    def close(self, why: str) -> None:
        """Leave the stages without a process."""
        self.why_down = why
        for index, queue in self._waiting.items():
            for order in queue.drain():
                order.deliver(stage_down(self.stages[index].name, why))

    def describe(self, now: float) -> list[dict[str, Any]]:
        """Name, kind, processes and load of each stage. ``now`` as for ``stats``."""
        first = self.staff[0] if self.staff else None
        pids, stats = [process.pid for process in self.staff], self.stats(now)
        return [
            {
                "name": stage.name,
                "kind": stage.kind,
                "pid": None if first is None else first.pid,
                "pids": pids,
                "epoch": self.epoch,
                **stats[stage.name].load,
            }
            for stage in self.stages.values()
        ]

    def _ahead(self, stage: int) -> int:
        """How many more than it can execute a process is given, so that it need not wait for them.

        None where executions are long: they had better go to whoever is free first.
        """
        took_s = self._durations[stage]
        if not 0 < took_s < _LONG_S:
            return 0
        return math.ceil(min(1.0, _TRIP_S / took_s) * self._limits[stage])


def _limit_of(stage: StagePlan, settings: Settings) -> int:
    limit = settings.max_pending_calls
    if stage.is_blocking and not stage.is_batching:
        limit = settings.max_threads_per_stage
    return limit if stage.concurrency is None else min(limit, stage.concurrency)
