"""What a stage has to tell of calls of providers: what it recorded, and what is in its output."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator, Mapping
from typing import Any

from stageflow_actors.model.events import PROVIDER_CALL
from stageflow_actors.model.output import StageOutput
from stageflow_actors.model.stage_context import ProviderRecord, StageContext
from stageflow_actors.providers.semconv import GEN_AI_OPERATION_NAME, GEN_AI_PROVIDER_NAME

logger = logging.getLogger("stageflow_actors.providers")

_RECORDS = "stageflow_actors.providers.response"
_PLAIN = frozenset({str, int, float, bool, bytes, type(None)})
_MOST_LISTED = 1_000
"""Items of one list that are looked at."""


def tell_calls(returned: Any, ctx: StageContext) -> None:
    """Have the records in what a body returned told, too, each once; log all.

    They are looked for among the values of its data, and in lists of these.
    """
    data = returned.data if type(returned) is StageOutput else returned
    is_plain = type(data) is dict and _PLAIN.issuperset(map(type, data.values()))
    if not is_plain and _RECORDS in sys.modules:  # else this process has made none
        told = set(ctx.calls)
        for record in _records_in(data, sys.modules[_RECORDS].ProviderResponse):
            if id(record) not in told:
                told.add(id(record))
                ctx.record_call(record)
    if ctx.calls and logger.isEnabledFor(logging.INFO):
        for record in ctx.calls.values():
            _log(record, ctx)


def _records_in(data: Any, kind: type) -> Iterator[Any]:
    if not isinstance(data, Mapping):
        return
    for value in data.values():
        if isinstance(value, kind):
            yield value
        elif isinstance(value, (list, tuple)):
            yield from (each for each in value[:_MOST_LISTED] if isinstance(each, kind))


def _log(record: ProviderRecord, ctx: StageContext) -> None:
    try:
        told = record.to_otel_attributes()
        called = told.get(GEN_AI_OPERATION_NAME), told.get(GEN_AI_PROVIDER_NAME)
        ids = {"event": PROVIDER_CALL, "stage": ctx.stage_name, "attempt": ctx.attempt}
        ids |= {"pipeline": ctx.topology, "pipeline_run_id": str(ctx.pipeline_run_id)}
        logger.info("Stage '%s' called %s of %s.", ctx.stage_name, *called, extra={**told, **ids})
    except Exception:  # of a record that somebody else has made
        logger.debug("A call of stage '%s' cannot be logged.", ctx.stage_name, exc_info=True)
