"""``stageflow-actors timeline``: a recorded run as bars over time."""

from __future__ import annotations

import shutil
import sys
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType
from typing import Annotated

import typer

from stageflow_actors.cli.documents import to_json
from stageflow_actors.cli.failure import reporting, stderr_console
from stageflow_actors.cli.options import AsciiOption, EventsArgument, TracebackOption
from stageflow_actors.cli.output_file import named_by_ending, write_file
from stageflow_actors.cli.recorded_runs import Recorded, recorded_run
from stageflow_actors.cli.source_files import files_of_events
from stageflow_actors.cli.stdout import ending_with_its_reader, takes_signs
from stageflow_actors.cli.timeline_document import timeline_document
from stageflow_actors.drawing.timeline.chart import chart_of
from stageflow_actors.drawing.timeline.perfetto import to_perfetto
from stageflow_actors.drawing.timeline.svg import DEFAULT_WIDTH as DEFAULT_PIXELS
from stageflow_actors.drawing.timeline.svg import to_svg
from stageflow_actors.drawing.timeline.text import report

_DEFAULT_COLUMNS = 100


class Form(StrEnum):
    """What the timeline is written in."""

    TEXT = "text"
    SVG = "svg"
    PERFETTO = "perfetto"
    JSON = "json"


_FORM_BY_ENDING = MappingProxyType(
    {
        "": Form.TEXT,
        ".txt": Form.TEXT,
        ".svg": Form.SVG,
        ".json": Form.PERFETTO,
        ".pftrace": Form.PERFETTO,
    }
)


def timeline(
    source: EventsArgument,
    run_id: Annotated[
        str | None,
        typer.Argument(
            metavar="[RUN_ID]",
            help="The run: the beginning or the end of its id is enough. The newest by default.",
            show_default=False,
        ),
    ] = None,
    form: Annotated[
        Form | None,
        typer.Option(
            "--format",
            "-f",
            help="Text by default, or what the name of the output file ends in: .svg, .txt, .json "
            "for Perfetto.",
            show_default=False,
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Write it to this file.", dir_okay=False),
    ] = None,
    with_children: Annotated[
        bool, typer.Option("--children/--no-children", help="Child runs below their stages.")
    ] = True,
    width: Annotated[
        int | None,
        typer.Option(help="Columns of text, or pixels of SVG.", min=10, max=20_000),
    ] = None,
    is_ascii: AsciiOption = False,
    with_traceback: TracebackOption = False,
) -> None:
    """Show what a recorded run did when: waiting, working, retries, the critical path.

    Exit code: 0 shown, 2 no such run, or unreadable events.
    """
    out = sys.stdout
    with reporting(with_traceback=with_traceback), ending_with_its_reader(out):
        wanted = form or _form_of(output)
        recorded = recorded_run(source, run_id)
        if not with_children:
            recorded.story.children.clear()
        is_plain = is_ascii or (output is None and not takes_signs(out.encoding))
        made = _made(recorded, wanted, width, is_plain)
        if output is None:
            out.write(made)
        else:
            write_file(output, made, files_of_events(source))
            stderr_console().print(f"Wrote {output} ({wanted}, run {recorded.story.run_id}).")


def _made(recorded: Recorded, wanted: Form, width: int | None, is_plain: bool) -> str:
    if wanted is Form.PERFETTO:
        return to_perfetto(recorded.story, recorded.others)
    if wanted is Form.JSON:
        return to_json(timeline_document(recorded.story, recorded.others))
    chart = chart_of(recorded.story, recorded.others)
    if wanted is Form.SVG:
        return to_svg(chart, width or DEFAULT_PIXELS)
    columns = width or shutil.get_terminal_size((_DEFAULT_COLUMNS, 0)).columns
    return report(chart, width=columns, is_plain=is_plain)


def _form_of(output: Path | None) -> Form:
    """What the ending of the file says."""
    if output is None:
        return Form.TEXT
    return named_by_ending(output, _FORM_BY_ENDING, "Or say it with --format.")
