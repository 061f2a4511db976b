"""What is killed to see how soon it is replaced. It loads little: each successor has to load it."""

from __future__ import annotations

import asyncio
import os
from typing import Any

from stageflow_actors import StageContext, StageKind


class Work:
    """A stage of ours that may be repeated."""

    kind = StageKind.WORK

    async def execute(self, ctx: StageContext) -> dict[str, Any]:
        await asyncio.sleep(0.002)
        return {}


class RestartedByRay:
    """An actor that Ray starts again when it has died."""

    async def pid(self) -> int:
        return os.getpid()
