"""Who and what a run belongs to. Ids are UUIDv7, so they sort by time of creation."""

from __future__ import annotations

import os
import time
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any
from uuid import UUID

from pydantic import Field

from stageflow_actors.model.plain import Time, packed_time, time_of
from stageflow_actors.model.validated import FrozenModel


def new_id() -> UUID:
    """A fresh UUIDv7 that sorts by the time of its creation, to a quarter of a microsecond.

    48 bits of Unix milliseconds, 12 of their fraction, the rest random: RFC 9562, sections 5.7 and
    6.2 (method 3).
    """
    milliseconds, nanoseconds = divmod(time.time_ns(), 1_000_000)
    fraction = nanoseconds * 4096 // 1_000_000
    random = int.from_bytes(os.urandom(8), "big") >> 2
    return UUID(int=milliseconds << 80 | 0x7 << 76 | fraction << 64 | 0b10 << 62 | random)


def utc_now() -> datetime:
    """The current time, with its zone."""
    return datetime.now(UTC)


@lru_cache(maxsize=256)
def rfc3339(seconds: float) -> str:
    """Seconds since the Unix epoch as RFC 3339 text; what happens in one turn has one time."""
    return datetime.fromtimestamp(seconds, UTC).isoformat()


class RunIdentity(FrozenModel):
    """The ids of one run. Those of the run and of the request are generated where none is given."""

    pipeline_run_id: UUID = Field(default_factory=new_id)
    request_id: UUID = Field(default_factory=new_id)
    session_id: UUID | None = None
    user_id: UUID | None = None
    org_id: UUID | None = None
    interaction_id: UUID | None = None
    created_at: Time = Field(default_factory=utc_now)

    def with_pipeline_run_id(self, pipeline_run_id: UUID) -> RunIdentity:
        """A copy for another run.

        Raises:
            pydantic.ValidationError: it is no UUID.
        """
        return self.model_copy(update={"pipeline_run_id": pipeline_run_id})

    def packed(self) -> tuple[Any, ...]:
        packed = super().packed()
        if type(self) is not RunIdentity:
            return packed
        *ids, created_at = packed
        return *[None if given is None else given.int for given in ids], packed_time(created_at)

    @classmethod
    def unpacked(cls, packed: tuple[Any, ...]) -> tuple[Any, ...]:
        if cls is not RunIdentity:
            return packed
        *ids, created_at = packed
        return *[None if given is None else UUID(int=given) for given in ids], time_of(created_at)
