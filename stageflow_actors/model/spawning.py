"""What a stage says of a child run that it wants: which pipeline, from which inputs, how."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol
from uuid import UUID

if TYPE_CHECKING:
    from stageflow_actors.model.stage_context import StageContext
    from stageflow_actors.model.subpipeline import SubpipelineResult

ChildInput = str | Mapping[str, Any] | None
"""What the first stages of a child read: a text, or a mapping of names to data."""
Inherit = bool | Collection[str]
"""Which of the parent's data a child gets: all, none, or these keys."""


class ChildWish(NamedTuple):
    """One child run as ``ctx.spawn`` was asked for it."""

    pipeline: str
    inputs: ChildInput = None
    timeout: float | None = None
    correlation_id: UUID | None = None
    execution_mode: str | None = None
    inherit_data: Inherit = False


class Spawner(Protocol):
    """Who starts the child runs of one execution of a stage."""

    async def spawn(self, parent: StageContext, wish: ChildWish) -> SubpipelineResult:
        """Start one child run and wait for its end."""
