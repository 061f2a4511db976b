"""``RunRecord``: one run as the door knows it, from its start to the day it is forgotten."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import aclosing, contextmanager
from typing import Any, NamedTuple
from uuid import UUID

from stageflow_actors.actors.handle import RunHandle
from stageflow_actors.errors import AdmissionRefusedError
from stageflow_actors.model.identity import rfc3339
from stageflow_actors.model.results import RunResult
from stageflow_actors.model.streaming import StreamPiece
from stageflow_actors.serving.desk import RUNNING, Entry, RunKey, Shown
from stageflow_actors.serving.documents import event_document, result_document
from stageflow_actors.serving.pieces import PIECE, piece_parts
from stageflow_actors.serving.settings import ServingSettings
from stageflow_actors.serving.tape import ENDED, Tape, to_json

logger = logging.getLogger("stageflow_actors.serving")


class KeptRun(NamedTuple):
    """A run that ended ``age_s`` seconds ago, as it travels to another process."""

    run_id: UUID
    served_as: str
    tenant: str
    state: str
    document: bytes
    entries: tuple[Entry, ...]
    key: RunKey | None
    age_s: float = 0.0


class RunRecord:
    """A run, whom it belongs to, and what clients may see of it.

    ``waiting`` counts the requests that wait for its end; ``refusal`` is why it was not even begun.
    ``trace_id`` is shown where it is traced.

    Its events and pieces are written to the tape when somebody watches, or when it ends. From then
    on the record holds bytes alone, and lets go of the run.
    """

    __slots__ = (
        "_handle",
        "_is_cancelling",
        "_news",
        "_paces",
        "_prefix",
        "_recording",
        "_settings",
        "_started_at",
        "document",
        "ending",
        "refusal",
        "run_id",
        "served_as",
        "state",
        "tape",
        "tenant",
        "trace_id",
        "waiting",
    )

    def __init__(
        self,
        run_id: UUID,
        served_as: str,
        tenant: str,
        handle: RunHandle | None,
        settings: ServingSettings,
        prefix: str = "",
    ) -> None:
        self.run_id = run_id
        self.served_as = served_as
        self.tenant = tenant
        self.state = RUNNING
        self.document = b""
        self.tape = Tape(settings.max_event_bytes, settings.max_tape_bytes)
        self.ending: asyncio.Task[None] | None = None
        self.waiting = 0
        self.refusal: AdmissionRefusedError | None = None
        self.trace_id: str | None = None
        self._handle = handle
        self._recording: asyncio.Future[Any] | None = None
        self._paces: dict[str, int] = {}
        self._is_cancelling = False
        self._news: asyncio.Event | None = None
        self._settings = settings
        self._prefix = prefix
        self._started_at = time.time()

    @classmethod
    def of(cls, kept: KeptRun, settings: ServingSettings) -> RunRecord:
        """The record of a run that has ended elsewhere."""
        record = cls(kept.run_id, kept.served_as, kept.tenant, None, settings)
        record.state, record.document = kept.state, kept.document
        record.tape = Tape.of(kept.entries, settings)
        return record

    def kept(self, key: RunKey | None, age_s: float) -> KeptRun:
        """As it travels, ``age_s`` after it ended; ``key`` is what stands for it."""
        return KeptRun(
            self.run_id,
            self.served_as,
            self.tenant,
            self.state,
            self.document,
            self.tape.entries,
            key,
            age_s,
        )

    @property
    def is_ended(self) -> bool:
        """Whether there is a result."""
        return self.state != RUNNING

    @property
    def size(self) -> int:
        """Bytes that it holds once it has ended."""
        return len(self.document) + self.tape.size

    def conclude(self, when_ended: Callable[[RunRecord], None]) -> None:
        """Wait for the result in a task of its own, and call ``when_ended`` then."""
        self.ending = asyncio.create_task(self._conclude(when_ended))

    def watch(self) -> None:
        """Write to the tape from now on, as it comes."""
        if self._handle is not None and self._recording is None:
            self._recording = asyncio.gather(
                self._record_events(self._handle), self._record_pieces(self._handle.stream(None))
            )

    async def news(self) -> None:
        """Wait for the next entry, or the end."""
        if self._news is None:
            self._news = asyncio.Event()
        await self._news.wait()

    def pace(self, reader: str, number: int) -> None:
        """Have stages wait where they stream while nobody who says so has read on.

        Of several readers the one that is ahead sets the pace.
        """
        self._paces[reader] = number
        self._tell()

    def leave(self, reader: str) -> None:
        """Take note that ``reader`` is gone, and holds nobody up."""
        if self._paces.pop(reader, None) is not None:
            self._tell()

    def leave_all(self, is_gone: Callable[[str], bool]) -> None:
        """The same for every reader of whom that is so."""
        for reader in [each for each in self._paces if is_gone(each)]:
            self.leave(reader)

    async def cancel(self, reason: str) -> bool:
        """Ask it to stop; ``False`` if it has ended."""
        if self._handle is None:
            return False
        self._is_cancelling = True
        await self._handle.cancel(reason)
        return True

    def shown(self) -> Shown:
        """What clients get."""
        document = self.document or to_json(
            {**self._head(), "cancelling": self._is_cancelling, "result": None}
        )
        return Shown(self.run_id, self.state, document)

    def _head(self) -> dict[str, Any]:
        path = f"{self._prefix}/v1/runs/{self.run_id}"
        traced = {} if self.trace_id is None else {"trace_id": self.trace_id}
        return {
            "run_id": str(self.run_id),
            **traced,
            "pipeline": self.served_as,
            "state": self.state,
            "started_at": rfc3339(self._started_at),
            "links": {"self": path, "events": f"{path}/events"},
        }

    async def _conclude(self, when_ended: Callable[[RunRecord], None]) -> None:
        handle = self._handle
        assert handle is not None, "it has not ended"
        result = await handle.result()
        self._paces.clear()  # what is left is bounded, and needs no reader
        self._tell()
        await self._write_all(handle)
        self._end(result)
        when_ended(self)

    def _end(self, result: RunResult) -> None:
        self.refusal = refusal_of(result)
        self.state, self._started_at = result.status.value, result.started_at
        ended = {"ended_at": rfc3339(result.ended_at), "duration_ms": result.duration_ms}
        told = result_document(result, reveal=self._settings.reveal_failures)
        self.document = to_json({**self._head(), "cancelling": False, **ended, "result": told})
        last: dict[str, Any] = {"run_id": str(self.run_id), "state": self.state}
        if self.tape.dropped:
            last["events_dropped"] = self.tape.dropped
        self.tape.append(ENDED, last)
        self._handle = self._recording = None
        self._tell()

    async def _write_all(self, handle: RunHandle) -> None:
        if self._recording is not None:
            await self._recording
            return
        self._recording = self.ending  # whoever comes to watch now is not to begin again
        await self._record_events(handle)
        await self._record_pieces(handle.stream(None))

    async def _record_events(self, handle: RunHandle) -> None:
        reveal = self._settings.reveal_failures
        with self._as_far_as_it_goes():
            async for event in handle.events():
                if event.type != PIECE:  # the piece itself says more
                    self.tape.append(event.type, event_document(event, reveal=reveal))
                    self._tell()

    async def _record_pieces(self, stream: AsyncGenerator[StreamPiece]) -> None:
        with self._as_far_as_it_goes():
            async with aclosing(stream) as pieces:
                async for piece in pieces:
                    await self._record_piece(piece)

    async def _record_piece(self, piece: StreamPiece) -> None:
        document, blob = piece_parts(piece)
        self.tape.append_piece(PIECE, document, piece.audience, blob)
        self._tell()
        while self._is_far_ahead():
            await self.news()
        await asyncio.sleep(0)  # who waits for a piece gets it before all others have come

    @contextmanager
    def _as_far_as_it_goes(self) -> Iterator[None]:
        """The result is worth more than the events, and they are not worth less for a defect."""
        try:
            yield
        except Exception:
            logger.exception("The events of run %s are not complete.", self.run_id)

    def _is_far_ahead(self) -> bool:
        """Of everybody who sets the pace."""
        if not self._paces:
            return False
        unread = self.tape.bytes_after(max(self._paces.values()))
        return unread > self._settings.stream_window_bytes

    def _tell(self) -> None:
        told, self._news = self._news, None
        if told is not None:
            told.set()


def refusal_of(result: RunResult) -> AdmissionRefusedError | None:
    """Why a run was not even begun, if it was not."""
    for failure in result.failures.values():
        if isinstance(failure.original, AdmissionRefusedError):
            return failure.original
    return None
