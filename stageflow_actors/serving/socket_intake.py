"""``Intake``: the input of a run as it comes in over a WebSocket, within bounds. Pure."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from stageflow_actors.serving.bodies import RunBody, check_data_keys, run_body_from
from stageflow_actors.serving.desk import RunKey
from stageflow_actors.serving.faults import Fault, ProblemError
from stageflow_actors.serving.headers import fingerprint_of
from stageflow_actors.serving.settings import ServingSettings
from stageflow_actors.serving.socket_messages import Start

WINDOW_BYTES = 256 * 2**10
"""The most input that a client may send before it gets more credit."""


class Intake:
    """What ``start`` asks for, and the input that follows it.

    A message counts with all its bytes. There is credit for ``WINDOW_BYTES`` at a time, and for
    ``max_body_bytes`` in all, that of ``start`` included.

    Raises:
        ProblemError: ``start`` has no body of a run.
    """

    def __init__(self, start: Start, size: int, settings: ServingSettings) -> None:
        body = run_body_from(start.body)
        self.start = start
        self.size = size
        self._max_values = settings.max_json_values
        self._max_bytes = settings.max_body_bytes
        self._data: dict[str, Any] = dict(body.data)
        self._values = values_in(body.data)
        self._blobs: dict[str, bytearray] = {}
        self._credit = 0

    def grant(self) -> int:
        """How much more the client may send from now on, if it is time to say so; else 0."""
        window = min(WINDOW_BYTES, self._max_bytes - self.size)
        if self._credit > window // 2:
            return 0
        granted = window - self._credit
        self._credit = window
        return granted

    def add(self, data: Mapping[str, Any], size: int) -> None:
        """Data out of a message of ``size`` bytes. What is there under a key is replaced.

        Raises:
            ProblemError: it is too much, or has keys that it may not have.
        """
        self._spend(size)
        check_data_keys(data)
        if not self._blobs.keys().isdisjoint(data):
            raise ProblemError(Fault.INPUT, "data has a key that has bytes already.")
        self._values += values_in(data)
        if self._values > self._max_values:
            raise ProblemError(Fault.JSON, f"It has more than {self._max_values} values.")
        self._data.update(data)

    def append(self, key: str, part: bytes, size: int) -> None:
        """Bytes out of a message of ``size`` bytes, after those that there are under ``key``.

        Raises:
            ProblemError: they are too many, or there is something else under ``key``.
        """
        self._spend(size)
        check_data_keys((key,))
        if key in self._data:
            raise ProblemError(Fault.INPUT, "data has something else under the key of the bytes.")
        self._blobs.setdefault(key, bytearray()).extend(part)

    def body(self) -> RunBody:
        """The body of the run; bytes stand in its data as they are.

        Raises:
            ProblemError: it is not of this form.
        """
        data = {**self._data, **{key: bytes(blob) for key, blob in self._blobs.items()}}
        return run_body_from({**self.start.body, "data": data})

    def key(self) -> RunKey | None:
        """The key of the request, which stands for all of its input."""
        if self.start.key is None:
            return None
        told = {
            "body": {**self.start.body, "data": self._data},
            "bytes": {
                key: hashlib.sha256(blob).hexdigest() for key, blob in sorted(self._blobs.items())
            },
        }
        content = json.dumps(told, ensure_ascii=True, sort_keys=True).encode("ascii")
        return RunKey(self.start.key, fingerprint_of(self.start.pipeline, content))

    def _spend(self, size: int) -> None:
        self.size += size
        self._credit -= size
        if self.size > self._max_bytes:
            raise ProblemError(Fault.BODY_SIZE, f"A body may have {self._max_bytes} bytes.")
        if self._credit < 0:
            raise ProblemError(Fault.CREDIT)


def values_in(value: Any) -> int:
    """How many values and keys there are in what was read from JSON."""
    count, pending = 0, [value]
    while pending:
        each = pending.pop()
        count += 1
        if isinstance(each, dict):
            count += len(each)
            pending += each.values()
        elif isinstance(each, list):
            pending += each
    return count
