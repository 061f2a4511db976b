"""``Gauges``: what goes on in a deployment, asked from time to time while somebody measures."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from stageflow_actors.actors.feed import Feed
from stageflow_actors.model.plan import Plan
from stageflow_actors.telemetry.measured import Measures

if TYPE_CHECKING:
    from stageflow_actors.actors.gauge_readings import GaugeReadings

logger = logging.getLogger("stageflow_actors")

_PATIENCE_S = 5.0
"""How long a look may take; what comes later is not shown."""
_LAST_LOOK_S = 1.0


class Sight(NamedTuple):
    """One pipeline of a deployment, and what it says of itself. ``place`` is none for the top, and
    for a child the names of the child pipelines that lead to it.
    """

    place: tuple[str, ...]
    plan: Plan
    measures: Measures
    described: Mapping[str, Any]


Look = Callable[[], Awaitable[Sequence[Sight]]]
"""Asks for what there is to see of a deployment now."""


class Gauges:
    """Of one deployment. Nothing is done, and no task there, unless somebody wants metrics.

    They are read on the event loop that the deployment was last used on, beside its runs. A
    look that fails, as the supervisor is lost, shows nothing; the next one may.
    """

    def __init__(self, name: str, feed: Feed, look: Look) -> None:
        self._name = name
        self._metering = feed.metering
        self._look = look
        self._interval_s = feed.gauges_interval_s
        self._reading: asyncio.Task[None] | None = None
        self._readings: GaugeReadings | None = None

    def follow(self) -> None:
        """Read them from now on, while this event loop runs."""
        if not self._metering.is_on:
            return
        here, reading = asyncio.get_running_loop(), self._reading
        if reading is None or reading.done() or reading.get_loop() is not here:
            self._stop()
            self._reading = here.create_task(self._read_on(), name="stageflow-gauges")

    async def close(self) -> None:
        """The deployment closes: look for what has died since, then show nothing any more."""
        if self._reading is not None:
            self._stop()
            await self._read(_LAST_LOOK_S)
            self._hide()

    def _stop(self) -> None:
        reading, self._reading = self._reading, None
        if reading is not None:
            with contextlib.suppress(RuntimeError):  # its event loop is closed
                reading.get_loop().call_soon_threadsafe(reading.cancel)

    async def _read_on(self) -> None:
        try:
            while self._metering.is_on:
                await self._read(_PATIENCE_S)
                await asyncio.sleep(self._interval_s)
        finally:  # an event loop that ends cancels it
            self._hide()

    async def _read(self, limit_s: float) -> None:
        writer = self._metering.writer()
        if writer is None:
            return
        from stageflow_actors.actors.gauge_readings import GaugeReadings

        readings = self._readings = self._readings or GaugeReadings()
        try:
            async with asyncio.timeout(limit_s):
                sights = await self._look()
            readings.show(writer, sights)
        except Exception as error:  # its supervisor is lost, or busy
            logger.debug("Pipeline '%s' cannot be measured now: %r", self._name, error)
            readings.hide(writer)

    def _hide(self) -> None:
        writer = self._metering.writer()
        if self._readings is not None and writer is not None:
            self._readings.hide(writer)
