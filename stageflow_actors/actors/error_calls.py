"""``ErrorCalls``: tells ``on_stage_error`` of failed stages, while their run goes on or after."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Awaitable, Callable, Iterable

from stageflow_actors.actors.cleaning import limited
from stageflow_actors.actors.failures import Failure, open_exception
from stageflow_actors.engine.failures import Action
from stageflow_actors.model.events import Event
from stageflow_actors.model.policies.execution import OnStageError
from stageflow_actors.model.redaction.records import log_raised
from stageflow_actors.model.results import RunResult

logger = logging.getLogger("stageflow_actors")

_NOT_FOR_GOOD = (Action.RETRY.value, Action.GUARD_RETRY.value)


def log_failed_call(stage: str, error: BaseException, raised: BaseException) -> None:
    """Log what ``on_stage_error`` raised, without what it quotes of the ``error`` of the stage."""
    from stageflow_actors.model.redaction.sources import redactor_of_error

    redactor = redactor_of_error(error, os.environ)
    log_raised(logger, redactor, raised, "on_stage_error raised for stage '%s'.", stage)


class ErrorCalls:
    """The calls for one run: each once, one after the other, within ``limit_s`` seconds each."""

    def __init__(
        self,
        on_stage_error: OnStageError,
        fetch: Callable[[str], Awaitable[Failure | None]],
        limit_s: float,
    ) -> None:
        self._on_stage_error = on_stage_error
        self._fetch = fetch
        self._limit_s = limit_s
        self._told: set[str] = set()
        self._last: asyncio.Task[None] | None = None

    def take(self, events: Iterable[Event]) -> None:
        """Call for each stage that has failed for good."""
        for event in events:
            if event.type == "stage.error" and event.data["action_taken"] not in _NOT_FOR_GOOD:
                self._last = asyncio.ensure_future(self._tell_later(self._last, event.stage or ""))

    async def finish(self, result: RunResult) -> None:
        """Wait for the calls under way; call for what only the result has told."""
        if self._last is not None:
            await self._last
        for stage, failure in result.failures.items():
            await self._tell(stage, failure.original)

    async def _tell_later(self, before: asyncio.Task[None] | None, stage: str) -> None:
        if before is not None:
            await before
        failure = await self._fetch(stage)
        if failure is not None:  # else the run has ended, and the result has it
            await self._tell(stage, open_exception(failure))

    async def _tell(self, stage: str, error: BaseException) -> None:
        if stage in self._told:
            return
        self._told.add(stage)
        raised = await limited(lambda: self._on_stage_error(stage, error), self._limit_s)
        if raised is not None:
            log_failed_call(stage, error, raised)
