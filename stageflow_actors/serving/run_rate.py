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
        tokens = self._tokens(tenant, now)
        may = tokens >= 1.0
        self._set(tenant, tokens - 1.0 if may else tokens, now)
        return None if may else self._wait_s(tokens)

    def wait_s(self, tenant: str, now: float) -> float | None:
        """As ``take``, but nothing is started."""
        tokens = self._tokens(tenant, now)
        return None if tokens >= 1.0 else self._wait_s(tokens)

    def give_back(self, tenant: str, now: float) -> None:
        """One that was taken may not have been started."""
        self._set(tenant, min(self._most, self._tokens(tenant, now) + 1.0), now)

    def limit(self, tenant: str, now: float, wait_s: float) -> None:
        """Somebody knows that it may start none for ``wait_s``."""
        self._set(tenant, min(self._tokens(tenant, now), 1.0 - wait_s * self._per_s), now)

    def _wait_s(self, tokens: float) -> float:
        return (1.0 - tokens) / self._per_s

    def _tokens(self, tenant: str, now: float) -> float:
        tokens, since = self._tenants.get(tenant, (self._most, now))
        return min(self._most, tokens + (now - since) * self._per_s)

    def _set(self, tenant: str, tokens: float, now: float) -> None:
        self._tenants[tenant] = (tokens, now)
        self._tenants.move_to_end(tenant)
        if len(self._tenants) > self._max_tenants:
            self._tenants.popitem(last=False)
