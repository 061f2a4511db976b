"""Every metric there is: its name, unit and labels, the same wherever it is recorded."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum, auto

from stageflow_actors.providers import semconv

SCOPE = "stageflow_actors"
"""Whose they are, as exporters tell it."""

PIPELINE = "stageflow.pipeline.name"
STAGE = "stageflow.stage.name"
OUTCOME = "stageflow.attempt.outcome"
STATUS = "stageflow.run.status"
CHILD_PIPELINE = "stageflow.child.pipeline.name"
PLACE = "stageflow.events.place"
CURRENCY = semconv.STAGEFLOW_PROVIDER_COST_CURRENCY

KEPT = frozenset({OUTCOME, STATUS, PLACE, CURRENCY, semconv.GEN_AI_TOKEN_TYPE})
"""Labels of few values: they stay where the others have become too many, or sums would mix what
does not go together.
"""

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800)
_RUN_SECONDS = (
    *(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5),
    *(1, 5, 10, 30, 60, 120, 300, 600, 1800, 3600, 7200),
)
_WAIT_SECONDS = (0.001, 0.005, 0.025, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300)
_CALL_SECONDS = tuple(0.01 * 2**power for power in range(14))
_CHUNK_SECONDS = (
    *(0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1),
    *(0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10),
)
_TOKEN_COUNTS = tuple(4**power for power in range(14))

_CALL = (
    semconv.GEN_AI_OPERATION_NAME,
    semconv.GEN_AI_PROVIDER_NAME,
    semconv.GEN_AI_REQUEST_MODEL,
)


class Kind(Enum):
    """What is done with values."""

    COUNTER = auto()
    HISTOGRAM = auto()
    GAUGE = auto()


@dataclass(frozen=True, slots=True, eq=False)
class Instrument:
    """One metric; its values come with one label each for ``labels``, in their order.

    ``boundaries`` are those of a histogram's buckets, in ``unit``.
    """

    kind: Kind
    name: str
    unit: str
    description: str
    labels: tuple[str, ...]
    boundaries: tuple[float, ...] = ()

    def labelled(self, values: Sequence[str | None]) -> dict[str, str]:
        """``values`` by their labels; a label without a value is left out."""
        named = zip(self.labels, values, strict=True)
        return {name: value for name, value in named if value is not None}


class Instruments:
    """The instruments. Names under ``gen_ai`` are those of OpenTelemetry's conventions."""

    RUN_DURATION = Instrument(
        Kind.HISTOGRAM,
        semconv.GEN_AI_INVOKE_WORKFLOW_DURATION,
        "s",
        "How long runs took",
        (semconv.GEN_AI_WORKFLOW_NAME, STATUS, semconv.ERROR_TYPE),
        _RUN_SECONDS,
    )
    RUNS = Instrument(
        Kind.COUNTER,
        "stageflow.runs",
        "{run}",
        "Runs that have ended, by status",
        (PIPELINE, STATUS, semconv.ERROR_TYPE),
    )
    REFUSED = Instrument(
        Kind.COUNTER,
        "stageflow.runs.refused",
        "{run}",
        "Runs that were not even let wait",
        (PIPELINE,),
    )
    UNOBSERVED = Instrument(
        Kind.COUNTER,
        "stageflow.runs.unobserved",
        "{run}",
        "Runs that metrics and traces have only in part, as too many went on",
        (PIPELINE,),
    )
    CHILD_RUNS = Instrument(
        Kind.COUNTER,
        "stageflow.child_runs",
        "{run}",
        "Runs that stages have started, by status",
        (PIPELINE, STAGE, CHILD_PIPELINE, STATUS),
    )
    ATTEMPTS = Instrument(
        Kind.COUNTER,
        "stageflow.stage.attempts",
        "{attempt}",
        "Attempts of stages, by outcome",
        (PIPELINE, STAGE, OUTCOME, semconv.ERROR_TYPE),
    )
    ATTEMPT_DURATION = Instrument(
        Kind.HISTOGRAM,
        "stageflow.stage.attempt.duration",
        "s",
        "How long attempts of stages took in their process",
        (PIPELINE, STAGE, OUTCOME),
        _SECONDS,
    )
    QUEUE_DURATION = Instrument(
        Kind.HISTOGRAM,
        "stageflow.stage.queue.duration",
        "s",
        "How long attempts of stages waited for their process",
        (PIPELINE, STAGE),
        _WAIT_SECONDS,
    )
    PASSED_BY = Instrument(
        Kind.COUNTER,
        "stageflow.stage.passed_by",
        "{stage}",
        "Stages that were skipped without an attempt",
        (PIPELINE, STAGE),
    )
    RETRIES = Instrument(
        Kind.COUNTER,
        "stageflow.stage.retries",
        "{retry}",
        "Failed attempts that were to be followed by another",
        (PIPELINE, STAGE),
    )
    LOSSES = Instrument(
        Kind.COUNTER,
        "stageflow.stage.losses",
        "{attempt}",
        "Attempts that were lost with their process",
        (PIPELINE, STAGE),
    )
    RESTARTS = Instrument(
        Kind.COUNTER,
        "stageflow.stage.restarts",
        "{process}",
        "Processes of stages that have died, and are replaced",
        (PIPELINE, STAGE),
    )
    CALL_DURATION = Instrument(
        Kind.HISTOGRAM,
        semconv.GEN_AI_CLIENT_OPERATION_DURATION,
        "s",
        "How long calls of providers took",
        (*_CALL, semconv.ERROR_TYPE),
        _CALL_SECONDS,
    )
    FIRST_CHUNK = Instrument(
        Kind.HISTOGRAM,
        semconv.GEN_AI_CLIENT_OPERATION_TIME_TO_FIRST_CHUNK,
        "s",
        "How long calls of providers took to the first piece of their answer",
        _CALL,
        _CHUNK_SECONDS,
    )
    TOKEN_USAGE = Instrument(
        Kind.HISTOGRAM,
        semconv.GEN_AI_CLIENT_TOKEN_USAGE,
        "{token}",
        "Tokens that single calls of providers used",
        (*_CALL, semconv.GEN_AI_TOKEN_TYPE),
        _TOKEN_COUNTS,
    )
    TOKENS = Instrument(
        Kind.COUNTER,
        "stageflow.provider.tokens",
        "{token}",
        "Tokens that calls of providers used",
        (PIPELINE, STAGE, *_CALL[1:], semconv.GEN_AI_TOKEN_TYPE),
    )
    COST = Instrument(
        Kind.COUNTER,
        "stageflow.provider.cost",
        "{currency}",
        "What calls of providers cost, by currency",
        (PIPELINE, STAGE, *_CALL[1:], CURRENCY),
    )
    EVENTS_DROPPED = Instrument(
        Kind.COUNTER,
        "stageflow.events.dropped",
        "{event}",
        "Events that were dropped: by a run, a sink's queue or that of telemetry",
        (PLACE,),
    )
    RUNS_IN_FLIGHT = Instrument(
        Kind.GAUGE, "stageflow.runs.in_flight", "{run}", "Runs that go on", (PIPELINE,)
    )
    RUNS_WAITING = Instrument(
        Kind.GAUGE,
        "stageflow.runs.waiting",
        "{run}",
        "Runs that wait for their turn",
        (PIPELINE,),
    )
    REPLICAS = Instrument(
        Kind.GAUGE,
        "stageflow.stage.replicas",
        "{process}",
        "Processes of stages that take work",
        (PIPELINE, STAGE),
    )
    EXECUTING = Instrument(
        Kind.GAUGE,
        "stageflow.stage.executing",
        "{attempt}",
        "Attempts of stages that a process works on",
        (PIPELINE, STAGE),
    )
    WAITING = Instrument(
        Kind.GAUGE,
        "stageflow.stage.waiting",
        "{attempt}",
        "Attempts of stages that wait for a process",
        (PIPELINE, STAGE),
    )
    BREAKER = Instrument(
        Kind.GAUGE,
        "stageflow.breaker.state",
        "{state}",
        "Circuit breakers of stages: 0 closed, 1 half open, 2 open",
        (PIPELINE, STAGE),
    )


def all_instruments() -> Iterator[Instrument]:
    """Every one of them."""
    return (each for each in vars(Instruments).values() if isinstance(each, Instrument))
