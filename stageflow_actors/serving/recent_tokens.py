"""``RecentTokens``: whose a token was when it was verified just now. Pure: it is told the time."""

from __future__ import annotations

import hashlib
from collections import OrderedDict

FRESH_S = 1.0
"""How long a token counts as verified, where that only decides which refusal is said."""


class RecentTokens:
    """The tenants of at most ``most`` tokens; beyond it the one noted first goes. No token is kept,
    only its digest. Times are seconds of a clock that never goes back.
    """

    __slots__ = ("_most", "_noted")

    def __init__(self, most: int = 10_000) -> None:
        self._most = most
        self._noted: OrderedDict[bytes, tuple[str, float]] = OrderedDict()

    def note(self, token: str, tenant: str, now: float) -> None:
        """It is ``tenant``'s: that was asked ``now``."""
        name = _digest(token)
        self._noted[name] = (tenant, now)
        self._noted.move_to_end(name)
        if len(self._noted) > self._most:
            self._noted.popitem(last=False)

    def tenant_of(self, token: str, now: float) -> str | None:
        """Whose it was, if that was asked within ``FRESH_S``."""
        tenant, since = self._noted.get(_digest(token), (None, now))
        return tenant if now - since < FRESH_S else None


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()
