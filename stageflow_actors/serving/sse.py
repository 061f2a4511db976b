"""Entries of a run as server-sent events, and the ids that clients come back with."""

from __future__ import annotations

import base64
import json
import re

from stageflow_actors.serving.desk import Entry
from stageflow_actors.serving.faults import Fault, ProblemError

CLOSED = "stream.closed"
"""The type of the last frame of a stream that ends before its run does."""
HEARTBEAT = b": still here\n\n"

_CURSOR = r"[0-9]{1,10}"
_NO_SIGN = r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]"


def frame(entry: Entry) -> bytes:
    """One server-sent event; its id is the number of the entry."""
    name = re.sub(_NO_SIGN, " ", entry.type).encode()
    data = with_blob(entry)
    return b"id: %d\nevent: %b\ndata: %b\n\n" % (entry.number, name, data)


def with_blob(entry: Entry) -> bytes:
    """The document of the entry; its bytes, if it has any, stand in ``base64``."""
    if entry.blob is None:
        return entry.document
    told = base64.b64encode(entry.blob)
    return b'%b,"base64":"%b"}' % (entry.document[:-1], told)


def closing_frame(number: int) -> bytes:
    """Says that the stream closes, and how to go on. It has no id: nothing was skipped."""
    data = json.dumps({"cursor": str(number)})
    return f"event: {CLOSED}\ndata: {data}\n\n".encode("ascii")


def number_after(last_event_id: str | None) -> int:
    """Which entry a client had last.

    Raises:
        ProblemError: it is no id that is given out here.
    """
    if not last_event_id:
        return 0
    if not re.fullmatch(_CURSOR, last_event_id):
        raise ProblemError(Fault.CURSOR, "Last-Event-ID is no id of an event of this run.")
    return int(last_event_id)
