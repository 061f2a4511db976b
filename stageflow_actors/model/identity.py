"""Who and what a run belongs to. Ids are UUIDv7, so they sort by time of creation."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field
from uuid6 import uuid7


def new_id() -> UUID:
    """A fresh UUIDv7 (RFC 9562), a plain ``uuid.UUID``."""
    return UUID(int=uuid7().int)


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
