"""What an execution of a stage is in: its ids for log records, its span, a guard's feedback."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from stageflow_actors.actors.messages import Rejection
from stageflow_actors.actors.sealing import open_output
from stageflow_actors.interceptors.observers import TracingInterceptor
from stageflow_actors.model.output import StageOutput
from stageflow_actors.model.stage_context import StageContext
from stageflow_actors.telemetry.log_context import entered

if TYPE_CHECKING:
    from stageflow_actors.model.policies.guard import GuardFeedback

Enter = Callable[[StageContext], StageContext]
"""Makes them those of the running task, whose context ends with the execution."""


def entry_of(interceptors: Iterable[object]) -> Enter:
    """The one for a stage with these."""
    tracing = [each for each in interceptors if isinstance(each, TracingInterceptor)]
    if not tracing:
        return entered
    make_current = tracing[0].make_current

    def enter(ctx: StageContext) -> StageContext:
        make_current(ctx)
        return entered(ctx)

    return enter


def feedback_of(rejection: Rejection) -> GuardFeedback:
    """As the stage gets it: in the guard's own words, where those of a receipt are redacted."""
    from stageflow_actors.model.policies.guard import GuardFeedback

    output = StageOutput.ok() if rejection.output is None else open_output(rejection.output)
    said = output.reason or rejection.reason
    return GuardFeedback(rejection.guard, rejection.attempt, said, output.data)
