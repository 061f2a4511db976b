"""``Batching``: how many runs a stage takes at once, and how long it waits for more of them."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from stageflow_actors.model.amounts import is_number
from stageflow_actors.model.policies.numbers import LONGEST_S, check_count, refuse

if TYPE_CHECKING:
    from stageflow_actors.model.stage_context import StageContext


@dataclass(frozen=True, slots=True)
class Batching:
    """The process of a stage executes one batch at a time, of what came while the last one ran.

    An item is one execution for one run. A stage that is idle takes what is there at once. One that
    has just finished a batch waits until the next is full, at most ``batch_wait_ms`` milliseconds.
    A batch is full with ``max_batch_size`` items, or when one more would weigh too much:
    ``batch_size_fn`` says what an item weighs (tokens, seconds of audio; at least 0), and the
    weights of a batch add up to at most ``max_batch_weight``. An item heavier than that goes alone.

    Raises:
        PolicyError: a number or a function that cannot be used.
    """

    max_batch_size: int = 16
    batch_wait_ms: float = 0.0
    batch_size_fn: Callable[[StageContext], float] | None = None
    max_batch_weight: float | None = None

    def __post_init__(self) -> None:
        name = type(self).__name__
        check_count(name, {"max_batch_size": self.max_batch_size})
        longest_ms = LONGEST_S * 1000
        if not is_number(self.batch_wait_ms) or not 0 <= self.batch_wait_ms <= longest_ms:
            hint = "Give milliseconds, at least 0 and at most a year."
            refuse(name, "batch_wait_ms", self.batch_wait_ms, hint)
        if self.batch_size_fn is not None and not callable(self.batch_size_fn):
            hint = "Give a function of the context that returns what the item weighs."
            refuse(name, "batch_size_fn", self.batch_size_fn, hint)
        heaviest = self.max_batch_weight
        if heaviest is not None and not (is_number(heaviest) and 0 < heaviest < math.inf):
            refuse(name, "max_batch_weight", heaviest, "Give a number greater than 0.")
        if heaviest is not None and self.batch_size_fn is None:
            hint = "Say with batch_size_fn= what an item weighs; max_batch_size counts items."
            refuse(name, "max_batch_weight", heaviest, hint)
        if heaviest is None and self.batch_size_fn is not None:
            hint = "Say with max_batch_weight= how much a batch may weigh."
            refuse(name, "batch_size_fn", self.batch_size_fn, hint)
        object.__setattr__(self, "batch_wait_ms", float(self.batch_wait_ms))
        if heaviest is not None:
            object.__setattr__(self, "max_batch_weight", float(heaviest))
