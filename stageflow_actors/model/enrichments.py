"""``Enrichments``: what is known about the user and the matter before a run starts."""

from __future__ import annotations

from uuid import UUID

from pydantic import Field

from stageflow_actors.model.frozen import FrozenDict
from stageflow_actors.model.plain import PlainDict
from stageflow_actors.model.validated import FrozenModel


class ProfileEnrichment(FrozenModel):
    """Who the user is, and what they want."""

    user_id: UUID | None = None
    display_name: str | None = None
    preferences: PlainDict = Field(default_factory=FrozenDict)
    goals: tuple[str, ...] = ()


class MemoryEnrichment(FrozenModel):
    """What is remembered of earlier interactions."""

    recent_topics: tuple[str, ...] = ()
    key_facts: tuple[str, ...] = ()
    interaction_history_summary: str | None = None


class DocumentEnrichment(FrozenModel):
    """A document that the run is about; ``blocks`` are its parts, in order."""

    document_id: str | None = None
    document_type: str | None = None
    blocks: tuple[PlainDict, ...] = ()
    metadata: PlainDict = Field(default_factory=FrozenDict)


class Enrichments(FrozenModel):
    """Profile, memory, documents and results of web searches; each may be missing."""

    profile: ProfileEnrichment | None = None
    memory: MemoryEnrichment | None = None
    documents: tuple[DocumentEnrichment, ...] = ()
    web_results: tuple[PlainDict, ...] = ()

    @property
    def has_any(self) -> bool:
        """Whether there is anything at all."""
        has_person = self.profile is not None or self.memory is not None
        return has_person or bool(self.documents) or bool(self.web_results)
