"""Arguments and options that several commands have."""

from __future__ import annotations

from typing import Annotated

import typer

TargetArgument = Annotated[
    str,
    typer.Argument(
        metavar="MODULE:ATTRIBUTE",
        help="Where the pipeline is: shop.support:pipeline or path/to/file.py:pipeline. "
        "A pipeline, or a function without parameters that returns one. Or a file that declares "
        "pipelines: flows.yaml, or flows.yaml:chat for one of several.",
        show_default=False,
    ),
]
TracebackOption = Annotated[
    bool, typer.Option("--traceback", help="Show where an error was raised.")
]
AsciiOption = Annotated[bool, typer.Option("--ascii", help="Text without line characters.")]
EventsArgument = Annotated[
    str,
    typer.Argument(
        metavar="SOURCE",
        help="What a sink has recorded: a file of JSON lines, with its rotated parts, or an SQLite "
        "database; - is JSON lines on standard input.",
        show_default=False,
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="One JSON document on standard output.")]
