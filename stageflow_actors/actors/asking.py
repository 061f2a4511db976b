"""``ask``: a call to an actor that is made again where its request or reply was lost."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from stageflow_actors.actors.ray_errors import FaultKind, fault_of

ASK_AGAIN_S = 0.01
"""How long to wait before the first repetition; for each one more, as long again."""


async def ask(call: Callable[[], Any], most: int, first: Any = None) -> Any:
    """What ``call()`` comes to; it is made up to ``most`` times more where nobody answers.

    Only for what does no harm when it is done twice. ``first`` is a call under way already.

    Raises:
        RayError: the call failed otherwise, or too often.
    """
    reply = call() if first is None else first
    for tries in range(1, most + 1):
        try:
            return await asyncio.wrap_future(reply.future())
        except Exception as error:
            if fault_of(error).kind is not FaultKind.UNANSWERED:
                raise
        await asyncio.sleep(tries * ASK_AGAIN_S)
        reply = call()
    return await asyncio.wrap_future(reply.future())
