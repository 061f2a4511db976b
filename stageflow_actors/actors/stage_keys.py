"""What the stages of a run are idempotent for, told by the run's data before it is submitted."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from stageflow_actors.actors.idempotency import scope_key
from stageflow_actors.actors.messages import StageKey
from stageflow_actors.errors import InvalidRunInputError
from stageflow_actors.model.pipeline_context import PipelineContext
from stageflow_actors.model.plan import Plan


def stage_keys(plan: Plan, context: PipelineContext) -> dict[int, StageKey]:
    """The keys of those stages, by index, for which the run has one.

    Raises:
        InvalidRunInputError: a key is no text, or its parameters are no JSON.
    """
    data = context.data
    if not data:
        return {}
    keys: dict[int, StageKey] = {}
    for index, stage in enumerate(plan.stages):
        policy = stage.idempotency
        if policy is None or data.get(policy.key) is None:
            continue
        key = data[policy.key]
        if not isinstance(key, str) or not key:
            raise InvalidRunInputError(
                f"The run cannot use data[{policy.key!r}]={key!r:.80} as an idempotency key.",
                hint="Give a non-empty string, or leave it out.",
            )
        scope = scope_key(str(context.org_id or ""), plan.name, stage.name, key)
        params = _digest(data.get(policy.params), policy.params)
        keys[index] = StageKey(key, scope, params, policy.ttl_s)
    return keys


def _digest(params: Any, name: str) -> str:
    try:
        text = json.dumps(params, sort_keys=True, ensure_ascii=True)
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidRunInputError(
            f"The run cannot use data[{name!r}] to compare requests: {error}.",
            hint="Give plain JSON data: what makes two requests with one key the same.",
        ) from error
    return hashlib.sha256(text.encode("ascii")).hexdigest()
