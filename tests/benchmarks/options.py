"""Which options this version of the library has: a figure of one that it has not is skipped."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from stageflow_actors.model.policies.placement import Placement
from stageflow_actors.model.settings import Settings
from stageflow_actors.model.stage import StageSpec


def lacking_of_stages(*names: str) -> str | None:
    """Why a stage cannot be declared with these; ``None`` if it can."""
    return _lacking("stages", {each.name for each in fields(StageSpec)}, names)


def lacking_of_placement(*names: str) -> str | None:
    """The same of ``Placement``."""
    return _lacking("Placement", {each.name for each in fields(Placement)}, names)


def settings_with(**wanted: Any) -> Settings:
    """Settings with those limits that there are; without the others."""
    known = {name: value for name, value in wanted.items() if name in Settings.model_fields}
    return Settings(**known)


def _lacking(what: str, known: set[str], wanted: tuple[str, ...]) -> str | None:
    unknown = [name for name in wanted if name not in known]
    return f"no option {', '.join(unknown)} of {what} yet" if unknown else None
