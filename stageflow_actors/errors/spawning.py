"""Why a stage cannot start a child run."""

from __future__ import annotations

from stageflow_actors.errors.root import StageflowError


class UnknownPipelineError(StageflowError, KeyError):
    """A name was asked for under which the runtime knows no pipeline."""

    default_code = "SPAWN-UNKNOWN"


class SpawnRefusedError(StageflowError, RuntimeError):
    """A child run was asked for in an execution that may not start one any more."""

    default_code = "SPAWN-REFUSED"


class MaxDepthExceededError(StageflowError, RuntimeError):
    """A child run was asked for too many levels below the first one."""

    default_code = "SPAWN-DEPTH"

    def __init__(self, current_depth: int, max_depth: int, parent_run_id: str) -> None:
        super().__init__(
            f"Run {parent_run_id} is at depth {current_depth} and may not start a child: "
            f"the limit is {max_depth}.",
            hint="End the recursion earlier, or raise Settings.max_spawn_depth.",
        )
        self.current_depth = current_depth
        self.max_depth = max_depth
        self.parent_run_id = parent_run_id
