"""``MetricsWriter``: the metrics of runs, made of their stories.

By the process that holds the run: an attempt whose process was killed is counted like any other.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Hashable, Sequence
from functools import lru_cache
from typing import Any

from stageflow_actors.model.events import RUN_REFUSED
from stageflow_actors.providers import semconv
from stageflow_actors.story.parts import Attempt, Note, Outcome, ProviderCall
from stageflow_actors.story.story import RunStory
from stageflow_actors.telemetry.cardinality import Values
from stageflow_actors.telemetry.error_types import error_type_of_attempt, error_type_of_run
from stageflow_actors.telemetry.instruments import Instrument, Instruments
from stageflow_actors.telemetry.measured import Measured
from stageflow_actors.telemetry.recorder import Add, Recorder

logger = logging.getLogger("stageflow_actors.telemetry")

_LOST = "lost"
"""The status of a child whose end nobody told."""
_LOSSES = frozenset({"StageLostError", "PoisonedInputError", "SupervisorLostError"})
"""What an attempt fails with that ended with its process, or with that of its run."""
_MOST = 2**63
"""What is larger no exporter can encode, and no call of a provider has used."""
_USAGE = (
    (semconv.GEN_AI_USAGE_INPUT_TOKENS, "input"),
    (semconv.GEN_AI_USAGE_OUTPUT_TOKENS, "output"),
)
_REMEMBERED = 4_096
"""Series that are not looked up again."""


class MetricsWriter:
    """Records with all ``recorders``; whatever they raise is logged once, and costs nobody else."""

    def __init__(self, recorders: Sequence[Recorder], measured: Measured) -> None:
        self._recorders = recorders
        self._measured = measured
        self._has_warned = False
        self._adder: Callable[..., Add] = lru_cache(_REMEMBERED)(_adder)

    def record(self, instrument: Instrument, value: float, *values: str | None) -> None:
        """Add ``value`` to a counter or a histogram."""
        for recorder in self._recorders:
            try:
                self._adder(recorder, instrument, values)(value)
            except Exception as error:
                self._warn_once(error)

    def show(
        self, instrument: Instrument, value: float | None, values: Values, source: Hashable
    ) -> None:
        """What ``source`` has a gauge say from now on; ``None``: nothing any more."""
        for recorder in self._recorders:
            try:
                recorder.show(instrument, value, values, source)
            except Exception as error:
                self._warn_once(error)

    def attempt_closed(self, story: RunStory, attempt: Attempt) -> None:
        """Of an attempt: its times, how it ended, and the calls that it made."""
        pipeline, stage = story.pipeline, attempt.stage
        if not self._measured.of(pipeline).stages:
            return
        if not attempt.number:
            self.record(Instruments.PASSED_BY, 1, pipeline, stage)
            return
        outcome = attempt.outcome.value
        error_type = error_type_of_attempt(attempt)
        self.record(Instruments.ATTEMPTS, 1, pipeline, stage, outcome, error_type)
        if attempt.began_at is not None:
            self.record(Instruments.QUEUE_DURATION, attempt.waited_s, pipeline, stage)
        if attempt.ended_at is not None:
            self.record(Instruments.ATTEMPT_DURATION, attempt.worked_s, pipeline, stage, outcome)
        if attempt.outcome is Outcome.RETRIED:
            self.record(Instruments.RETRIES, 1, pipeline, stage)
        if error_type in _LOSSES:
            self.record(Instruments.LOSSES, 1, pipeline, stage)
        for call in attempt.calls:
            self._call(pipeline, stage, call)

    def run_ended(self, story: RunStory) -> None:
        """Of a run: how long it took, how it ended, and the runs that its stages started."""
        pipeline, status = story.pipeline, story.status
        error_type = error_type_of_run(story)
        self.record(Instruments.RUNS, 1, pipeline, status, error_type)
        if story.created_at is not None and story.ended_at is not None:
            took_s = max(0.0, story.ended_at - story.created_at)
            self.record(Instruments.RUN_DURATION, took_s, pipeline, status, error_type)
        if story.children and self._measured.of(pipeline).children:
            for child in story.children.values():
                ended = child.status or _LOST
                self.record(Instruments.CHILD_RUNS, 1, pipeline, child.stage, child.pipeline, ended)

    def noted(self, story: RunStory, note: Note) -> None:
        """Of a run that was refused."""
        if note.type == RUN_REFUSED:
            self.record(Instruments.REFUSED, 1, story.pipeline)

    def _call(self, pipeline: str, stage: str, call: ProviderCall) -> None:
        told = call.attributes
        operation = _name(told.get(semconv.GEN_AI_OPERATION_NAME))
        provider = _name(told.get(semconv.GEN_AI_PROVIDER_NAME))
        model = _name(told.get(semconv.GEN_AI_REQUEST_MODEL))
        latency_ms = _amount(told.get(semconv.STAGEFLOW_PROVIDER_LATENCY_MS))
        if latency_ms is not None:
            error_type = _name(told.get(semconv.ERROR_TYPE))
            took_s = latency_ms / 1000
            self.record(Instruments.CALL_DURATION, took_s, operation, provider, model, error_type)
        first_s = _amount(told.get(semconv.GEN_AI_RESPONSE_TIME_TO_FIRST_CHUNK))
        if first_s is not None:
            self.record(Instruments.FIRST_CHUNK, first_s, operation, provider, model)
        for attribute, kind in _USAGE:
            tokens = _amount(told.get(attribute))
            if tokens is not None:
                self.record(Instruments.TOKEN_USAGE, tokens, operation, provider, model, kind)
                self.record(Instruments.TOKENS, tokens, pipeline, stage, provider, model, kind)
        cost = _amount(told.get(semconv.STAGEFLOW_PROVIDER_COST_AMOUNT))
        if cost:
            currency = _name(told.get(semconv.STAGEFLOW_PROVIDER_COST_CURRENCY))
            self.record(Instruments.COST, cost, pipeline, stage, provider, model, currency)

    def _warn_once(self, error: Exception) -> None:
        if not self._has_warned:
            self._has_warned = True
            logger.warning("Metrics could not be recorded; runs go on.", exc_info=error)


def _adder(recorder: Recorder, instrument: Instrument, values: Values) -> Add:
    return recorder.adder(instrument, values)


def _name(value: Any) -> str | None:
    """As records have it, whoever made this one."""
    return value if value is None or type(value) is str else str(value)


def _amount(value: Any) -> float | None:
    """What was counted or measured, if it is that."""
    if type(value) not in (int, float) or not 0 <= value < _MOST:
        return None
    return value  # type: ignore[no-any-return]
