"""Streams out of stages: pieces that reach whoever reads the run while the stage goes on."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from typing import Any, NamedTuple, Protocol

from stageflow_actors.errors import StreamError
from stageflow_actors.model.signs import SignsOfLife


class Audience(StrEnum):
    """Whom a piece is for. Who may read which is up to whoever serves them."""

    USER = "user"
    INTERNAL = "internal"
    """For the application's own eyes: reasoning, tool calls, scores."""
    BACKGROUND = "background"
    """For what goes on beside the conversation: logs, progress of long work."""


def to_audience(given: object) -> Audience:
    """The audience that ``given`` is, or is the name of.

    Raises:
        StreamError: there is none.
    """
    try:
        return Audience(given)  # type: ignore[arg-type] # anything may have been given
    except ValueError:
        raise StreamError(
            f"There is no audience {given!r:.80}.",
            hint=f"There are: {', '.join(repr(each.value) for each in Audience)}.",
            code="STREAM-AUDIENCE",
        ) from None


class StreamPiece(NamedTuple):
    """One piece of what the stages of a run have sent.

    ``seq`` counts those of the run from 1, whoever they are for, without gaps unless pieces were
    dropped. ``data`` is what the stage sent, and read-only. ``at`` is seconds since the Unix epoch.
    """

    seq: int
    stage: str
    attempt: int
    audience: Audience
    data: Any
    at: float


class Stream(Protocol):
    """How one execution of a stage sends pieces; ``ctx.stream``."""

    async def send(self, data: Any, audience: Audience | str = Audience.USER) -> None:
        """Send text, JSON data, bytes, an array, or anything that pickles, as it is now.

        Waits while ``Settings.stream_window_bytes`` of this execution are on their way to a reader
        that has not asked for them; where nobody reads, it does not. Pieces of an execution arrive
        in the order in which they were sent.

        Raises:
            StreamError: the piece is too large, cannot be pickled, is for nobody known, or the
                stage has ended.
            StageAbandonedError: the run has given this execution up.
        """

    def send_blocking(self, data: Any, audience: Audience | str = Audience.USER) -> None:
        """``send`` for a plain ``def``, from its thread.

        Raises:
            StageCancellationRequested: the stage was told to stop.
            StreamError, StageAbandonedError: as ``send``; or it was called on the event loop.
        """


OpenStream = Callable[[SignsOfLife | None], Stream]
"""Makes the stream of an execution, when its stage asks for it; each piece is a sign of life."""
