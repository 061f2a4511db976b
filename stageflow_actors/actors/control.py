"""Control calls of an actor: answered however many runs it works on.

Ray gives every concurrency group of an async actor a thread and an event loop of its own. What an
actor works on lives on the loop of the default group; control calls hand their work over to it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

import ray

CONTROL = "control"
"""Short calls: cancel, interrupt, describe, stop."""
EVENTS = "events"
"""Long ones, that wait for news of a run."""
CHILDREN = "children"
"""Those that wait for the end of a child run, while the run that waits for it is a call, too."""
_MAX_CONTROL_CALLS = 1_000

Result = TypeVar("Result")


def actor_class(cls: type, max_pending_calls: int) -> Any:
    """``cls`` as a Ray actor that is never restarted, and whose control calls never wait for work.

    Ray restarts and retries nothing here: it would hide a death, and might run a call twice without
    saying so.
    """
    options: dict[str, Any] = {
        "num_cpus": 0,
        "max_restarts": 0,
        "max_task_retries": 0,
        "max_concurrency": max_pending_calls,
        "enable_task_events": False,
        "concurrency_groups": {
            CONTROL: _MAX_CONTROL_CALLS,
            EVENTS: max_pending_calls,
            CHILDREN: max_pending_calls,
        },
    }
    return ray.remote(**options)(cls)


class WorkLoop:
    """The event loop on which an actor works, for calls that come in on another one."""

    __slots__ = ("_loop",)

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        """The loop that it works on, once there is one."""
        assert self._loop is not None, "it has been adopted"
        return self._loop

    def adopt(self) -> None:
        """Work on the loop of the caller from now on."""
        self._loop = asyncio.get_running_loop()

    async def run(self, work: Coroutine[Any, Any, Result]) -> Result:
        """Have ``work`` done there; its result here.

        An actor that was never given work, because it is closed while it starts, has nothing there.
        """
        if self._loop is None:
            return await work
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work, self._loop))
