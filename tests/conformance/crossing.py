"""Ways for a test and its stages to meet, wherever the stages run: files that both can see."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

_POLL_S = 0.002


class Gate:
    """Closed until somebody opens it; can be waited for from any process."""

    def __init__(self, folder: Path, name: str) -> None:
        self._file = Path(folder) / f"{name}.gate"

    def open(self) -> None:
        self._file.touch()

    @property
    def is_open(self) -> bool:
        return self._file.exists()

    async def opened(self) -> None:
        while not self.is_open:
            await asyncio.sleep(_POLL_S)

    def wait(self) -> None:
        while not self.is_open:
            time.sleep(_POLL_S)


class Journal:
    """Lines in the order in which any process wrote them."""

    def __init__(self, folder: Path) -> None:
        self._file = Path(folder) / "journal.txt"

    def write(self, line: str) -> None:
        with self._file.open("a", encoding="utf-8") as file:
            file.write(line + "\n")

    @property
    def lines(self) -> list[str]:
        return self._file.read_text(encoding="utf-8").splitlines() if self._file.exists() else []
