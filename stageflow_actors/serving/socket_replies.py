"""What the service says over a WebSocket: text as ``str``, binary messages as ``bytes``. Pure."""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID

from starlette.types import Scope

from stageflow_actors.serving.desk import Entry
from stageflow_actors.serving.faults import ProblemError
from stageflow_actors.serving.problems import problem_document
from stageflow_actors.serving.socket_frames import Frame, pack

PING = '{"type":"ping"}'
PONG = '{"type":"pong"}'


def accepted(ref: str, run_id: UUID | str) -> str:
    """The run is there, and its entries follow."""
    return _told(type="accepted", ref=ref, run_id=str(run_id))


def input_credit(ref: str, size: int) -> str:
    """So many bytes of input more may be sent."""
    return _told(type="input_credit", ref=ref, bytes=size)


def entry(ref: str, given: Entry) -> str | bytes:
    """An entry of the run: with bytes in it a binary message, else text."""
    kind = "event" if given.blob is None else "piece"
    head = _told(type=kind, ref=ref, number=given.number, event=given.type)
    made = f'{head[:-1]},"data":{given.document.decode()}}}'
    return made if given.blob is None else pack(Frame(made.encode(), given.blob))


def ended(ref: str, document: bytes) -> str:
    """The run has ended, as its document says."""
    return f'{_told(type="ended", ref=ref)[:-1]},"run":{document.decode()}}}'


def left(ref: str) -> str:
    """Nothing more comes of that run."""
    return _told(type="left", ref=ref)


def error(
    problem: ProblemError, scope: Scope, ref: str | None = None, *, is_closed: bool = False
) -> str:
    """Something was refused. With ``is_closed`` there is no run of that name on the socket now.

    ``scope`` is that of the socket.
    """
    document = problem_document(problem, scope)
    if problem.retry_after_s is not None:
        document["retry_after_s"] = problem.retry_after_s
    about = {} if ref is None else {"ref": ref, "is_closed": is_closed}
    return _told(type="error", **about, problem=document)


def size_of(message: str | bytes) -> int:
    """How many bytes of credit it takes. Text is ASCII here."""
    return len(message)


def _told(**parts: Any) -> str:
    return json.dumps(parts, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
