"""``Metering``: what a runtime measures, and whom it tells."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from stageflow_actors.telemetry.exporting import Noticed
from stageflow_actors.telemetry.measured import Measured
from stageflow_actors.telemetry.recorder import RECORDERS, Recorder

if TYPE_CHECKING:
    from opentelemetry.metrics import MeterProvider

    from stageflow_actors.telemetry.metrics import MetricsWriter

logger = logging.getLogger("stageflow_actors.telemetry")


class Metering:
    """Off until there is a meter provider, or ``record_also`` was called: nothing is loaded then.

    To be used from any thread.
    """

    def __init__(self, noticed: Noticed) -> None:
        self.measured = Measured()
        self._noticed = noticed
        self._also: Recorder | None = None
        self._writer: tuple[MeterProvider | None, Recorder | None, MetricsWriter | None]
        self._writer = None, None, None

    @property
    def is_on(self) -> bool:
        """Whether anybody wants metrics."""
        return self._also is not None or self._noticed.meters is not None

    def record_also(self, recorder: Recorder) -> None:
        """Tell ``recorder``, too, whether there is a provider or not."""
        self._also = recorder

    def writer(self) -> MetricsWriter | None:
        """Who tells all that want metrics; ``None``: nobody does."""
        provider, also = self._noticed.meters, self._also
        made_for, made_with, writer = self._writer
        if made_for is not provider or made_with is not also:
            writer = self._make(provider, also)
            self._writer = provider, also, writer
        return writer

    def dropped(self, count: int, place: str) -> None:
        """So many events were dropped in ``place``."""
        writer = self.writer() if count else None
        if writer is not None:
            from stageflow_actors.telemetry.instruments import Instruments

            writer.record(Instruments.EVENTS_DROPPED, count, place)

    def unobserved(self, pipeline: str) -> None:
        """A run of ``pipeline`` was given up before its end, as too many went on."""
        writer = self.writer()
        if writer is not None:
            from stageflow_actors.telemetry.instruments import Instruments

            writer.record(Instruments.UNOBSERVED, 1, pipeline)

    def _make(self, provider: MeterProvider | None, also: Recorder | None) -> MetricsWriter | None:
        recorders = [] if also is None else [also]
        if provider is not None:
            try:
                recorders.append(_recorder_of(provider))
            except Exception as error:
                logger.warning("Nothing is measured: %s", error, exc_info=error)
        if not recorders:
            return None
        from stageflow_actors.telemetry.metrics import MetricsWriter

        return MetricsWriter(recorders, self.measured)


def _recorder_of(provider: MeterProvider) -> Recorder:
    from stageflow_actors.telemetry.otel_metrics import OtelRecorder

    return RECORDERS.of(provider, lambda: OtelRecorder(provider))
