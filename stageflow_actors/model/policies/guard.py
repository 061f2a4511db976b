"""``GuardRetryPolicy``: a stage that rejects what another one made, and has it made again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from stageflow_actors.model.policies.numbers import check_count, check_seconds, refuse


@dataclass(frozen=True, slots=True)
class GuardRetryPolicy:
    """When the stage returns ``StageOutput.fail``, ``retry_stage`` runs again, then the stage.

    ``max_attempts`` counts rejections, so it is also how often ``retry_stage`` runs at most; anew
    each time another guard has this one repeated, as ``Settings.max_guard_repeats_per_run`` allows.
    After ``stagnation_limit`` repeats that changed nothing it is enough, too: rejections are equal
    whose data, or whose ``hash_fields`` of it, are. ``timeout_s`` counts from the first rejection.
    ``retry_stage`` is a dependency of the stage, or of one of its dependencies; what lies between
    runs again, too.

    Raises:
        PolicyError: a part cannot be used.
    """

    retry_stage: str
    max_attempts: int = 2
    stagnation_limit: int = 2
    hash_fields: tuple[str, ...] | None = None
    timeout_s: float | None = None

    def __post_init__(self) -> None:
        name = type(self).__name__
        if not isinstance(self.retry_stage, str) or not self.retry_stage:
            refuse(name, "retry_stage", self.retry_stage, "Give the name of a stage.")
        check_count(
            name, {"max_attempts": self.max_attempts, "stagnation_limit": self.stagnation_limit}
        )
        if self.timeout_s is not None:
            check_seconds(name, {"timeout_s": self.timeout_s})
        if self.hash_fields is not None:
            fields = self.hash_fields
            is_list = isinstance(fields, (tuple, list)) and len(fields) > 0
            if not is_list or not all(isinstance(each, str) for each in fields):
                refuse(name, "hash_fields", fields, "Give a tuple of keys of the guard's data.")
            object.__setattr__(self, "hash_fields", tuple(fields))


class GuardFeedback(NamedTuple):
    """What a stage that runs again is told: who rejected its last output, when, and why."""

    guard: str
    attempt: int
    reason: str
    data: Mapping[str, Any]
