"""``RunPriority``: which run goes first where several wait."""

from __future__ import annotations

from enum import StrEnum

from stageflow_actors.errors import InvalidRunInputError


class RunPriority(StrEnum):
    """Which run goes first where several wait; one that executes is not interrupted for it."""

    INTERACTIVE = "interactive"
    """Somebody waits for its answer: it goes first."""
    BACKGROUND = "background"
    """Nobody does: it gives way, and still has its share of the turns."""


def to_priority(given: object) -> RunPriority:
    """The priority that ``given`` is, or is the name of.

    Raises:
        InvalidRunInputError: there is none.
    """
    try:
        return RunPriority(given)  # type: ignore[arg-type] # anything may have been given
    except ValueError as unknown:
        raise InvalidRunInputError(
            f"The run cannot use the given priority {given!r:.80}.",
            hint=f"Known priorities: {', '.join(RunPriority)}.",
        ) from unknown
