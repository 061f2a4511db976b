"""``Declaration``: what a declared class or function carries, also to the process that runs it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from stageflow_actors.model.kind import StageKind

if TYPE_CHECKING:
    from stageflow_actors.model.declaration import StageOptions


class Declaration(NamedTuple):
    """What ``@stage`` noted on a class or function."""

    name: str | None
    kind: StageKind | None
    options: StageOptions
