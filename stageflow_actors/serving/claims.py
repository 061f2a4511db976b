"""``Claims``: which run an ``Idempotency-Key`` stands for."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress

from stageflow_actors.serving.desk import RunKey
from stageflow_actors.serving.faults import Fault, ProblemError
from stageflow_actors.serving.records import RunRecord


class _Claim:
    __slots__ = ("fingerprint", "record", "starting")

    def __init__(self, fingerprint: bytes, starting: asyncio.Future[RunRecord]) -> None:
        self.fingerprint = fingerprint
        self.starting = starting
        self.record: RunRecord | None = None


class Claims:
    """A key is a tenant's, and stands for its run as long as that is known here."""

    __slots__ = ("_claims", "_keys")

    def __init__(self) -> None:
        self._claims: dict[tuple[str, str], _Claim] = {}
        self._keys: dict[RunRecord, tuple[str, str]] = {}

    def __len__(self) -> int:
        return len(self._claims)

    def __contains__(self, name: tuple[str, str]) -> bool:
        """Whether that tenant's key stands for a run, or for one that is being started."""
        return name in self._claims

    async def once(
        self, tenant: str, key: RunKey, start: Callable[[], Awaitable[RunRecord]]
    ) -> RunRecord:
        """The run that the key stands for; ``start`` is called where it stands for none.

        Who comes while it is started waits for that; a start that fails leaves no claim.

        Raises:
            ProblemError: the key stands for another request, or the run cannot be started.
        """
        name = (tenant, key.key)
        claim = self._claims.get(name)
        if claim is None:
            starting = asyncio.ensure_future(start())
            claim = self._claims[name] = _Claim(key.fingerprint, starting)
            starting.add_done_callback(lambda _done: self._started(name, claim))
        elif claim.fingerprint != key.fingerprint:
            found = claim.record
            raise ProblemError(Fault.KEY_REUSED, run_id=None if found is None else found.run_id)
        return await asyncio.shield(claim.starting)

    def key_of(self, record: RunRecord) -> RunKey | None:
        """What stands for that run."""
        name = self._keys.get(record)
        return None if name is None else RunKey(name[1], self._claims[name].fingerprint)

    def take(self, record: RunRecord, key: RunKey) -> None:
        """From now on ``key`` stands for a run that was started elsewhere, unless it stands for one
        of this place: who asks goes on to get the same answer.
        """
        name = (record.tenant, key.key)
        if name in self._claims:
            return
        started: asyncio.Future[RunRecord] = asyncio.get_running_loop().create_future()
        started.set_result(record)
        claim = _Claim(key.fingerprint, started)
        claim.record = record
        self._keys[record] = name
        self._claims[name] = claim

    def forget(self, record: RunRecord) -> None:
        """The run is not known any more, nor is its key."""
        name = self._keys.pop(record, None)
        if name is not None:
            self._claims.pop(name, None)

    def _started(self, name: tuple[str, str], claim: _Claim) -> None:
        with suppress(asyncio.CancelledError):
            if claim.starting.exception() is None:
                claim.record = claim.starting.result()
                self._keys[claim.record] = name
                return
        self._claims.pop(name, None)
