"""``JSONLEventSink``: events in a file, one JSON object per line, rotated by size."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from io import FileIO
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from stageflow_actors.adapters.event_json import data_to_json, text_to_json
from stageflow_actors.errors import RuntimeFault


@dataclass(frozen=True, slots=True)
class JSONLStatistics:
    """Counts since the sink was made. ``files_removed`` is what rotation gave up, in files."""

    written: int
    failed: int
    rotations: int
    files_removed: int


class JSONLEventSink:
    """Appends ``{"type": ..., "data": {...}}`` and a newline per event to the file at ``path``.

    The line is with the operating system when ``emit`` or ``try_emit`` returns: it survives the
    death of the process, not that of the machine. A write that fails raises ``OSError`` and leaves
    no half line; the next event is tried again.

    Before a line would make the file larger than ``max_bytes``, the file becomes ``path.1``,
    ``path.1`` becomes ``path.2`` and so on; at most ``max_files`` exist, the oldest goes. One line
    larger than ``max_bytes`` gets a file of its own. Usable from any thread; one process per file.

    Raises:
        RuntimeFault: the file cannot be opened (``SINK-OPEN``); or, from an event, the sink was
            closed (``SINK-CLOSED``).
    """

    def __init__(
        self, path: str | os.PathLike[str], *, max_bytes: int = 100 * 2**20, max_files: int = 5
    ) -> None:
        if max_bytes < 1 or max_files < 1:
            raise ValueError("max_bytes and max_files must be at least 1")
        self._path = Path(path).absolute()
        self._max_bytes = max_bytes
        self._max_files = max_files
        self._lock = threading.Lock()
        self._is_closed = False
        self._written = self._failed = self._rotations = self._files_removed = 0
        self._size = 0
        self._file: FileIO | None = None
        try:
            self._open()
        except OSError as error:
            raise RuntimeFault(
                f"The event file {self._path} cannot be opened: {error.strerror or error}.",
                hint="Give a path in an existing folder that this process may write to.",
                code="SINK-OPEN",
            ) from error

    @property
    def statistics(self) -> JSONLStatistics:
        """What has become of every event so far."""
        with self._lock:
            return JSONLStatistics(
                self._written, self._failed, self._rotations, self._files_removed
            )

    async def emit(self, *, type: str, data: Mapping[str, Any] | None) -> None:
        self.try_emit(type=type, data=data)

    def try_emit(self, *, type: str, data: Mapping[str, Any] | None) -> None:
        line = f'{{"type":{text_to_json(type)},"data":{data_to_json(data)}}}\n'.encode("ascii")
        with self._lock:
            if self._is_closed:
                raise RuntimeFault(
                    f"The event file {self._path} was closed.",
                    hint="Close the sink after the runtime that feeds it.",
                    code="SINK-CLOSED",
                )
            try:
                self._append(line)
            except OSError:
                self._failed += 1
                raise
            self._written += 1

    def close(self) -> None:
        """Close the file; later events are refused."""
        with self._lock:
            self._is_closed = True
            if self._file is not None:
                self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _append(self, line: bytes) -> None:
        file = self._file or self._open()
        if self._size and self._size + len(line) > self._max_bytes:
            file = self._rotate(file)
        self._write(file, line)

    def _write(self, file: FileIO, line: bytes) -> None:
        rest = memoryview(line)
        try:
            while rest:
                rest = rest[file.write(rest) or 0 :]
        except OSError:
            with contextlib.suppress(OSError):
                file.truncate(self._size)
            file.close()
            self._file = None  # opened anew, and looked at, by the next event
            raise
        self._size += len(line)

    def _open(self) -> FileIO:
        file = FileIO(self._path, "a+")
        self._size = file.seek(0, os.SEEK_END)
        if self._size:
            file.seek(-1, os.SEEK_END)
            if file.read(1) != b"\n":  # the last writer died within a line
                self._write(file, b"\n")
        self._file = file
        return file

    def _rotate(self, full: FileIO) -> FileIO:
        if self._max_files == 1:
            full.truncate(0)
            self._size = 0
            self._rotations += 1
            self._files_removed += 1
            return full
        self._move_files()
        self._rotations += 1
        full.close()
        self._file = None
        return self._open()

    def _move_files(self) -> None:
        names = [self._path, *(Path(f"{self._path}.{n}") for n in range(1, self._max_files))]
        for older, newer in zip(names[:0:-1], names[-2::-1], strict=True):
            if newer.exists():
                removes = older == names[-1] and older.exists()
                newer.replace(older)
                self._files_removed += removes
