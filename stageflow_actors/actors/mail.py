"""``Mail``: how a ``Channel`` reaches an actor: directly on the same machine, else by Ray."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

import ray
from ray.exceptions import RayError

from stageflow_actors.actors.direct_door import DirectAddress
from stageflow_actors.actors.direct_line import DirectLine
from stageflow_actors.actors.parcels import Parcel
from stageflow_actors.model.settings import Settings

_MOST_BYTES = 2**20
"""Larger parcels go by Ray, which has them shared, not copied."""


def _ignore() -> None:
    """Ray says what has happened, a little later."""


class Mail:
    """Sends parcels to the method ``exchange`` of an actor, as ``caller``; on one event loop.

    ``remote`` is that method as Ray calls it; ``broken`` is called when a direct line broke.
    """

    __slots__ = ("_broken", "_caller", "_finding", "_is_direct", "_line", "_remote")

    def __init__(
        self,
        remote: Callable[[Any, Parcel], Any],
        caller: Any,
        settings: Settings,
        broken: Callable[[], None] = _ignore,
    ) -> None:
        self._broken = broken
        self._is_direct = settings.direct_calls
        self._remote = remote
        self._caller = caller
        self._line: DirectLine | None = None
        self._finding: asyncio.Task[None] | None = None

    def send(self, parcel: Parcel) -> Any:
        """The call: one of a direct line, or a reference of Ray's."""
        line = self._line
        if (
            line is not None
            and line.is_open
            and type(parcel) is bytes
            and len(parcel) <= _MOST_BYTES
        ):
            return line.call(parcel)
        return self._remote(self._caller, parcel)

    def send_by_ray(self, parcel: Parcel) -> Any:
        """The call by Ray, in any case."""
        return self._remote(self._caller, parcel)

    def look_for(self, find: Callable[[], Awaitable[DirectAddress | None]]) -> None:
        """Connect directly once ``find`` has told where; until then, and if not, Ray calls."""
        if self._is_direct:
            self._finding = asyncio.ensure_future(self._find(find))

    async def _find(self, find: Callable[[], Awaitable[DirectAddress | None]]) -> None:
        with suppress(RayError, OSError):
            address = await find()
            if address is not None and address.node == ray.get_runtime_context().get_node_id():
                self._line = await DirectLine.connect(address, self._caller, self._broken)

    def close(self) -> None:
        """Hang up."""
        if self._finding is not None and not self._finding.get_loop().is_closed():
            self._finding.cancel()
        if self._line is not None:
            self._line.close()
