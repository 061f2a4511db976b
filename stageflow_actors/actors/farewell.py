"""``Farewell``: waits until a process that was ended is gone. Others end with their owner."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable

from stageflow_actors.actors.lost_calls import is_alive

_LOOK_S = 0.001
_MOST_S = 1.0
"""How often to look, and for how long at most."""


class Farewell:
    """Of one process. Only on this machine can its end be seen; a second is waited for at most."""

    __slots__ = ("_acts", "_until")

    def __init__(self) -> None:
        self._acts: list[Callable[[], None]] = []
        self._until: float | None = None

    def when_gone(self, pid: int | None, act: Callable[[], None]) -> None:
        """Call ``act`` once the process is gone."""
        if self._until is None:
            self._until = asyncio.get_running_loop().time() + _MOST_S
        self._acts.append(act)
        if len(self._acts) == 1:
            self._look(pid)

    def _look(self, pid: int | None) -> None:
        loop = asyncio.get_running_loop()
        is_late = self._until is not None and loop.time() > self._until
        if is_late or not is_alive(pid):
            acts, self._acts = self._acts, []
            for act in acts:
                act()
        else:
            loop.call_later(_LOOK_S, self._look, pid)


def end_with(pid: int) -> None:
    """End this process as soon as the process ``pid`` of this machine has ended: from now on, while
    this event loop runs, and where the system can tell.
    """
    try:
        followed = os.pidfd_open(pid)
    except ProcessLookupError:
        os._exit(1)
    except (AttributeError, OSError):  # another system, on which Ray alone sees to it
        return
    asyncio.get_running_loop().add_reader(followed, os._exit, 1)


async def go_with(pid: int) -> None:
    """End this process at once, if the process ``pid`` of this machine ends within a second.

    Whatever is at work here stops, wherever it is: nobody is left to hear of it.
    """
    for _look in range(round(_MOST_S / _LOOK_S)):
        if not is_alive(pid):
            os._exit(1)
        await asyncio.sleep(_LOOK_S)
