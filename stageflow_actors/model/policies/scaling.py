"""``Autoscaling``: how many processes a stage has, by how much there is to do."""

from __future__ import annotations

import math
from dataclasses import dataclass

from stageflow_actors.model.amounts import is_number
from stageflow_actors.model.policies.numbers import check_count, check_seconds, refuse


@dataclass(frozen=True, slots=True)
class Autoscaling:
    """Between ``min_replicas`` and ``max_replicas`` processes, ``initial_replicas`` at first.

    Wanted are as many as have ``target_ongoing_requests`` each, on average: executions that run or
    wait. There are more once more were wanted for ``upscale_delay_s`` seconds, and fewer once fewer
    were for ``downscale_delay_s``. The names are those of Ray Serve. ``LocalRuntime`` has one
    process.

    Raises:
        PolicyError: a number that cannot be used, or numbers that contradict each other.
    """

    min_replicas: int = 1
    max_replicas: int = 4
    initial_replicas: int | None = None
    target_ongoing_requests: float = 2.0
    upscale_delay_s: float = 1.0
    downscale_delay_s: float = 30.0

    def __post_init__(self) -> None:
        name = type(self).__name__
        counts = {"min_replicas": self.min_replicas, "max_replicas": self.max_replicas}
        check_count(name, counts)
        if self.max_replicas < self.min_replicas:
            hint = f"Give at least min_replicas, which is {self.min_replicas}."
            refuse(name, "max_replicas", self.max_replicas, hint)
        if self.initial_replicas is not None:
            check_count(name, {"initial_replicas": self.initial_replicas})
            if not self.min_replicas <= self.initial_replicas <= self.max_replicas:
                hint = f"Give a number from {self.min_replicas} to {self.max_replicas}."
                refuse(name, "initial_replicas", self.initial_replicas, hint)
        target = self.target_ongoing_requests
        if not is_number(target) or not 0 < target < math.inf:
            refuse(name, "target_ongoing_requests", target, "Give a number greater than 0.")
        delays = {
            "upscale_delay_s": self.upscale_delay_s,
            "downscale_delay_s": self.downscale_delay_s,
        }
        check_seconds(name, delays, may_be_zero=True)

    @property
    def first_replicas(self) -> int:
        """How many there are at first."""
        return self.initial_replicas or self.min_replicas
