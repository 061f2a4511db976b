"""Which execution of a stage a log record belongs to: its run, stage, attempt and trace.

Known to everything that the stage calls, loggers of other libraries too, and to its ``asyncio``
tasks and ``asyncio.to_thread``: to whatever runs in a copy of its context. A thread that it starts
in another way knows nothing of it.
"""

from __future__ import annotations

import logging
import sys
from contextlib import suppress
from contextvars import ContextVar
from typing import ClassVar

from stageflow_actors.model.snapshot import ContextSnapshot
from stageflow_actors.model.stage_context import StageContext
from stageflow_actors.model.trace import TraceContext

EXECUTION_IDS = ("pipeline", "pipeline_run_id", "stage", "attempt", "trace_id", "span_id")
"""The attributes that every record has, once a ``StageLogFilter`` has seen it."""

ENRICHED = "_stageflow_enriched"
"""An attribute of a record that has been seen: other handlers must not take its ids for extras."""

_NO_TRACE = 0


class _Current:
    """The execution that this code belongs to; each context has its own."""

    execution: ClassVar[
        ContextVar[tuple[ContextSnapshot, str, int, TraceContext | None] | None]
    ] = ContextVar("stageflow_execution", default=None)


def entered(ctx: StageContext) -> StageContext:
    """``ctx``, whose execution everything belongs to from now on that is called from here."""
    # Not the context itself: a task that the stage has left behind would keep its inputs alive.
    _Current.execution.set((ctx.snapshot, ctx.stage_name, ctx.attempt, ctx.trace))
    return ctx


def current_trace() -> TraceContext | None:
    """The span of the attempt that this code belongs to; of its caller, where it has none."""
    current = _Current.execution.get()
    return None if current is None else current[3]


class StageLogFilter(logging.Filter):
    """Adds to each record which execution it was made in; lets everything pass.

    ``pipeline``, ``pipeline_run_id``, ``stage``, ``attempt`` (a number), ``trace_id`` and
    ``span_id``, in hexadecimal; ``None`` where there is none. What was given as ``extra`` under one
    of these names by a stage becomes ``extra.<name>``; outside of stages it stays as it is.
    Belongs to handlers, where it sees the records of all loggers. Where records travel through a
    queue it belongs to the handler that puts them there: behind it nobody knows any more.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        enrich(record)
        return True


def enrich(record: logging.LogRecord) -> None:
    """What ``StageLogFilter`` does."""
    known = record.__dict__
    if ENRICHED in known:
        return
    known[ENRICHED] = True
    current = _Current.execution.get()
    if current is None:
        for name in EXECUTION_IDS:
            known.setdefault(name, None)
        return
    snapshot, stage, attempt, _trace = current
    trace_id, span_id = _span_ids()
    told = (snapshot.topology, str(snapshot.pipeline_run_id), stage, attempt, trace_id, span_id)
    for name, value in zip(EXECUTION_IDS, told, strict=True):
        given = known.setdefault(name, value)
        if type(given) is not type(value) or given != value:  # who it was is not for it to say
            known[f"extra.{name}"], known[name] = given, value


def _span_ids() -> tuple[str | None, str | None]:
    """Those of the attempt; or of the span that the stage has opened below it."""
    trace = current_trace()
    if trace is None:
        return None, None
    api = sys.modules.get("opentelemetry.trace")
    if api is not None:
        with suppress(Exception):  # a span of somebody's own; who logs is not to hear of it
            current = api.get_current_span().get_span_context()
            if current.trace_id != _NO_TRACE and f"{current.trace_id:032x}" == trace.trace_id:
                return trace.trace_id, f"{current.span_id:016x}"
    return trace.trace_id, trace.span_id
