"""``BreakerPolicy``: when a stage that keeps failing is left alone for a while."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from stageflow_actors.errors import StageLostError, StageTimeoutError
from stageflow_actors.model.policies.numbers import check_count, check_seconds
from stageflow_actors.model.policies.retry import TRANSIENT, error_classes


class BreakerSettings(NamedTuple):
    """A ``BreakerPolicy`` as plain data, without a class of the user's."""

    failure_threshold: int
    reset_timeout_s: float
    half_open_probes: int
    counts_timeout: bool
    counts_loss: bool


@dataclass(frozen=True, slots=True)
class BreakerPolicy:
    """After ``failure_threshold`` failures in a row a stage is not executed for a while.

    The breaker is open for ``reset_timeout_s``; then ``half_open_probes`` executions may try, one
    after the other: if all succeed it closes, if one fails it is open again. Counted are failures
    with one of ``trip_on``; any other end counts as an answer, and so as a success.

    Raises:
        PolicyError: a number or a class that cannot be used.
    """

    failure_threshold: int = 5
    reset_timeout_s: float = 30.0
    half_open_probes: int = 1
    trip_on: tuple[type[BaseException], ...] = (*TRANSIENT, StageLostError)

    def __post_init__(self) -> None:
        name = type(self).__name__
        counts = {
            "failure_threshold": self.failure_threshold,
            "half_open_probes": self.half_open_probes,
        }
        check_count(name, counts)
        check_seconds(name, {"reset_timeout_s": self.reset_timeout_s})
        object.__setattr__(self, "trip_on", error_classes(name, "trip_on", self.trip_on))

    def counts(self, error: BaseException | type[BaseException]) -> bool:
        """Whether a failure with ``error`` counts."""
        kind = error if isinstance(error, type) else type(error)
        return issubclass(kind, self.trip_on)

    @property
    def settings(self) -> BreakerSettings:
        """The policy as plain data."""
        return BreakerSettings(
            int(self.failure_threshold),
            float(self.reset_timeout_s),
            int(self.half_open_probes),
            self.counts(StageTimeoutError),
            self.counts(StageLostError),
        )
