"""``ContractRegistry``: which models the data of stages has followed, version by version."""

from __future__ import annotations

import builtins
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from pydantic import BaseModel

from stageflow_actors.contracts.compatibility import compare_schemas
from stageflow_actors.contracts.schemas import json_schema
from stageflow_actors.errors import StageDefinitionError
from stageflow_actors.model.frozen import freeze
from stageflow_actors.model.identity import utc_now


@dataclass(frozen=True, slots=True)
class ContractMetadata:
    """One version of the contract of a stage. ``schema`` is its JSON Schema, read-only."""

    stage: str
    version: str
    model: type[BaseModel]
    schema: Mapping[str, Any]
    description: str | None = None
    created_at: datetime = field(default_factory=utc_now)


@dataclass(frozen=True, slots=True)
class ContractCompatibilityReport:
    """What changed from one version of a contract to another. Every text begins with a path."""

    stage: str
    from_version: str
    to_version: str
    breaking_changes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def is_compatible(self) -> bool:
        """Whether nothing breaks."""
        return not self.breaking_changes

    def summary(self) -> str:
        """The verdict on one line, and a line for every change."""
        changes = [f"  breaking: {text}" for text in self.breaking_changes]
        changes += [f"  warning: {text}" for text in self.warnings]
        verdict = "compatible" if self.is_compatible else "breaking"
        warned = len(self.warnings)
        counts = f"{len(self.breaking_changes)} breaking, {warned} warning{'s' * (warned != 1)}"
        head = f"{self.stage} {self.from_version} -> {self.to_version}: {verdict} ({counts})"
        return "\n".join([head, *changes])


class ContractRegistry:
    """Contracts by stage and version. Versions are never replaced. Safe to use from any thread."""

    def __init__(self) -> None:
        self._contracts: dict[tuple[str, str], ContractMetadata] = {}

    def register(
        self,
        *,
        stage: str,
        version: str,
        model: type[BaseModel],
        description: str | None = None,
    ) -> ContractMetadata:
        """The entry for ``model``: a new one, or the one that it has under this version already.

        Raises:
            StageDefinitionError: the version belongs to another model (``CONTRACT-REGISTERED``),
                or the entry cannot be made; the message says why.
        """
        for name, value in {"stage": stage, "version": version}.items():
            if not isinstance(value, str) or not value.strip():
                raise StageDefinitionError(
                    f"A contract was registered with {name}={value!r}.",
                    hint=f"Give {name}= a non-empty string.",
                )
        schema: Mapping[str, Any] = freeze(json_schema(model))[0]
        made = ContractMetadata(stage, version, model, schema, description)
        known = self._contracts.setdefault((stage, version), made)
        if known is not made and not _is_same_model(known, made):
            raise StageDefinitionError(
                f"Version '{version}' of the contract of stage '{stage}' is "
                f"{_full_name(known.model)}, and cannot become {_full_name(model)}.",
                hint="Register the new model under a version of its own.",
                code="CONTRACT-REGISTERED",
            )
        return known

    def get(self, stage: str, version: str) -> ContractMetadata | None:
        """The entry, or ``None`` where there is none."""
        return self._contracts.get((stage, version))

    def list(self, stage: str | None = None) -> builtins.list[ContractMetadata]:
        """All entries, or those of ``stage``, by stage and version; ``v10`` comes after ``v9``."""
        known = [*self._contracts.values()]
        chosen = [entry for entry in known if stage is None or entry.stage == stage]
        return sorted(chosen, key=lambda entry: (entry.stage, _natural(entry.version)))

    def diff(self, stage: str, from_version: str, to_version: str) -> ContractCompatibilityReport:
        """What readers and data of ``from_version`` meet under ``to_version``.

        Raises:
            StageDefinitionError: there is no such version (``CONTRACT-UNKNOWN``).
        """
        old, new = self._require(stage, from_version), self._require(stage, to_version)
        changes = compare_schemas(old.schema, new.schema)
        return ContractCompatibilityReport(
            stage, from_version, to_version, changes.breaking, changes.warnings
        )

    def _require(self, stage: str, version: str) -> ContractMetadata:
        entry = self.get(stage, version)
        if entry is None:
            known = ", ".join(entry.version for entry in self.list(stage)) or "none"
            raise StageDefinitionError(
                f"Stage '{stage}' has no contract of version '{version}'; registered: {known}.",
                hint="Register it, or name one of these.",
                code="CONTRACT-UNKNOWN",
            )
        return entry


def _is_same_model(known: ContractMetadata, other: ContractMetadata) -> bool:
    """Whether both are one class, or the same class from two loads of its module."""
    if known.model is other.model:
        return True
    return _full_name(known.model) == _full_name(other.model) and known.schema == other.schema


def _full_name(model: type[BaseModel]) -> str:
    return f"{model.__module__}.{model.__qualname__}"


def _natural(version: str) -> builtins.list[tuple[bool, int, str]]:
    """A key that sorts the numbers in a version as numbers, before letters."""
    parts = re.findall(r"[0-9]+|[^0-9]+", version)
    return [(not p.isdigit(), int(p) if p.isdigit() else 0, p) for p in parts]
