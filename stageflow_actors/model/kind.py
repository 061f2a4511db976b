"""``StageKind``: the label of a stage."""

from __future__ import annotations

from enum import StrEnum


class StageKind(StrEnum):
    """A label for readers, pictures and events. It changes no behaviour."""

    TRANSFORM = "transform"
    ENRICH = "enrich"
    ROUTE = "route"
    GUARD = "guard"
    WORK = "work"
    AGENT = "agent"
