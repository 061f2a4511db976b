"""``Pauses``: how long an exporter that failed is left alone."""

from __future__ import annotations

from dataclasses import dataclass

from stageflow_actors.model.amounts import is_number


@dataclass(frozen=True, slots=True)
class Pauses:
    """Seconds, doubled with each failure in a row.

    Raises:
        ValueError: the first pause is not above 0, or above the longest.
    """

    first_s: float
    longest_s: float

    def __post_init__(self) -> None:
        are_numbers = is_number(self.first_s) and is_number(self.longest_s)
        if not are_numbers or not 0 < self.first_s <= self.longest_s:
            raise ValueError("retry_pause_s must be above 0 and at most max_retry_pause_s")

    def after(self, failures: int) -> float:
        """The pause after so many failures in a row, at least 1."""
        doublings = min(failures - 1, 60)  # far beyond any longest pause, and no overflow
        return min(self.first_s * 2.0**doublings, self.longest_s)
