"""``ExecutionConfig``: what a failure does to the rest of its run."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from stageflow_actors.errors import PolicyError
from stageflow_actors.model.frozen import FrozenDict


class ExecutionMode(StrEnum):
    """What a failed stage does to the rest of its run, and who hears of it when."""

    FAIL_FAST_BLOCKING = "fail_fast_blocking"
    """It stops the run; ``run`` waits for the end and raises."""
    FAIL_FAST_ASYNC = "fail_fast_async"
    """It stops the run; ``run`` returns the handle at once, and does not raise."""
    CONTINUE_ON_ERROR = "continue_on_error"
    """The rest goes on; what required the failed stage is skipped."""
    CONTINUE_WITH_CALLBACK = "continue_callback"
    """The same, and ``on_stage_error`` hears of it while the run goes on."""

    @property
    def is_tolerant(self) -> bool:
        """Whether the run goes on after the failure."""
        return self in (ExecutionMode.CONTINUE_ON_ERROR, ExecutionMode.CONTINUE_WITH_CALLBACK)


OnStageError = Callable[[str, BaseException], Awaitable[None] | None]
"""Called with the name of a failed stage and its exception; ``async`` or not."""


@dataclass(frozen=True, slots=True)
class ExecutionConfig:
    """The failure mode of a pipeline, and of those of its stages that differ from it.

    ``on_stage_error`` is called for every stage that failed for good, in the process and on the
    event loop that started the run; what it raises is logged. It may outlast the stage, and
    ``result()`` waits for it.

    Raises:
        PolicyError: a part cannot be used, or a callback mode has no callback.
    """

    mode: ExecutionMode = ExecutionMode.FAIL_FAST_BLOCKING
    on_stage_error: OnStageError | None = None
    error_policy: Mapping[str, ExecutionMode] = field(default_factory=dict)

    def __post_init__(self) -> None:
        is_mapping = isinstance(self.error_policy, Mapping)
        if not is_mapping or not all(isinstance(stage, str) for stage in self.error_policy):
            raise PolicyError(
                f"ExecutionConfig has error_policy={self.error_policy!r:.80}.",
                hint="Give a mapping from the name of a stage to its ExecutionMode.",
            )
        object.__setattr__(self, "mode", _to_mode(self.mode))
        policy = {stage: _to_mode(mode) for stage, mode in self.error_policy.items()}
        object.__setattr__(self, "error_policy", FrozenDict(policy))
        if self.on_stage_error is not None and not callable(self.on_stage_error):
            raise PolicyError(
                f"ExecutionConfig has on_stage_error={self.on_stage_error!r:.80}.",
                hint="Give a function of the stage's name and its exception.",
            )
        modes = (self.mode, *policy.values())
        if self.on_stage_error is None and ExecutionMode.CONTINUE_WITH_CALLBACK in modes:
            raise PolicyError(
                "ExecutionConfig has a mode with a callback, and no callback.",
                hint="Give on_stage_error=, or use ExecutionMode.CONTINUE_ON_ERROR.",
            )

    def mode_of(self, stage: str) -> ExecutionMode:
        """The mode of ``stage``."""
        return self.error_policy.get(stage, self.mode)


def _to_mode(mode: object) -> ExecutionMode:
    try:
        return ExecutionMode(mode)  # type: ignore[arg-type] # anything may have been given
    except ValueError as unknown:
        raise PolicyError(
            f"There is no execution mode {mode!r:.80}.",
            hint=f"Known modes: {', '.join(ExecutionMode)}.",
        ) from unknown
