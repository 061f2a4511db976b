"""``stageflow-actors graph``: a picture of a pipeline."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType
from typing import Annotated

import typer

from stageflow_actors.cli.failure import reporting, stderr_console
from stageflow_actors.cli.loading import load_pipeline
from stageflow_actors.cli.options import AsciiOption, TargetArgument, TracebackOption
from stageflow_actors.cli.output_file import named_by_ending, write_file
from stageflow_actors.cli.recorded_runs import recorded_run
from stageflow_actors.cli.source_files import files_of_events, files_of_pipeline
from stageflow_actors.cli.stdout import private_stdout, takes_signs
from stageflow_actors.drawing.diagram import Detail, Diagram, diagram_of
from stageflow_actors.drawing.dot import to_dot
from stageflow_actors.drawing.mermaid import to_mermaid
from stageflow_actors.drawing.run_diagram import with_run
from stageflow_actors.drawing.scene import Direction
from stageflow_actors.drawing.svg import to_svg
from stageflow_actors.drawing.text import DEFAULT_WIDTH, to_text


class Format(StrEnum):
    """What the picture is written in."""

    TEXT = "text"
    MERMAID = "mermaid"
    DOT = "dot"
    SVG = "svg"


_FORMAT_BY_ENDING = MappingProxyType(
    {
        "": Format.TEXT,
        ".txt": Format.TEXT,
        ".svg": Format.SVG,
        ".dot": Format.DOT,
        ".gv": Format.DOT,
        ".mmd": Format.MERMAID,
        ".mermaid": Format.MERMAID,
    }
)


def graph(
    target: TargetArgument,
    format_: Annotated[
        Format | None,
        typer.Option(
            "--format",
            "-f",
            help="Text by default, or what the name of the output file ends in.",
            show_default=False,
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Write the picture to this file.", dir_okay=False),
    ] = None,
    direction: Annotated[
        Direction, typer.Option("--direction", "-d", help="Where the pipeline flows to.")
    ] = Direction.AUTO,
    edges: Annotated[
        Detail,
        typer.Option(
            "--edges",
            "-e",
            help="needed: without order edges that a longer path implies. fewest: also without "
            "data edges beside a longer path. What is left out is counted below the picture.",
        ),
    ] = Detail.NEEDED,
    width: Annotated[
        int | None,
        typer.Option(help="Columns for text; the terminal's by default.", min=10),
    ] = None,
    is_ascii: AsciiOption = False,
    run: Annotated[
        str | None,
        typer.Option(
            "--run",
            metavar="SOURCE[:RUN_ID]",
            help="Show a recorded run: its outcomes, times and critical path. A file or database "
            "of events, and the beginning or end of the run's id; the newest run by default.",
            show_default=False,
        ),
    ] = None,
    with_traceback: TracebackOption = False,
) -> None:
    """Draw a pipeline: data solid, order dashed, routes labelled.

    Exit code: 0 drawn, 2 unusable pipeline or run.
    """
    with private_stdout() as out, reporting(with_traceback=with_traceback):
        wanted = format_ or _format_of(output)
        diagram = diagram_of(load_pipeline(target).plan, edges)
        if run is not None:
            diagram = with_run(diagram, recorded_run(*_place_and_id(run)).story)
        is_plain = is_ascii or (output is None and not takes_signs(out.encoding))
        picture = _drawn(diagram, wanted, direction, width, is_plain)
        if output is None:
            out.write(picture)
        else:
            write_file(output, picture, _sources(target, run))
            stderr_console().print(f"Wrote {output} ({wanted}, {len(diagram.nodes)} stages).")


def _drawn(
    diagram: Diagram, wanted: Format, direction: Direction, width: int | None, is_plain: bool
) -> str:
    if wanted is Format.SVG:
        return to_svg(diagram, direction)
    if wanted is Format.MERMAID:
        return to_mermaid(diagram, direction)
    if wanted is Format.DOT:
        return to_dot(diagram, direction)
    columns = width or shutil.get_terminal_size((DEFAULT_WIDTH, 0)).columns
    return to_text(diagram, direction, width=columns, is_plain=is_plain)


def _format_of(output: Path | None) -> Format:
    """What the ending of the file says."""
    if output is None:
        return Format.TEXT
    return named_by_ending(output, _FORMAT_BY_ENDING, "Or say it with --format.")


def _sources(target: str, run: str | None) -> Iterator[Path | int]:
    """The files that the picture is made from."""
    yield from files_of_pipeline(target)
    if run is not None:
        yield from files_of_events(_place_and_id(run)[0])


def _place_and_id(run: str) -> tuple[str, str | None]:
    """A path may have colons; what is a path is taken as one."""
    place, colon, run_id = run.rpartition(":")
    if not colon or not place or Path(run).exists():
        return run, None
    return place, run_id or None
