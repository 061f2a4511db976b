"""``JwksUrl``: the keys of an issuer, fetched when they are needed, and not more often."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from functools import partial
from typing import Any, NamedTuple

from stageflow_actors.errors.security import AuthenticationError
from stageflow_actors.model.policies.numbers import check_seconds, refuse
from stageflow_actors.security.jwks import KeySet, read_key_set
from stageflow_actors.security.jwks_fetch import fetch, read_address
from stageflow_actors.security.strict_json import read_object
from stageflow_actors.security.verification_keys import Key

logger = logging.getLogger("stageflow_actors.security")


class _Fetched(NamedTuple):
    keys: KeySet
    at: float


class JwksUrl:
    """The JWK Set at ``url``: https, or http on this machine.

    It is fetched for the first token; again for a token that comes ``refresh_s`` seconds later, and
    for one whose key is not in it, which is how new keys are found. But never twice within
    ``interval_s``, whatever comes: a token with an unknown key is then refused at once. Where
    fetching fails, the last keys go on for ``keep_s`` seconds. A fetch has ``timeout_s``, in a
    thread of its own; tokens that come meanwhile wait for the same one. A copy that is pickled
    fetches for itself.

    Raises:
        PolicyError: the URL is something else, or a number makes no sense.
    """

    def __init__(
        self,
        url: str,
        *,
        refresh_s: float = 300.0,
        keep_s: float = 3600.0,
        interval_s: float = 30.0,
        timeout_s: float = 3.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._address = read_address(url)
        numbers = {"refresh_s": refresh_s, "keep_s": keep_s}
        numbers |= {"interval_s": interval_s, "timeout_s": timeout_s}
        check_seconds("JwksUrl", numbers)
        if keep_s < refresh_s:
            refuse("JwksUrl", "keep_s", keep_s, "Keep keys at least until they are refreshed.")
        self._declared = partial(JwksUrl, url, **numbers, clock=clock)
        self._refresh_s, self._keep_s = refresh_s, keep_s
        self._interval_s, self._timeout_s = interval_s, timeout_s
        self._clock = clock
        self._lock = threading.Lock()
        self._fetched: _Fetched | None = None
        self._asked_at: float | None = None
        self._asking: Future[None] | None = None

    def serves(self, algorithm: str) -> bool:
        return not algorithm.startswith("HS")

    async def find(self, kid: str | None, algorithm: str) -> Key | None:
        if kid is None:
            return None
        known = self._known(self._refresh_s)
        if known is None or (kid, algorithm) not in known:
            await self._ask()
            known = self._known(self._keep_s)
        if known is None:
            raise AuthenticationError(
                "The keys that tokens are signed with cannot be had.", code="AUTH-KEYS-UNAVAILABLE"
            )
        return known.get((kid, algorithm))

    def _known(self, for_s: float) -> KeySet | None:
        """The keys, as far as they are no older than that."""
        fetched = self._fetched
        return fetched.keys if fetched and self._clock() - fetched.at <= for_s else None

    async def _ask(self) -> None:
        """Wait for the fetch that is on its way, or for a new one if it is time for one."""
        with self._lock:
            now = self._clock()
            if self._asked_at is None or now - self._asked_at >= self._interval_s:
                self._asked_at, self._asking = now, Future()
                threading.Thread(
                    target=self._fetch, args=(now, self._asking), name="jwks", daemon=True
                ).start()
            asking = self._asking
        if asking is not None and not asking.done():
            await asyncio.wait({asyncio.wrap_future(asking)}, timeout=self._timeout_s)

    def _fetch(self, now: float, asking: Future[None]) -> None:
        try:
            keys = read_key_set(read_object(fetch(self._address, self._timeout_s)))
            if keys is None:
                raise ValueError("it is no JWK Set")
            self._fetched = _Fetched(keys, now)
        except Exception as error:  # what is known stays; who waits is answered by it
            logger.warning("The JWK Set of %s was not fetched: %r.", self._address.host, error)
        finally:
            asking.set_result(None)

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[()]]:
        return self._declared, ()
