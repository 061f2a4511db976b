"""``RunRate``: how many runs a tenant may start in a second. Pure: it is told what time it is."""

from __future__ import annotations

from collections import OrderedDict


class RunRate:
    """A bucket of tokens for each tenant: so many a second, and a second's worth at once.

    Times are seconds of a clock that never goes back. At most ``max_tenants`` are remembered; of
    more, who has started one longest ago is forgotten, as if it had been silent for a second.
    """

    __slots__ = ("_max_tenants", "_most", "_per_s", "_tenants")

    def __init__(self, per_s: float, max_tenants: int = 10_000) -> None:
        self._per_s = per_s
        self._most = max(1.0, per_s)
        self._max_tenants = max_tenants
        self._tenants: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, tenant: str, now: float) -> float | None:
        """Nothing, if it may start one now; else after how many seconds it may."""
        tokens, since = self._tenants.pop(tenant, (self._most, now))
        tokens = min(self._most, tokens + (now - since) * self._per_s)
        may = tokens >= 1.0
        self._tenants[tenant] = (tokens - 1.0 if may else tokens, now)
        if len(self._tenants) > self._max_tenants:
            self._tenants.popitem(last=False)
        return None if may else (1.0 - tokens) / self._per_s
