"""``RunView``: what every stage of a run is given, the same for all of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple
from uuid import UUID

from stageflow_actors.model.ancestry import Ancestry
from stageflow_actors.model.core_ports import CorePorts
from stageflow_actors.model.frozen import FrozenDict
from stageflow_actors.model.snapshot import ContextSnapshot
from stageflow_actors.model.trace import TraceContext

_NO_DATA = FrozenDict()


class RunView(NamedTuple):
    """The snapshot, the run's data, the id that joins it to other work, its ports; if a stage
    started it, the effect key of that, and where it comes from; whether others go first; and its
    span, where it is traced.
    """

    snapshot: ContextSnapshot
    data: Mapping[str, Any] = _NO_DATA
    correlation_id: UUID | None = None
    ports: CorePorts | None = None
    started_by: str = ""
    ancestry: Ancestry | None = None
    is_background: bool = False
    trace: TraceContext | None = None
