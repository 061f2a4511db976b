"""``RunRecord``: one run as the door knows it, from its start to the day it is forgotten."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

from stageflow_actors.actors.handle import RunHandle
from stageflow_actors.errors import AdmissionRefusedError
from stageflow_actors.model.results import RunResult
from stageflow_actors.serving.documents import event_document, moment, result_document
from stageflow_actors.serving.tape import ENDED, EventTape

logger = logging.getLogger("stageflow_actors.serving")

RUNNING = "running"


class RunRecord:
    """A run, whom it belongs to, and what clients may see of it.

    ``is_awaited`` says that a request waits for its end, ``refusal`` why it was not even begun.

    Its events are written to the tape when somebody watches, or when it ends. From then on the
    record holds bytes alone, and lets go of the run.
    """

    __slots__ = (
        "_following",
        "_handle",
        "_is_cancelling",
        "_news",
        "_reveal",
        "_started_at",
        "document",
        "ending",
        "is_awaited",
        "pipeline",
        "refusal",
        "run_id",
        "state",
        "tape",
        "tenant",
    )

    def __init__(
        self, pipeline: str, tenant: str, handle: RunHandle, *, max_event_bytes: int, reveal: bool
    ) -> None:
        self.run_id: UUID = handle.run_id
        self.pipeline = pipeline
        self.tenant = tenant
        self.state = RUNNING
        self.document = b""
        self.tape = EventTape(max_event_bytes)
        self.ending: asyncio.Task[RunResult] | None = None
        self.is_awaited = False
        self.refusal: AdmissionRefusedError | None = None
        self._handle: RunHandle | None = handle
        self._following: asyncio.Task[None] | None = None
        self._is_cancelling = False
        self._news = asyncio.Event()
        self._reveal = reveal
        self._started_at = time.time()

    @property
    def is_ended(self) -> bool:
        """Whether there is a result."""
        return self.state != RUNNING

    @property
    def size(self) -> int:
        """Bytes that it holds once it has ended."""
        return len(self.document) + self.tape.bytes

    def conclude(self, when_ended: Callable[[RunRecord], None]) -> None:
        """Wait for the result in a task of its own, and call ``when_ended`` then."""
        self.ending = asyncio.create_task(self._conclude(when_ended))

    def watch(self) -> None:
        """Write events to the tape from now on, as they come."""
        if self._handle is not None and self._following is None:
            self._following = asyncio.create_task(self._follow(self._handle))

    def news(self) -> Awaitable[Any]:
        """Waits for the next event, or the end. To be had before one looks."""
        return self._news.wait()

    async def cancel(self, reason: str) -> bool:
        """Ask it to stop; ``False`` if it has ended."""
        if self._handle is None:
            return False
        self._is_cancelling = True
        await self._handle.cancel(reason)
        return True

    def shown(self) -> bytes:
        """The document that clients get, as JSON."""
        if self.document:
            return self.document
        return _to_json({**self._head(), "cancelling": self._is_cancelling, "result": None})

    def _head(self) -> dict[str, Any]:
        path = f"/v1/runs/{self.run_id}"
        return {
            "run_id": str(self.run_id),
            "pipeline": self.pipeline,
            "state": self.state,
            "started_at": moment(self._started_at),
            "links": {"self": path, "events": f"{path}/events"},
        }

    async def _conclude(self, when_ended: Callable[[RunRecord], None]) -> RunResult:
        handle = self._handle
        assert handle is not None, "it has not ended"
        result = await handle.result()
        if self._following is None:
            self._following = asyncio.create_task(self._follow(handle))
        try:
            await self._following
        except Exception:  # the result is worth more than the events
            logger.exception("The events of run %s are not complete.", self.run_id)
        self.refusal = refusal_of(result)
        self.state, self._started_at = result.status.value, result.started_at
        ended = {"ended_at": moment(result.ended_at), "duration_ms": result.duration_ms}
        told = result_document(result, reveal=self._reveal)
        self.document = _to_json({**self._head(), "cancelling": False, **ended, "result": told})
        self.tape.append(ENDED, {"run_id": str(self.run_id), "state": self.state})
        self._handle = self._following = None
        self._tell()
        when_ended(self)
        return result

    async def _follow(self, handle: RunHandle) -> None:
        async for event in handle.events():
            self.tape.append(event.type, event_document(event, reveal=self._reveal))
            self._tell()

    def _tell(self) -> None:
        told, self._news = self._news, asyncio.Event()
        told.set()


def refusal_of(result: RunResult) -> AdmissionRefusedError | None:
    """Why a run was not even begun, if it was not."""
    for failure in result.failures.values():
        if isinstance(failure.original, AdmissionRefusedError):
            return failure.original
    return None


def _to_json(document: dict[str, Any]) -> bytes:
    return json.dumps(document, ensure_ascii=True, allow_nan=False).encode("ascii")
