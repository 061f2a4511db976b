"""What the process of a supervisor does before its first run."""

from __future__ import annotations

from stageflow_actors.actors.collecting import collect_less
from stageflow_actors.actors.farewell import end_with
from stageflow_actors.telemetry.log_environment import begin_logs


def begin_supervising(owner: int | None) -> None:
    """Log as the environment asks for, look for garbage less often, end with the process ``owner``.

    Ray, too, ends what a dead owner has left, but waits for seconds where it has work to do.
    """
    if owner is not None:
        end_with(owner)
    begin_logs()
    collect_less()
