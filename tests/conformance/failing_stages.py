"""Stages that fail as told, and what their tests read of it afterwards."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from stageflow_actors import (
    ExecutionConfig,
    ExecutionMode,
    RetryPolicy,
    StageContext,
    StageOutput,
)
from tests.conformance.crossing import Gate, Journal

TOLERANT = ExecutionConfig(mode=ExecutionMode.CONTINUE_ON_ERROR)


def at_once(max_attempts: int = 3, **parts: Any) -> RetryPolicy:
    """A policy that retries without any wait, unless ``parts`` say so."""
    given = {"initial_delay_s": 0, "jitter": "none", "backoff": "constant", **parts}
    return RetryPolicy(max_attempts=max_attempts, **given)


class FailFirst:
    """Fails its first ``times`` executions as ``how`` says; then returns which one this is.

    ``how`` is an exception to raise, an output to return, or ``"exit"`` to end its process. Writes
    each execution down, and each cleanup.
    """

    kind = "work"

    def __init__(self, folder: Path, times: int, how: BaseException | StageOutput | str) -> None:
        self.journal = Journal(folder)
        self.times = times
        self.how = how

    async def execute(self, ctx: StageContext) -> StageOutput:
        name = ctx.stage_name
        self.journal.write(name)
        execution = self.journal.lines.count(name)
        ctx.on_cleanup(lambda: self.journal.write(f"{name} cleanup {execution}"))
        if execution > self.times:
            return StageOutput.ok(execution=execution, attempt=ctx.attempt, key=ctx.effect_key)
        if isinstance(self.how, BaseException):
            raise self.how
        if self.how == "exit":
            os._exit(1)
        return self.how


class Look:
    """Returns what it sees of its inputs; writes down that it ran."""

    kind = "work"

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    async def execute(self, ctx: StageContext) -> StageOutput:
        Journal(self.folder).write(ctx.stage_name)
        inputs = ctx.inputs
        return StageOutput.ok(
            missing={name: list(why) for name, why in inputs.missing.items()},
            inputs={name: dict(output.data) for name, output in inputs.outputs.items()},
        )


class Hold:
    """Says that it runs and waits for ``gate``."""

    kind = "work"

    def __init__(self, folder: Path, gate: str) -> None:
        self.folder = folder
        self.gate = gate

    async def execute(self, ctx: StageContext) -> StageOutput:
        Gate(self.folder, f"{ctx.stage_name}-runs").open()
        await Gate(self.folder, self.gate).opened()
        return StageOutput.ok(held=True)


async def broken(ctx: StageContext) -> StageOutput:
    """Raises what no policy retries unasked."""
    raise LookupError(f"{ctx.stage_name} is broken")


async def fine(ctx: StageContext) -> StageOutput:
    """Ends ok."""
    return StageOutput.ok(fine=True)


def executions(folder: Path, stage: str) -> int:
    """How often a stage that writes it down was executed."""
    return Journal(folder).lines.count(stage)


async def watched(app, /, **parts):
    """The events of one run, and its result."""
    handle = await app.start(**parts)
    events = [event async for event in handle.events()]
    return events, await handle.result()


def of_type(events, type_):
    """What the events of one type say."""
    return [event.data for event in events if event.type == type_]
