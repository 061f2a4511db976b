"""Protocols of the replaceable parts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol, runtime_checkable

from stageflow_actors.model.plan import Plan
from stageflow_actors.model.stage import StageSpec


@runtime_checkable
class EventSink(Protocol):
    """Where events go.

    The runtime awaits ``emit`` for one event after the other, on an event loop and thread of its
    own: a slow or raising sink costs no run anything. Open clients that are bound to a loop on the
    first ``emit``, not before.
    """

    async def emit(self, *, type: str, data: Mapping[str, Any] | None) -> None:
        """Store or forward one event; may wait."""

    def try_emit(self, *, type: str, data: Mapping[str, Any] | None) -> bool | None:
        """The same without waiting, for callers outside the runtime; ``False``: it was dropped."""


@runtime_checkable
class SelectiveEventSink(EventSink, Protocol):
    """A sink that can say beforehand what it would discard; nothing is prepared for it then."""

    def accepts(self, type: str) -> bool:
        """Whether events of this type are of any use to it now."""


class Deployable(Protocol):
    """A validated pipeline: its plan, and the user code of each stage in the plan's order."""

    @property
    def plan(self) -> Plan:
        """The shape, as plain data."""

    @property
    def specs(self) -> tuple[StageSpec, ...]:
        """The stages with their runners."""
