"""``Ties``: what an execution can do beside its work."""

from __future__ import annotations

from typing import NamedTuple

from stageflow_actors.model.spawning import Spawner
from stageflow_actors.model.streaming import OpenStream


class Ties(NamedTuple):
    """Who starts its child runs, and what it streams out through; ``None`` where it cannot."""

    spawner: Spawner | None = None
    open_stream: OpenStream | None = None


NO_TIES = Ties()
