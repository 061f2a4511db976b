"""``run --record``: the events of a run in a file that the other commands read."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import Self

from stageflow_actors.actors.observation import get_event_sink
from stageflow_actors.actors.runtime import Runtime
from stageflow_actors.adapters.jsonl import JSONLEventSink
from stageflow_actors.adapters.routing import FanOutEventSink
from stageflow_actors.adapters.sqlite import SQLiteEventSink
from stageflow_actors.cli.failure import CommandError, stderr_console
from stageflow_actors.cli.output_file import named_by_ending, refuse_source
from stageflow_actors.drawing.labels import shown
from stageflow_actors.errors import RuntimeFault

_Sink = JSONLEventSink | SQLiteEventSink
_SINK_BY_ENDING: MappingProxyType[str, Callable[[Path], _Sink]] = MappingProxyType(
    {
        ".jsonl": JSONLEventSink,
        ".db": SQLiteEventSink,
        ".sqlite": SQLiteEventSink,
        ".sqlite3": SQLiteEventSink,
    }
)


class Recording:
    """Appends events to ``file``: JSON lines or an SQLite database, as its name ends.

    The sink that the pipeline's module has set, if any, gets them too.

    Raises:
        CommandError: the name ends otherwise, the file is one of ``sources``, or it cannot be
            written to (``CLI-OUTPUT``).
    """

    def __init__(self, file: Path, sources: Iterable[Path | int]) -> None:
        make = named_by_ending(file, _SINK_BY_ENDING)
        refuse_source(file, sources)
        try:
            self._file_sink = make(file)
        except RuntimeFault as fault:
            raise CommandError(fault.message, hint=fault.hint, code="CLI-OUTPUT") from None
        self._file = file
        self.sink = FanOutEventSink(self._file_sink, get_event_sink())

    def end(self, runtime: Runtime) -> None:
        """Write what ``runtime`` still has, and say on stderr where it is, and what is missing."""
        asyncio.run(runtime.close())
        queued = runtime.event_statistics()
        self._file_sink.close()
        of_file = self.sink.statistics[0]
        lost = of_file.failed + queued.dropped + queued.waiting
        console = stderr_console()
        console.print(f"Recorded in {shown(str(self._file))}.")
        if lost:
            told = "1 event is" if lost == 1 else f"{lost} events are"
            console.print(f"{told} missing there: the file took too long, or failed.", style="red")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._file_sink.close()
