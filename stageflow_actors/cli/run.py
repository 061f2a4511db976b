"""``stageflow-actors run``: one run of a pipeline, watched."""

from __future__ import annotations

import asyncio
import sys
from contextlib import AbstractContextManager, nullcontext
from enum import StrEnum
from itertools import chain
from pathlib import Path
from typing import Annotated, TextIO

import typer
from rich.console import Console

from stageflow_actors.actors.runtime import Runtime
from stageflow_actors.cli.display import Display, display_for
from stageflow_actors.cli.documents import run_document, to_json
from stageflow_actors.cli.execution import run_once
from stageflow_actors.cli.failure import CommandError, ExitCode, error_document, reporting
from stageflow_actors.cli.interrupts import REASON, Interrupts
from stageflow_actors.cli.loading import Loaded, load_pipeline
from stageflow_actors.cli.options import JsonOption, TargetArgument, TracebackOption
from stageflow_actors.cli.recording import Recording
from stageflow_actors.cli.run_input import context_of, files_of_input
from stageflow_actors.cli.run_story import Listener
from stageflow_actors.cli.source_files import files_of_pipeline
from stageflow_actors.cli.stdout import private_stdout
from stageflow_actors.cli.summary import exit_code_of, print_summary
from stageflow_actors.model.pipeline_context import PipelineContext
from stageflow_actors.model.results import RunResult
from stageflow_actors.ports import EventSink
from stageflow_actors.telemetry.configured import Configured
from stageflow_actors.telemetry.environment import configure_from_environment


class RuntimeName(StrEnum):
    """Where the stages run."""

    RAY = "ray"
    LOCAL = "local"


def run(
    target: TargetArgument,
    text: Annotated[
        str | None, typer.Option("--text", "-t", help="The input text of the run.")
    ] = None,
    parts: Annotated[
        str | None,
        typer.Option(
            "--input",
            "-i",
            metavar="JSON|@FILE",
            help="Parts of the run as a JSON object: input_text, metadata, data, session_id, ...",
        ),
    ] = None,
    file: Annotated[
        str | None,
        typer.Option("--file", "-f", metavar="PATH", help="A file whose text is the input text."),
    ] = None,
    runtime: Annotated[
        RuntimeName, typer.Option("--runtime", "-r", help="A process per stage, or this process.")
    ] = RuntimeName.RAY,
    record: Annotated[
        Path | None,
        typer.Option(
            "--record",
            metavar="FILE",
            help="Append the events of the run to this file, for timeline, events and graph --run: "
            ".jsonl, or .db or .sqlite for a database.",
            dir_okay=False,
            show_default=False,
        ),
    ] = None,
    as_json: JsonOption = False,
    with_traceback: TracebackOption = False,
) -> None:
    """Run a pipeline once and show what happens.

    Exit code: 0 ok, 1 failed or timed out, 2 unusable input or pipeline, 3 cancelled, 130 Ctrl-C.
    """
    stdout: AbstractContextManager[TextIO] = nullcontext(sys.stdout)
    with private_stdout() if as_json else stdout as out:
        with reporting(with_traceback=with_traceback, json_to=out if as_json else None):
            pipeline = load_pipeline(target)
            context = context_of(text, file, parts)
            recording = None
            if record is not None:
                sources = chain(files_of_pipeline(target), files_of_input(file, parts))
                recording = Recording(record, sources)
            with recording or nullcontext():
                command = _Run(pipeline, context, runtime, out, as_json, with_traceback, recording)
                code = command.execute()
        raise typer.Exit(code)


class _Run:
    """One use of the command."""

    def __init__(
        self,
        pipeline: Loaded,
        context: PipelineContext,
        runtime: RuntimeName,
        out: TextIO,
        as_json: bool,
        with_traceback: bool,
        recording: Recording | None,
    ) -> None:
        self._pipeline = pipeline
        self._plan = pipeline.plan
        self._context = context
        self._interrupts = Interrupts(on_late=self._report_late)
        self._runtime = runtime
        self._out = out
        self._as_json = as_json
        self._with_traceback = with_traceback
        self._recording = recording
        shown_on = sys.stderr if as_json else out
        self._console = Console(file=shown_on, highlight=False, markup=False, emoji=False)
        self._display: Display = display_for(
            self._console, self._plan, runtime.value, is_quiet=as_json
        )
        self._listener = Listener(self._display, self._plan.name)

    def execute(self) -> ExitCode:
        interrupts = self._interrupts
        exports = configure_from_environment("driver")
        with interrupts.caught():
            recording = self._recording
            place = make_runtime(self._runtime, None if recording is None else recording.sink)
            with self._display:
                result = asyncio.run(
                    run_once(
                        self._pipeline,
                        place,
                        self._context,
                        self._listener.note,
                        interrupts,
                    )
                )
            self._report(result)
            if recording is not None:
                recording.end(place)
            end_exports(exports, place)
            if not interrupts.is_set:
                return exit_code_of(result)
            self._out.flush()
            interrupts.finish()
            return ExitCode.INTERRUPTED

    def _report(self, result: RunResult) -> None:
        if self._as_json:
            self._out.write(to_json(run_document(result, self._runtime.value)))
        else:
            story, with_traceback = self._listener.story, self._with_traceback
            print_summary(self._console, self._plan, result, story, with_traceback=with_traceback)

    def _report_late(self) -> None:
        """A stage does not stop: say so while there is time."""
        self._display.__exit__(None, None, None)
        if self._interrupts.cancel is None:
            return
        late = CommandError(
            "The run was cancelled by Ctrl-C, but did not end in time; its processes were ended.",
            hint="A plain def stage can ask ctx.is_cancelled in its loops.",
            code="CLI-INTERRUPTED",
        )
        if self._as_json:
            document = {**error_document(late), "status": "cancelled", "reason": REASON}
            self._out.write(to_json(document))
        else:
            self._console.print(f"\n{late.message}\n{late.hint} [{late.code}]")
        self._out.flush()


def end_exports(exports: Configured, runtime: Runtime) -> None:
    """Export what there is: an interrupted command ends without its exit hooks."""
    if exports.is_any:
        asyncio.run(runtime.close())
        exports.shutdown()


def make_runtime(name: RuntimeName, event_sink: EventSink | None = None) -> Runtime:
    """A runtime with the settings that it has by default; Ray is loaded for its own alone."""
    if name is RuntimeName.LOCAL:
        from stageflow_actors.actors.local import LocalRuntime

        return LocalRuntime(event_sink=event_sink)
    from stageflow_actors.actors.ray_runtime import RayRuntime

    return RayRuntime(event_sink=event_sink)
