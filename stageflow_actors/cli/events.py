"""``stageflow-actors events``: recorded events, a line each, also as they come."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable
from fnmatch import fnmatchcase
from itertools import chain
from typing import Annotated, TextIO

import typer

from stageflow_actors.cli.awaited_source import LOOK_EVERY_S, open_when_there
from stageflow_actors.cli.event_line import event_line, json_line
from stageflow_actors.cli.event_records import EventRecord
from stageflow_actors.cli.event_sources import STDIN, EventSource, open_source
from stageflow_actors.cli.failure import reporting
from stageflow_actors.cli.options import EventsArgument, TracebackOption
from stageflow_actors.cli.recorded_runs import is_meant, tell_skipped, the_one
from stageflow_actors.cli.stdout import ending_with_its_reader


def events(
    source: EventsArgument,
    is_following: Annotated[
        bool,
        typer.Option(
            "--follow",
            help="Go on with what comes, until Ctrl-C. A file that is not there is waited for.",
        ),
    ] = False,
    run_id: Annotated[
        str | None,
        typer.Option(
            "--run",
            metavar="RUN_ID",
            help="Of this run alone: the beginning or the end of its id is enough.",
            show_default=False,
        ),
    ] = None,
    types: Annotated[
        list[str] | None,
        typer.Option(
            "--type",
            metavar="PATTERN",
            help="Of these types alone, as 'stage.*' or '*.failed'. May be given several times.",
            show_default=False,
        ),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Each event as one JSON object on a line.")
    ] = False,
    with_traceback: TracebackOption = False,
) -> None:
    """Print recorded events, a line each.

    Exit code: 0 printed, 2 unreadable events or no such run, 130 Ctrl-C.
    """
    shown: Callable[[EventRecord], str] = json_line if as_json else event_line
    out = sys.stdout
    with (
        reporting(with_traceback=with_traceback),
        ending_with_its_reader(out),
        open_when_there(source) if is_following else open_source(source) as opened,
    ):
        is_live = is_following or source == STDIN
        printer = _Printer(out, shown, run_id, types or ["*"], is_live=is_live)
        if is_following:
            _follow(opened, printer)
        else:
            printer.show(chain(opened.new(), opened.last()))
            printer.check()
        tell_skipped(opened, source)


class _Printer:
    """Prints what was asked for, and keeps in mind which runs there are."""

    def __init__(
        self,
        out: TextIO,
        line: Callable[[EventRecord], str],
        run_id: str | None,
        types: list[str],
        *,
        is_live: bool,
    ) -> None:
        self._out = out
        self._is_live = is_live
        self._line = line
        self._run_id = run_id
        self._types = types
        self._runs: dict[str, None] = {}

    def show(self, records: Iterable[EventRecord]) -> int:
        """How many there were, printed or not."""
        count = 0
        for record in records:
            count += 1
            if self._is_wanted(record):
                self._out.write(self._line(record) + "\n")
                if self._is_live:
                    self._out.flush()
        return count

    def check(self) -> None:
        """Raise if the run that was asked for is none, or several."""
        if self._run_id is not None:
            the_one(self._run_id, list(self._runs))

    def _is_wanted(self, record: EventRecord) -> bool:
        run_id = record.data.get("pipeline_run_id")
        if isinstance(run_id, str):
            self._runs.setdefault(run_id)
        if self._run_id is not None and not is_meant(self._run_id, run_id):
            return False
        return any(fnmatchcase(record.type, pattern) for pattern in self._types)


def _follow(source: EventSource, printer: _Printer) -> None:
    while source.is_open:
        if not printer.show(source.new()):
            time.sleep(LOOK_EVERY_S)
