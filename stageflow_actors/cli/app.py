"""The program ``stageflow-actors``: its commands and what they share."""

from __future__ import annotations

import sys
from io import TextIOWrapper
from typing import Annotated

import typer

from stageflow_actors.cli.doctor import doctor
from stageflow_actors.cli.events import events
from stageflow_actors.cli.graph import graph
from stageflow_actors.cli.interrupts import end_at_next_interrupt
from stageflow_actors.cli.lint import lint
from stageflow_actors.cli.run import run
from stageflow_actors.cli.serve import serve
from stageflow_actors.cli.serve_config import serve_config
from stageflow_actors.cli.timeline import timeline
from stageflow_actors.cli.validate import validate
from stageflow_actors.telemetry.log_environment import begin_logs


def _show_version(is_asked: bool) -> None:
    if is_asked:
        from importlib.metadata import version

        typer.echo(f"stageflow-actors {version('stageflow-actors')}")
        raise typer.Exit


def _program(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    """Run, serve, draw and check pipelines of AI stages."""


def make_app() -> typer.Typer:
    """The program with all its commands."""
    app = typer.Typer(
        name="stageflow-actors",
        callback=_program,
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    for command in (run, serve, serve_config, graph, timeline, events, lint, validate, doctor):
        app.command()(command)
    return app


def main() -> None:
    """Entry point of the console script. A terminal that lacks a character shows ``?`` for it."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="replace")
    begin_logs()
    try:
        make_app()()
    finally:
        end_at_next_interrupt()
