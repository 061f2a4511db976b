"""``Order``: one execution that a run asks of a stage, and the receipts of those that never ran."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import NamedTuple

from stageflow_actors.actors.codec import Payload
from stageflow_actors.actors.failures import Failure, failure_of, failure_to_wire
from stageflow_actors.actors.messages import Assignment, Envelope, Execution, Receipt
from stageflow_actors.engine.facts import FailureHint
from stageflow_actors.errors import StageDownError


class Order(NamedTuple):
    """``deliver`` is called once, with the receipt; ``begun`` when it no longer has to wait.

    ``size`` is about how many bytes travel to the stage.
    """

    run: str
    stage: int
    view: Payload
    started_ms: int
    assignment: Assignment
    size: int
    is_background: bool
    deliver: Callable[[Receipt], None]
    begun: Callable[[], None]

    @property
    def execution(self) -> Execution:
        """What tells it from all others of its deployment."""
        return self.run, self.stage, self.assignment.attempt

    def envelope(self) -> Envelope:
        """The message to a process of the stage."""
        return Envelope(self.run, self.stage, self.view, self.started_ms, self.assignment)


def revoked(reason: str) -> Receipt:
    """The receipt of an order that was taken back before it began."""
    now = time.time()
    return Receipt.interrupted(reason, now, now)


def not_set_up(failure: Failure) -> Receipt:
    """The receipt of an order for which no process could be set up: it was not executed."""
    now = time.time()
    return Receipt.failed(failure, now, now, hint=FailureHint(counts=True))


def stage_down(stage: str, why: str) -> Receipt:
    """The receipt of an order for a stage whose process is not replaced."""
    now = time.time()
    error = StageDownError(
        f"Stage '{stage}' was not executed: {why}.",
        hint="Open the deployment anew, or declare the stage with restart='permanent'.",
    )
    failure = failure_to_wire(failure_of(error))
    return Receipt.failed(failure, now, now, hint=FailureHint(counts=True))
