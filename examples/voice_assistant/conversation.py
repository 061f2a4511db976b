"""One question and its answer: deploy, run, tell."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

import cloudpickle

from stageflow_actors import (
    LocalRuntime,
    PipelineContext,
    RunResult,
    RunStatus,
    Runtime,
    Settings,
)
from stageflow_actors.cli.interrupts import REASON, Interrupts

from .language_model import Endpoint
from .pipeline import build_pipeline
from .problems import BadRecordingError
from .report import report

_PRIVATE_RAY = (
    ("RAY_AUTH_MODE", "disabled"),  # no token shared with other programs
    ("RAY_USAGE_STATS_ENABLED", "0"),  # nothing is reported to anybody
    ("RAY_ENABLE_UV_RUN_RUNTIME_ENV", "0"),  # nothing of this folder is uploaded
)


async def answer(
    recording: Path,
    output: Path,
    *,
    room: str,
    runtime: str,
    endpoint: Endpoint | None,
    interrupts: Interrupts,
) -> int:
    """Have the recording answered and tell how; the exit code.

    Raises:
        BadRecordingError: there is nothing in the recording that could be understood.
        StageflowError: the stages could not be started.
    """
    # The processes of Ray cannot import this folder, so its code travels to them.
    cloudpickle.register_pickle_by_value(sys.modules[__package__])
    pipeline = build_pipeline(endpoint)
    context = PipelineContext.create(
        input_text=str(recording), metadata={"room": room, "output": str(output)}
    )
    async with _runtime(runtime).deploy(pipeline) as app:
        print(f"Asking {recording.name} in room {room} ...", flush=True)
        run = await app.start(context)
        _cancel_at(interrupts, context)
        result = await run.result()
        processes = (await app.describe())["stages"]
    if interrupts.is_set:
        raise KeyboardInterrupt
    if not result.ok:
        return _explain(result)
    print(f"\n{report(result, pipeline, processes)}")
    return 0


def _runtime(name: str) -> Runtime:
    settings = Settings(stop_timeout_s=1.0)
    if name == "local":
        return LocalRuntime(settings=settings)
    for variable, value in _PRIVATE_RAY:
        os.environ.setdefault(variable, value)
    from stageflow_actors import RayRuntime  # imports Ray: a second that is not spent without it

    return RayRuntime(settings=settings)


def _cancel_at(interrupts: Interrupts, context: PipelineContext) -> None:
    """From now on, Ctrl-C is a request to cancel the run."""
    loop = asyncio.get_running_loop()

    def cancel() -> None:
        loop.call_soon_threadsafe(context.mark_cancelled, REASON)

    interrupts.cancel = cancel


def _explain(result: RunResult) -> int:
    """A question that nobody can hear is the user's to mend; everything else is a failure."""
    if result.status is RunStatus.CANCELLED and result.stage == "hear":
        raise BadRecordingError(
            result.reason or "Nothing was heard.", "Speak closer to the microphone, without noise."
        )
    print(f"The run ended as {result.status} in {result.stage}: {result.reason}", file=sys.stderr)
    for failure in result.failures.values():
        print(f"{failure.stage}: {failure.error_type} ({failure.code})", file=sys.stderr)
    return 1
