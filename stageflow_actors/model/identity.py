"""Who and what a run belongs to. Ids are UUIDv7, so they sort by time of creation."""

from __future__ import annotations

import os
import time
from datetime import UTC, datetime
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field


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


class RunIdentity(BaseModel):
    """The ids of one run. Those of the run and of the request are generated where none is given."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    pipeline_run_id: UUID = Field(default_factory=new_id)
    request_id: UUID = Field(default_factory=new_id)
    session_id: UUID | None = None
    user_id: UUID | None = None
    org_id: UUID | None = None
    interaction_id: UUID | None = None
    created_at: datetime = Field(default_factory=utc_now)
