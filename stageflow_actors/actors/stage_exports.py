"""What the stages of a process export by themselves: their own spans, metrics and log records."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from stageflow_actors.telemetry.configured import Configured

_PREFIX = "OTEL_"


def begin_exports() -> Configured | None:
    """Make the providers that the environment of this process asks for.

    Where no variable speaks of OpenTelemetry, nothing is imported: a process that takes the place
    of a dead one has to be there soon.
    """
    if not any(name.startswith(_PREFIX) for name in os.environ):
        return None
    from stageflow_actors.telemetry.environment import configure_from_environment

    return configure_from_environment("stage")


async def end_exports(configured: Configured | None) -> None:
    """Export what there is: the process may be ended at any moment from now on."""
    if configured is not None and configured.is_any:
        await asyncio.to_thread(configured.shutdown)
