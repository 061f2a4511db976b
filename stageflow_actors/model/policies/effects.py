"""``Effects``: what repeating a stage would do to the world outside."""

from __future__ import annotations

from enum import StrEnum


class Effects(StrEnum):
    """What a stage does outside of its output. Says whether it may be repeated when nobody knows
    how far it got, because its process died or its reply was lost.
    """

    NONE = "none"
    """Nothing: it is repeated."""
    KEYED = "keyed"
    """What it does carries ``ctx.effect_key`` and counts once: it is repeated."""
    ONCE_ONLY = "once_only"
    """It is never repeated where it may have happened, not by a retry policy either: not after a
    timeout, nor after a loss. A failure that it raised itself is known.
    """
    UNKNOWN = "unknown"
    """Nobody said: it is repeated where its retry policy covers the loss, and fails elsewhere."""

    @property
    def allow_repeats(self) -> bool:
        """Whether it may be repeated without a policy that says so."""
        return self in (Effects.NONE, Effects.KEYED)
