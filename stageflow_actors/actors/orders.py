"""``Order``: one execution that a run asks of a stage, and the receipts of those that never ran."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import NamedTuple

from stageflow_actors.actors.codec import Payload
from stageflow_actors.actors.failures import Failure, failure_of, failure_to_wire
from stageflow_actors.actors.messages import Execution, Receipt
from stageflow_actors.actors.outlets import Outlets
from stageflow_actors.actors.wire import Wire
from stageflow_actors.engine.facts import FailureHint
from stageflow_actors.errors import StageDownError


class Order(NamedTuple):
    """``deliver`` is called once, with the receipt; ``begun`` when it no longer has to wait.

    ``message`` is what travels to the stage, about ``size`` bytes; ``has_far``: references to big
    outputs are in it. Of an ``Assignment`` are ``is_alone`` and ``is_begun``.
    """

    execution: Execution
    message: Wire
    size: int
    has_far: bool
    deliver: Callable[[Receipt], None]
    begun: Callable[[], None]
    outlets: Outlets | None = None
    is_background: bool = False
    is_alone: bool = False
    is_begun: bool = False

    def stream_out(self, audience: str, data: Wire) -> None:
        """Pass on what it streams out."""
        if self.outlets is not None:
            self.outlets.send(self.execution, audience, Payload(*data))

    @property
    def run(self) -> str:
        """The run that it belongs to."""
        return self.execution[0]

    @property
    def stage(self) -> int:
        """The stage that it is for."""
        return self.execution[1]


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
