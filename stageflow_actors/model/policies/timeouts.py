"""``Timeouts``: the four limits of a stage."""

from __future__ import annotations

from dataclasses import dataclass

from stageflow_actors.model.policies.numbers import check_seconds


@dataclass(frozen=True, slots=True)
class Timeouts:
    """How long a stage may take, in seconds; ``None``: no limit. ``timeout=3`` is ``attempt=3``.

    ``attempt`` limits one execution, cleanups included, and ``total`` all of them with the waits
    between. ``idle`` is how long an execution may show no sign of life: an event, an artifact or
    ``ctx.heartbeat()``. ``heartbeat`` is how long it may go without ``ctx.heartbeat()`` alone.

    Raises:
        PolicyError: a limit is no number of seconds.
    """

    attempt: float | None = None
    total: float | None = None
    idle: float | None = None
    heartbeat: float | None = None

    @property
    def needs_signs(self) -> bool:
        """Whether somebody has to watch for signs of life."""
        return self.idle is not None or self.heartbeat is not None

    def __post_init__(self) -> None:
        for name in ("attempt", "total", "idle", "heartbeat"):
            value = getattr(self, name)
            if value is not None:
                check_seconds("Timeouts", {name: value})
                object.__setattr__(self, name, float(value))
