"""``Room``: room for one run, held for a request that is not there as a whole yet."""

from __future__ import annotations

from collections.abc import Callable


class Room:
    """It is used or given back, whichever comes first, and once."""

    __slots__ = ("_give_back",)

    def __init__(self, give_back: Callable[[], None]) -> None:
        self._give_back: Callable[[], None] | None = give_back

    def use(self) -> None:
        """The run has been started."""
        self._give_back = None

    def give_back(self) -> None:
        """It is for others, unless it was used."""
        give_back, self._give_back = self._give_back, None
        if give_back is not None:
            give_back()
