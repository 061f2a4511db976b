"""How a run is asked for in another process."""

from __future__ import annotations

from collections.abc import Mapping

from stageflow_actors.actors.messages import RunRequest, StageKey
from stageflow_actors.actors.sealing import seal_view, view_to_payload
from stageflow_actors.model.pipeline_context import PipelineContext
from stageflow_actors.model.priority import RunPriority


def request_of(run: str, context: PipelineContext, keys: Mapping[int, StageKey]) -> RunRequest:
    """What ``context`` starts with, as the request for a run of that name.

    Raises:
        InvalidRunInputError: a part of it cannot be pickled, contains itself or is too deep.
    """
    return RunRequest(
        run=run,
        view=view_to_payload(seal_view(context.view)),
        started_ms=context.timer.pipeline_start_ms,
        cancelled=None,
        limit_s=context.limit_s,
        keys=keys,
        has_hooks=False,
        is_background=context.priority is RunPriority.BACKGROUND,
        tenant=str(context.org_id or ""),
    )
