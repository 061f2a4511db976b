"""``Ahead``: what a process has begun ahead of its runs, and what has come of it so far."""

from __future__ import annotations

from collections.abc import Iterable

from stageflow_actors.actors.messages import Execution, Receipt
from stageflow_actors.actors.wire import Wire

EarlyPiece = tuple[str, Wire]
"""The audience and the data of a piece of a stream."""


class Ahead:
    """Kept until the run asks for it, which it does as soon as it knows."""

    __slots__ = ("_begun", "_pieces", "_receipts")

    def __init__(self) -> None:
        self._begun: set[Execution] = set()
        self._receipts: dict[Execution, Receipt] = {}
        self._pieces: dict[Execution, list[EarlyPiece]] = {}

    def __len__(self) -> int:
        return len(self._begun)

    def __contains__(self, execution: Execution) -> bool:
        return execution in self._begun

    def begin(self, executions: Iterable[Execution]) -> None:
        """These have begun."""
        self._begun.update(executions)

    def keep(self, execution: Execution, receipt: Receipt) -> None:
        """It has ended."""
        self._receipts[execution] = receipt

    def keep_piece(self, execution: Execution, piece: EarlyPiece) -> None:
        """It has streamed something out."""
        self._pieces.setdefault(execution, []).append(piece)

    def take(self, execution: Execution) -> tuple[Receipt | None, list[EarlyPiece]]:
        """Its run knows of it: its receipt, if it has ended, and its pieces."""
        self._begun.discard(execution)
        return self._receipts.pop(execution, None), self._pieces.pop(execution, [])
