"""What a store says to somebody who wants to work on an idempotency key."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple


class ClaimState(StrEnum):
    """What has become of a claim."""

    OWNED = "owned"
    """The claimant works on the key now."""
    PENDING = "pending"
    """Another owner does."""
    ANSWERED = "answered"
    """Nobody has to: there is an answer."""


class Claim(NamedTuple):
    """``params`` are what the key was first used with; there is an ``answer`` if ``ANSWERED``."""

    state: ClaimState
    answer: str | None
    params: str
