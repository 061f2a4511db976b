"""``ContextSnapshot``: what every stage of a run may see and none may change."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Self
from uuid import UUID

from pydantic import Field, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

from stageflow_actors.errors import SnapshotError
from stageflow_actors.model.conversation import Conversation, ConversationRouting, Message
from stageflow_actors.model.enrichments import (
    DocumentEnrichment,
    Enrichments,
    MemoryEnrichment,
    ProfileEnrichment,
)
from stageflow_actors.model.extensions import (
    PLAIN_TYPE,
    Bundle,
    ExtensionBundle,
    Extensions,
    bundle_from,
)
from stageflow_actors.model.frozen import FrozenDict
from stageflow_actors.model.identity import RunIdentity, utc_now
from stageflow_actors.model.plain import AnyDict, Time, packed_time, time_of
from stageflow_actors.model.validated import FrozenModel, revive

_NO_METADATA = FrozenDict()


def _type_of(extensions: ExtensionBundle | dict[str, Any] | None) -> str | None:
    if extensions is None:
        return None
    return type(extensions).__name__ if isinstance(extensions, ExtensionBundle) else PLAIN_TYPE


class ContextSnapshot(FrozenModel):
    """The immutable input of a run.

    ``topology`` is the pipeline's name and ``execution_mode`` the application's own label; both are
    for observation only. ``metadata`` may hold anything, all other dicts plain data only.
    """

    run_id: RunIdentity = Field(default_factory=RunIdentity)
    enrichments: Enrichments | None = None
    conversation: Conversation | None = None
    extensions: Extensions = None
    extensions_type: str | None = Field(default=None, validate_default=True)
    """Name of the class of the bundle. That of a dict says which class ``extension`` may build."""
    input_text: str | None = None
    input_audio_duration_ms: Annotated[int, Field(strict=True, ge=0)] | None = None
    """Length of the audio that ``input_text`` was heard in, in milliseconds."""
    topology: str | None = None
    execution_mode: str | None = None
    created_at: Time = Field(default_factory=utc_now)
    metadata: AnyDict = Field(default_factory=lambda: _NO_METADATA)

    @field_validator("extensions_type", mode="after")
    @classmethod
    def _name_extensions(cls, given: str | None, info: ValidationInfo) -> str | None:
        extensions = info.data.get("extensions")
        derived = _type_of(extensions)
        if given is None:
            return derived
        if given == derived or isinstance(extensions, dict):
            return given
        what = "there are none" if derived is None else f"they are {derived}"
        raise PydanticCustomError(
            "extensions_type", "This should name the extensions, but {what}", {"what": what}
        )

    # --- ids --------------------------------------------------------------------------------------

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

    # --- what is inside the bundles ---------------------------------------------------------------

    @property
    def messages(self) -> tuple[Message, ...]:
        """The conversation, the oldest message first; empty if there is none."""
        return self.conversation.messages if self.conversation else ()

    @property
    def routing_decision(self) -> ConversationRouting | None:
        """How the conversation was routed."""
        return self.conversation.routing_decision if self.conversation else None

    @property
    def profile(self) -> ProfileEnrichment | None:
        """Who the user is."""
        return self.enrichments.profile if self.enrichments else None

    @property
    def memory(self) -> MemoryEnrichment | None:
        """What is remembered."""
        return self.enrichments.memory if self.enrichments else None

    @property
    def documents(self) -> tuple[DocumentEnrichment, ...]:
        """What the run is about; empty if there are none."""
        return self.enrichments.documents if self.enrichments else ()

    @property
    def web_results(self) -> tuple[dict[str, Any], ...]:
        """What searches found; empty if there was none."""
        return self.enrichments.web_results if self.enrichments else ()

    def extension(self, kind: type[Bundle]) -> Bundle:
        """The extensions as a bundle of class ``kind``.

        Raises:
            SnapshotError: they are of another type, or the dict does not fit ``kind``.
        """
        extensions = self.extensions
        if isinstance(extensions, kind):
            return extensions
        if isinstance(extensions, dict) and self.extensions_type == kind.__name__:
            return bundle_from(kind, extensions)
        has = f"extensions of type {self.extensions_type}" if self.extensions_type else "none"
        raise SnapshotError(
            f"The snapshot has no {kind.__name__}; it has {has}.",
            path="extensions",
            hint=f"Give it one: with_extensions({kind.__name__}(...)).",
        )

    def packed(self) -> tuple[Any, ...]:
        packed = super().packed()
        if type(self) is not ContextSnapshot or type(self.run_id) is not RunIdentity:
            return packed
        run_id, *more, created_at, metadata = packed
        return run_id.packed(), *more, packed_time(created_at), metadata or None

    @classmethod
    def unpacked(cls, packed: tuple[Any, ...]) -> tuple[Any, ...]:
        if type(packed[0]) is not tuple:
            return packed
        run_id, *more, created_at, metadata = packed
        return revive(RunIdentity, *run_id), *more, time_of(created_at), metadata or FrozenDict()

    # --- copies -----------------------------------------------------------------------------------

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """A copy, validated as a whole, with the fields in ``update`` changed.

        Raises:
            pydantic.ValidationError: ``update`` names an unknown field or has an unfit value.
        """
        if update and "extensions" in update:
            update = {"extensions_type": None, **update}  # that of the old ones would not fit
        return super().model_copy(update=update, deep=deep)

    def with_run_id(self, run_id: RunIdentity) -> Self:
        """A copy that belongs to another run."""
        return self.model_copy(update={"run_id": run_id})

    def with_enrichments(self, enrichments: Enrichments | None) -> Self:
        """A copy with these enrichments instead of its own."""
        return self.model_copy(update={"enrichments": enrichments})

    def with_conversation(self, conversation: Conversation | None) -> Self:
        """A copy with this conversation instead of its own."""
        return self.model_copy(update={"conversation": conversation})

    def with_extensions(self, extensions: ExtensionBundle | Mapping[str, Any] | None) -> Self:
        """A copy with these extensions instead of its own; ``extensions_type`` follows them."""
        return self.model_copy(update={"extensions": extensions})

    def with_topology(self, topology: str | None) -> Self:
        """A copy with another topology."""
        return self.model_copy(update={"topology": topology})

    # --- JSON -------------------------------------------------------------------------------------

    def to_dict(self, *, flat: bool = False) -> dict[str, Any]:
        """What ``json.loads(self.to_json(flat=flat))`` gives: nested, or ``flat`` without bundles.

        Raises:
            SnapshotError: a value has no form in JSON; the error has its path (``SNAPSHOT-JSON``).
        """
        from stageflow_actors.model.snapshot_json.write import to_dict

        return to_dict(self, flat=flat)

    def to_json(self, *, flat: bool = False) -> str:
        """``json.dumps`` of ``to_dict``; reading and writing it again gives the same text.

        Raises:
            SnapshotError: a value has no form in JSON; the error has its path (``SNAPSHOT-JSON``).
        """
        from stageflow_actors.model.snapshot_json.write import to_json

        return to_json(self, flat=flat)

    @classmethod
    def from_dict(
        cls,
        data: dict[str, Any],
        extension_types: Mapping[str, type[ExtensionBundle]] | None = None,
    ) -> Self:
        """The snapshot that ``to_dict`` made ``data`` from, in either form.

        ``extension_types`` has the class of the bundle for each ``extensions_type``; where it has
        none, the extensions stay a dict. Missing parts get their defaults.

        Raises:
            SnapshotError: ``data`` is no snapshot; the error has the path of the first value that
                does not fit (``SNAPSHOT-INVALID``).
        """
        from stageflow_actors.model.snapshot_json.read import from_dict

        return from_dict(cls, data, extension_types or {})

    @classmethod
    def from_json(
        cls,
        text: str | bytes,
        extension_types: Mapping[str, type[ExtensionBundle]] | None = None,
    ) -> Self:
        """The snapshot that ``to_json`` made ``text`` from; see ``from_dict``.

        Raises:
            SnapshotError: ``text`` is no JSON, or no snapshot.
        """
        from stageflow_actors.model.snapshot_json.text import parse

        return cls.from_dict(parse(text), extension_types)
