"""``FaultLedger``: which faults happened, to whom; written down before they do."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from stageflow_actors.testing.chaos.faults import Fault


@dataclass(frozen=True, slots=True)
class FaultRecord:
    """One fault that happened: to an execution, or from outside to a process."""

    kind: str
    """Name of the class of the fault, as ``Sigkill``."""
    stage: str
    run_id: str | None
    """Of the execution; ``None`` for a fault from outside."""
    attempt: int | None
    pid: int
    """The process that it happened to."""
    at: float
    """Seconds since the epoch."""
    source: str
    """Who made it: the same for all of one ``faulty``, and of one ``StageKiller``."""


class FaultLedger:
    """A file that any process on this machine writes faults into, each before it strikes.

    A record is one write, so it is there even if the writer is killed at once. What a power cut
    leaves half written is skipped when reading. Pickles as its path and the process that made it:
    faults that take a whole process refuse to take that one.

    Raises:
        ValueError: ``path`` is a folder.
        OSError: it cannot be written.
    """

    __slots__ = ("maker_pid", "path")

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path).absolute()
        self.maker_pid = os.getpid()
        if self.path.is_dir():
            raise ValueError(f"{self.path} is a folder: give a ledger a file of its own in it.")
        self.path.touch()  # or a wrong path would only be found out in a stage

    def __repr__(self) -> str:
        return f"FaultLedger({str(self.path)!r})"

    def fired(self, kind: type[Fault] | None = None, stage: str | None = None) -> int:
        """How often a fault struck: of this class, and this stage, where they are given.

        Raises:
            TypeError: ``kind`` is no class of faults.
        """
        if kind is not None and not (isinstance(kind, type) and issubclass(kind, Fault)):
            raise TypeError(f"{kind!r:.80} is no class of faults: give one, as Sigkill.")
        return sum(
            (kind is None or record.kind == kind.__name__)
            and (stage is None or record.stage == stage)
            for record in self.records()
        )

    def records(self) -> list[FaultRecord]:
        """All of them, in the order in which they were written."""
        return _parse(self.path.read_bytes())

    def write(self, record: FaultRecord, *, at_most: int | None = None) -> bool:
        """Add ``record``, unless there are ``at_most`` of its source already; whether it did.

        Of several processes that do this at once, no more than ``at_most`` are told that they did.
        """
        with self._locked() as file:
            if at_most is not None:
                same = [each for each in self.records() if each.source == record.source]
                if len(same) >= at_most:
                    return False
            # Whatever came before and was left half written, this is a line of its own.
            os.write(file, f"\n{json.dumps(asdict(record))}\n".encode())
        return True

    @contextmanager
    def _locked(self) -> Iterator[int]:
        """The open file, to one process at a time; one that dies holds nobody up."""
        # Not created here: on another machine nobody would ever read it.
        file = os.open(self.path, os.O_WRONLY | os.O_APPEND)
        try:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield file
        finally:
            os.close(file)


def _parse(content: bytes) -> list[FaultRecord]:
    records = []
    for line in content.splitlines():
        try:
            records.append(FaultRecord(**json.loads(line)))
        except (TypeError, ValueError):  # between two records, or half of one
            continue
    return records
