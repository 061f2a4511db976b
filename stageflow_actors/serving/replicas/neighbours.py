"""``Neighbours``: the keepers of the other versions, as one replica knows them."""

from __future__ import annotations

import asyncio
import time

from stageflow_actors.model.settings import Settings
from stageflow_actors.serving.replicas.keeper_line import KeeperLine
from stageflow_actors.serving.replicas.places import KNOWN_S, Place, keepers_beside


class Neighbours:
    """What is known is at most ``KNOWN_S`` old, and never older than the last loss: what a keeper
    had that is gone is at another one.

    ``losses`` counts how often one was missed; where it changed while somebody searched, what was
    not found may have been on its way from one to another.
    """

    def __init__(self, here: Place, settings: Settings) -> None:
        self._here = here
        self._settings = settings
        self._lines: dict[Place, KeeperLine] = {}
        self._looked_at = float("-inf")
        self._lost_at = float("-inf")
        self._looking: asyncio.Task[None] | None = None
        self.losses = 0

    @property
    def known(self) -> list[KeeperLine]:
        """Those that were there when somebody looked last."""
        return [line for line in self._lines.values() if not line.is_lost]

    def miss(self) -> None:
        """Take note that a keeper is gone, of whatever version."""
        self.losses += 1
        self._lost_at = time.monotonic()

    async def lines(self) -> list[KeeperLine]:
        """Those that are there. Whoever asks meanwhile waits for the same look."""
        wanted_at = max(time.monotonic() - KNOWN_S, self._lost_at)
        while self._looked_at < wanted_at:
            if self._looking is None or self._looking.done():
                self._looking = asyncio.create_task(self._look())
            await asyncio.shield(self._looking)
        return self.known

    async def meet(self) -> None:
        """Have those that are there tell when they were started. Later ones are younger."""
        for line in await self.lines():
            await line.meet()

    async def _look(self) -> None:
        began = time.monotonic()
        found = await asyncio.to_thread(keepers_beside, self._here)
        for place in self._lines.keys() - found.keys():
            self._lines.pop(place).lose()
            self.miss()
        for place, keeper in found.items():
            known = self._lines.get(place)
            if known is None or known.is_lost:
                line = KeeperLine(keeper, place, self._settings)
                if known is not None:  # it may be the same keeper, or one that was started since
                    await line.meet()
                self._lines[place] = line
        self._looked_at = began
