"""``LocalStages``: the stages of a deployment in this process, and who follows one that retires."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Coroutine, Sequence
from typing import Any

from stageflow_actors.actors.failures import Failure, failure_of, late_error
from stageflow_actors.actors.messages import Receipt
from stageflow_actors.actors.meters import Ledger, Meter
from stageflow_actors.actors.orders import stage_down
from stageflow_actors.actors.stage_host import StageHost
from stageflow_actors.actors.stopping import stop_in_order
from stageflow_actors.actors.wiring import WiredStage
from stageflow_actors.engine.supervision import is_replaced
from stageflow_actors.model.plan import Plan
from stageflow_actors.model.settings import Settings
from stageflow_actors.model.stats import StageStats

logger = logging.getLogger("stageflow_actors")


class LocalStages:
    """``hosts`` are those that take work, by index; ``None`` has retired without a successor."""

    def __init__(self, plan: Plan, stages: Sequence[WiredStage], settings: Settings) -> None:
        self._plan = plan
        self._stages = stages
        self._settings = settings
        self._set_up: list[tuple[int, StageHost]] = []
        self._meters: dict[StageHost, Meter] = {}
        self._ledgers = [Ledger() for _stage in stages]
        self._succeeding: set[asyncio.Task[None]] = set()
        self._leaving: set[asyncio.Task[None]] = set()
        self.hosts: list[StageHost | None] = []

    async def open(self) -> dict[str, Failure]:
        """Set every stage up, in parallel. Returns what failed, by stage."""
        prepared = await asyncio.gather(*map(self._prepare, range(len(self._stages))))
        self.hosts = [each if isinstance(each, StageHost) else None for each in prepared]
        return {
            stage.spec.name: outcome
            for stage, outcome in zip(self._stages, prepared, strict=True)
            if isinstance(outcome, Failure)
        }

    async def close(self) -> int:
        """Run every ``teardown``, dependents first; how many were too late."""
        for succeeding in self._succeeding:
            succeeding.cancel()

        async def tear_down(index: int) -> None:
            for _index, host in [each for each in self._set_up if each[0] == index]:
                await host.teardown()

        limit_s = self._settings.stop_timeout_s
        late = await stop_in_order(self._plan.stages, tear_down, limit_s)
        if self._leaving:
            _done, pending = await asyncio.wait(set(self._leaving), timeout=limit_s)
            late += len(pending)
        return late

    def began(self, host: StageHost) -> None:
        """Count an execution on ``host`` that waits for nothing any more."""
        self._meters[host].begin(time.monotonic())

    def count_end(self, host: StageHost) -> None:
        """Count its end, or that it was abandoned."""
        self._meters[host].end(time.monotonic())

    def stats(self) -> dict[str, StageStats]:
        """Of each stage, by name."""
        now, waiting = time.monotonic(), [0] * len(self._stages)
        for index, host in self._set_up:
            if host.turns is not None:
                waiting[index] += host.turns.waiting
            if host.batches is not None:
                self._meters[host].note_batches(host.batches)
        return {
            stage.name: self._ledgers[index]
            .tally(now)
            .stats(
                stage.name,
                replicas=int(self.hosts[index] is not None),
                waiting=waiting[index],
                takes_batches=stage.is_batching,
            )
            for index, stage in enumerate(self._plan.stages)
        }

    def ended(self, index: int, host: StageHost, *, retires: bool) -> None:
        """Note that an execution on ``host`` has ended, which may want to retire now."""
        host.live -= 1
        if retires and not host.is_retiring:
            host.is_retiring = True
            if is_replaced(self._plan.stages[index].restart, is_normal=True):
                _keep(self._succeeding, self._succeed(index, host))
            else:
                self.hosts[index] = None
        if host.is_retiring and not host.live and host not in self.hosts:
            _keep(self._leaving, self._dismiss(index, host))

    def down(self, index: int) -> Receipt:
        """The receipt of a stage that has retired without a successor."""
        stage = self._plan.stages[index]
        return stage_down(stage.name, f"it has retired, and is {stage.restart.value}")

    async def _prepare(self, index: int) -> StageHost | Failure:
        stage = self._stages[index]
        try:
            async with asyncio.timeout(self._settings.deploy_timeout_s):
                outcome = await StageHost.prepare(stage, self._settings)
        except TimeoutError:
            return failure_of(late_error(stage.spec.name, self._settings.deploy_timeout_s))
        if isinstance(outcome, StageHost):  # known at once, in case the opening is given up
            self._set_up.append((index, outcome))
            self._meters[outcome] = meter = Meter()
            self._ledgers[index].add(meter)
            meter.open(time.monotonic())
        return outcome

    async def _succeed(self, index: int, host: StageHost) -> None:
        outcome = await self._prepare(index)
        if isinstance(outcome, Failure):
            logger.warning("No successor for stage '%s': %s", host.name, outcome.message)
            host.is_retiring = False  # it goes on, and may try again
            return
        self.hosts[index] = outcome
        if not host.live:
            _keep(self._leaving, self._dismiss(index, host))

    async def _dismiss(self, index: int, host: StageHost) -> None:
        if (index, host) in self._set_up:
            self._set_up.remove((index, host))
            meter = self._meters.pop(host)
            if host.batches is not None:
                meter.note_batches(host.batches)
            meter.close(time.monotonic())
            await host.teardown()


def _keep(tasks: set[asyncio.Task[None]], work: Coroutine[Any, Any, None]) -> None:
    """Start it; the loop itself holds tasks only weakly."""
    task = asyncio.ensure_future(work)
    tasks.add(task)
    task.add_done_callback(tasks.discard)
