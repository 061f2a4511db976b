"""Which of those that wait for a stage it executes next, together, and from when on.

Interactive items come before background ones, of one kind in the order in which they came. Nobody
overtakes one of its own kind: a batch ends before the first item that it has no room for, though a
lighter one behind it would fit. After ``MAX_PASSED`` batches in a row that left all background
items behind, the first of these has the first place in the next.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterator
from itertools import islice
from typing import Generic, NamedTuple, TypeVar

MAX_PASSED = 3

Item = TypeVar("Item", bound=Hashable)


class BatchLimits(NamedTuple):
    """How large a batch may be; ``wait_s``: how long a stage that is free waits for a full one."""

    max_size: int
    max_weight: float = math.inf
    wait_s: float = 0.0


class BatchQueue(Generic[Item]):
    """The items that wait, of whatever kind, each once.

    Times are in seconds of one clock that never goes back. Constant work per item and batch.
    """

    __slots__ = ("_background", "_interactive", "_limits", "_passed", "_starts_at")

    def __init__(self, limits: BatchLimits) -> None:
        self._limits = limits
        self._interactive: dict[Item, float] = {}
        self._background: dict[Item, float] = {}
        self._passed = 0
        self._starts_at = -math.inf

    def __len__(self) -> int:
        return len(self._interactive) + len(self._background)

    @property
    def starts_at(self) -> float:
        """When whatever there is may start, full or not."""
        return self._starts_at

    def join(self, item: Item, weight: float = 0.0, *, is_background: bool = False) -> None:
        """Take ``item`` in, behind all of its kind. ``weight`` is at least 0."""
        (self._background if is_background else self._interactive)[item] = weight

    def leave(self, item: Item) -> bool:
        """Forget ``item``; whether it was still waiting."""
        for waiting in (self._interactive, self._background):
            if item in waiting:
                del waiting[item]
                return True
        return False

    def clear(self) -> tuple[Item, ...]:
        """Forget them all; who was waiting."""
        left = (*self._interactive, *self._background)
        self._interactive.clear()
        self._background.clear()
        return left

    def free(self, now_s: float) -> None:
        """Take note that the stage has finished a batch: the next may come to be a full one."""
        self._starts_at = now_s + self._limits.wait_s

    def take(self, now_s: float) -> tuple[Item, ...]:
        """The next batch, if a stage that has nothing to do may start it now; else nothing."""
        batch, is_full = self._next()
        if not is_full and now_s < self._starts_at:
            return ()
        left = len(self._background)
        for item in batch:
            self.leave(item)
        is_passed = 0 < left == len(self._background)
        self._passed = self._passed + 1 if batch and is_passed else 0
        return tuple(batch)

    def _next(self) -> tuple[list[Item], bool]:
        """The batch that would start now, and whether nothing can be added to it."""
        batch: list[Item] = []
        total = 0.0
        for item, weight in self._in_order():
            if len(batch) == self._limits.max_size:
                return batch, True
            if batch and total + weight > self._limits.max_weight:
                return batch, True
            batch.append(item)
            total += weight
        is_full = len(batch) == self._limits.max_size or total >= self._limits.max_weight
        return batch, is_full

    def _in_order(self) -> Iterator[tuple[Item, float]]:
        background = iter(self._background.items())
        if self._passed >= MAX_PASSED:
            yield from islice(background, 1)
        yield from self._interactive.items()
        yield from background
