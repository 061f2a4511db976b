"""What the process of a supervisor does before its first run."""

from __future__ import annotations

from stageflow_actors.actors.collecting import collect_less
from stageflow_actors.telemetry.log_environment import begin_logs


def begin_supervising() -> None:
    """Log as the environment asks for, and look for garbage less often."""
    begin_logs()
    collect_less()
