"""``ContextSnapshot``: what every stage of a run may see and none may change."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, field_validator

from stageflow_actors.model.frozen import freeze
from stageflow_actors.model.identity import RunIdentity, utc_now


class ContextSnapshot(BaseModel):
    """The immutable input of a run.

    ``topology`` is the pipeline's name and ``execution_mode`` the application's own label; both are
    for observation only.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)

    run_id: RunIdentity = Field(default_factory=RunIdentity)
    input_text: str | None = None
    topology: str | None = None
    execution_mode: str | None = None
    metadata: dict[str, Any] = Field(default_factory=dict)
    created_at: datetime = Field(default_factory=utc_now)

    @field_validator("metadata", mode="after")
    @classmethod
    def _freeze_metadata(cls, value: dict[str, Any]) -> dict[str, Any]:
        frozen: dict[str, Any] = freeze(value)[0]
        return frozen

    @property
    def pipeline_run_id(self) -> UUID:
        """Id of the run."""
        return self.run_id.pipeline_run_id

    @property
    def request_id(self) -> UUID:
        """Id of the request that caused the run."""
        return self.run_id.request_id

    @property
    def session_id(self) -> UUID | None:
        """Id of the session, if the application has one."""
        return self.run_id.session_id

    @property
    def user_id(self) -> UUID | None:
        """Id of the user, if known."""
        return self.run_id.user_id

    @property
    def org_id(self) -> UUID | None:
        """Id of the organisation, if known."""
        return self.run_id.org_id

    @property
    def interaction_id(self) -> UUID | None:
        """Id of the interaction within the session, if the application has one."""
        return self.run_id.interaction_id
