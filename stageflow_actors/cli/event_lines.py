"""``LineParts``: the lines of a file that grows and is rotated, each once."""

from __future__ import annotations

import os
from contextlib import suppress
from io import FileIO
from itertools import count
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

_CHUNK_BYTES = 1 << 20
_TAIL_BYTES = 64
"""What stands before the place that was read to; if it changes, the file was written anew."""


class _Identity(NamedTuple):
    """A file that nobody writes to any more, under whatever name. Its number alone would not do:
    a later file may get it.
    """

    device: int
    number: int
    size: int
    changed_ns: int


class LineParts:
    """Reads ``path``, and before it ``path.1``, ``path.2`` and so on, the oldest first.

    ``lines`` gives what has come since it was called last, across rotations: the open file is
    followed under whatever name it has by then. A last line without its end waits for the rest.

    Raises:
        OSError: the file cannot be read.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._rest = b""
        self._tail = b""
        self._done: set[_Identity] = set()
        self._queue = self._all_parts(FileIO(path))
        self._file = self._queue.pop(0)

    @property
    def has_rest(self) -> bool:
        """Whether a line has begun that has not ended."""
        return bool(self._rest.strip())

    @property
    def rest(self) -> bytes:
        """That line, as far as it is there."""
        return self._rest

    def lines(self) -> list[bytes]:
        """The new lines, without their ends."""
        found = self._drain()
        while (following := self._next()) is not None:
            found += self._drain()  # what was written before it was rotated
            found += [self._rest] if self.has_rest else []
            self._done.add(_identity(self._file))
            self._file.close()
            self._file, self._rest, self._tail = following, b"", b""
            found += self._drain()
        return found

    def close(self) -> None:
        """Close the files."""
        for file in (self._file, *self._queue):
            file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _drain(self) -> list[bytes]:
        if self._was_written_anew():
            self._file.seek(0)
            self._rest = self._tail = b""
        found: list[bytes] = []
        while chunk := self._file.read(_CHUNK_BYTES):
            self._tail = (self._tail + chunk)[-_TAIL_BYTES:]
            *whole, self._rest = (self._rest + chunk).split(b"\n")
            found += [line for line in whole if line.strip()]
        return found

    def _was_written_anew(self) -> bool:
        """A sink that may keep only one file empties it, instead of renaming it."""
        self._file.seek(-len(self._tail), os.SEEK_CUR)
        return self._file.read(len(self._tail)) != self._tail

    def _all_parts(self, newest: FileIO | None) -> list[FileIO]:
        """Opened from the newest on: a rotation meanwhile moves none to where nobody looks."""
        files = [] if newest is None else [newest]
        for number in count(1):
            part = _opened(self._name(number))
            if part is None:
                break
            if any(_is_same(part, other) for other in files):
                part.close()
            else:
                files.append(part)
        return files[::-1]

    def _next(self) -> FileIO | None:
        return self._queue.pop(0) if self._queue else self._following()

    def _following(self) -> FileIO | None:
        """The file that was begun after the open one, if that has been rotated."""
        while True:
            place = self._place()
            if place == 0:
                return None
            if place is None:  # it is gone
                return self._oldest_unread()
            following = _opened(self._name(place - 1))
            if following is None:  # about to be made
                return None
            if self._is_at(place):
                return following
            following.close()  # all of them were moved meanwhile

    def _place(self) -> int | None:
        """The number of the open file by now. Looked for as they move, so that none slips by."""
        number = missing = 0
        while missing < 2:
            if self._is_at(number):
                return number
            missing = 0 if self._name(number).exists() else missing + 1
            number += 1
        return None

    def _oldest_unread(self) -> FileIO | None:
        """The file that follows one that was removed; those behind it wait in the queue."""
        unread: list[FileIO] = []
        for part in self._all_parts(_opened(self._path)):
            if _identity(part) in self._done:
                part.close()
            elif _is_same(part, self._file):  # not gone, but moved while it was looked for
                for older in (*unread, part):
                    older.close()
                unread.clear()
            else:
                unread.append(part)
        self._queue = unread[1:]
        return unread[0] if unread else None

    def _is_at(self, number: int) -> bool:
        with suppress(OSError):
            return os.path.samestat(os.fstat(self._file.fileno()), self._name(number).stat())
        return False

    def _name(self, number: int) -> Path:
        return Path(f"{self._path}.{number}") if number else self._path


def _opened(path: Path) -> FileIO | None:
    with suppress(FileNotFoundError):
        return FileIO(path)
    return None


def _is_same(one: FileIO, other: FileIO) -> bool:
    return os.path.samestat(os.fstat(one.fileno()), os.fstat(other.fileno()))


def _identity(file: FileIO) -> _Identity:
    status = os.fstat(file.fileno())
    return _Identity(status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)
