"""What kind of error an attempt, or a run, has ended with."""

from __future__ import annotations

from stageflow_actors.story.parts import Attempt, Outcome
from stageflow_actors.story.story import RunStory

_BAD_ENDS = frozenset({"failed", "timed_out"})


def error_type_of_attempt(attempt: Attempt) -> str | None:
    """Its class; ``None`` for an attempt that did its work."""
    outcome = attempt.outcome
    if outcome is Outcome.LOST:
        return "SupervisorLostError"
    if not outcome.is_failure and outcome is not Outcome.REJECTED:
        return None
    return str(attempt.data.get("error_type") or "StageFailedError")


def error_type_of_run(story: RunStory) -> str | None:
    """That of the stage that decided how it ended, where there is one, else its status."""
    if story.status not in _BAD_ENDS:
        return None
    for attempt in reversed(story.attempts):
        if attempt.stage == story.deciding_stage and attempt.data.get("error_type"):
            return str(attempt.data["error_type"])
    return story.status
