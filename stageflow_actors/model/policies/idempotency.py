"""``IdempotencyPolicy``: equal requests are executed once and answered alike."""

from __future__ import annotations

from dataclasses import dataclass

from stageflow_actors.model.policies.numbers import check_seconds, refuse


@dataclass(frozen=True, slots=True)
class IdempotencyPolicy:
    """A stage is executed once per key; runs with the same key get the same answer.

    The key is the run's ``data[key]``; without one the stage is executed as ever. It counts for
    this stage of this pipeline and the run's ``org_id`` alone. The run's ``data[params]`` must be
    the same whenever the key is. A failed or cancelled execution frees the key; an answer is kept
    for ``ttl_s`` seconds.

    Raises:
        PolicyError: a part cannot be used.
    """

    key: str = "idempotency_key"
    params: str = "idempotency_params"
    ttl_s: float = 86_400.0

    def __post_init__(self) -> None:
        for field in ("key", "params"):
            value = getattr(self, field)
            if not isinstance(value, str) or not value:
                refuse("IdempotencyPolicy", field, value, "Give a key of the run's data.")
        check_seconds("IdempotencyPolicy", {"ttl_s": self.ttl_s})
