"""The form of the documents that clients get, as models: for the OpenAPI document."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

TraceId = Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]
"""Of W3C Trace Context; where the service is traced."""


class _Document(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Problem(BaseModel):
    """Why a request was refused, after RFC 9457. `code` is stable."""

    model_config = ConfigDict(extra="allow")

    type: str
    title: str
    status: int
    code: str
    detail: str | None = None
    run_id: UUID | None = None
    trace_id: TraceId | None = None
    instance: str | None = None


class Output(_Document):
    """What a stage returned."""

    status: str
    data: dict[str, Any]
    duration_ms: int | None
    version: str | None
    route: dict[str, Any] | None
    error: str | None = None


class Failure(_Document):
    """That a stage failed, and how."""

    code: str
    attempt: int
    message: str
    error_type: str | None = None


class Cancelled(_Document):
    """A stage that the end of the run cut short, or kept from starting."""

    reason: str
    started: bool


class Timing(_Document):
    """When a stage worked."""

    started_at: datetime
    ended_at: datetime
    duration_ms: float


class Artifact(_Document):
    """Something that a stage made for people or for storage."""

    type: str
    payload: Any
    at: datetime


class Result(_Document):
    """Everything about an ended run; each mapping is by stage."""

    stage: str | None
    reason: str | None
    outputs: dict[str, Output]
    failures: dict[str, Failure]
    skipped: dict[str, str]
    cancelled: dict[str, Cancelled]
    timings: dict[str, Timing]
    artifacts: dict[str, list[Artifact]]
    tolerated: list[str]
    abandoned: list[str]
    attempts: dict[str, int]
    events_dropped: int


class Links(_Document):
    """Where the rest is."""

    self: str
    events: str


class Run(_Document):
    """A run: `running`, or ended as `ok`, `failed`, `timed_out` or `cancelled`."""

    run_id: UUID
    trace_id: TraceId | None = None
    pipeline: str
    state: str
    cancelling: bool
    started_at: datetime
    ended_at: datetime | None = None
    duration_ms: float | None = None
    result: Result | None
    links: Links
