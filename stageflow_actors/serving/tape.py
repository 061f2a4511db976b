"""``EventTape``: the events of one run as server-sent events, and the cursors into them.

Every reader has a position of its own: how many frames it has had. That number is also the id of
the last of them, so a client that comes back with ``Last-Event-ID`` goes on where it was.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from stageflow_actors.serving.faults import Fault, ProblemError

ENDED = "run.ended"
"""The type of the last frame of every run."""
CLOSED = "stream.closed"
"""The type of the last frame where the client did not read."""
HEARTBEAT = b": still here\n\n"

_CURSOR = r"[0-9]{1,10}"
_NO_SIGN = r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]"


class EventTape:
    """Frames in the order of their events; the id of each is its place, from 1 without gaps."""

    __slots__ = ("_ends", "_frames", "_max_frame_bytes", "cut")

    def __init__(self, max_frame_bytes: int) -> None:
        self._frames: list[bytes] = []
        self._max_frame_bytes = max_frame_bytes
        self._ends = [0]
        self.cut = 0

    def __len__(self) -> int:
        return len(self._frames)

    def __getitem__(self, position: int) -> bytes:
        """The frame that comes after so many others."""
        return self._frames[position]

    @property
    def bytes(self) -> int:
        """Of all frames together."""
        return self._ends[-1]

    def bytes_after(self, position: int) -> int:
        """Of those that come after so many others."""
        return self._ends[-1] - self._ends[position]

    def append(self, type_: str, document: Mapping[str, Any]) -> None:
        """Add an event. One that is too large loses its ``data``, and has ``truncated`` instead."""
        number = len(self._frames) + 1
        made = frame(number, type_, document)
        if len(made) > self._max_frame_bytes and "data" in document:
            rest = {key: value for key, value in document.items() if key != "data"}
            made = frame(number, type_[:200], {**rest, "truncated": True})
            self.cut += 1
        self._frames.append(made)
        self._ends.append(self._ends[-1] + len(made))


def frame(number: int, type_: str, document: Mapping[str, Any]) -> bytes:
    """One server-sent event; ``document`` has only what JSON has."""
    data = json.dumps(document, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    name = re.sub(_NO_SIGN, " ", type_)
    return f"id: {number}\nevent: {name}\ndata: {data}\n\n".encode()


def closing_frame(position: int) -> bytes:
    """Says that the stream closes, and how to go on. It has no id: nothing was skipped."""
    data = json.dumps({"cursor": str(position)})
    return f"event: {CLOSED}\ndata: {data}\n\n".encode("ascii")


def position_after(last_event_id: str | None, known: int) -> int:
    """Where a client goes on that had the frame ``last_event_id``; so many are known so far.

    Raises:
        ProblemError: it is no id that this run has given out.
    """
    if not last_event_id:
        return 0
    if not re.fullmatch(_CURSOR, last_event_id) or int(last_event_id) > known:
        raise ProblemError(Fault.CURSOR, "Last-Event-ID is no id of an event of this run.")
    return int(last_event_id)
