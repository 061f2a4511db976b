"""``PieceInbox``: the pieces of one run that have arrived where it is read."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Iterable
from typing import Any, Protocol

from stageflow_actors.actors.codec import decode
from stageflow_actors.actors.outlets import Piece
from stageflow_actors.errors import StreamError, describe_exception
from stageflow_actors.model.streaming import Audience, StreamPiece, to_audience

_QUARTER = 4
"""Of a window: to tell of every piece that was read would cost as much as the pieces."""


class PieceSource(Protocol):
    """Where the pieces of a run come from."""

    def read(self) -> None:
        """Have them sent, from now on."""

    def read_to(self, seq: int) -> None:
        """Tell that all up to that one were read."""

    def leave(self) -> None:
        """Tell that no more are wanted."""


class PieceInbox:
    """Pieces come with ``put`` until ``close``; one reader takes them.

    The source is told what was read when a quarter of the window was, and before the reader waits.
    """

    __slots__ = (
        "_arrived",
        "_is_closed",
        "_is_left",
        "_is_read",
        "_news",
        "_quarter",
        "_read_bytes",
        "_source",
        "_told",
    )

    def __init__(self, window_bytes: int, source: PieceSource) -> None:
        self._arrived: deque[Piece] = deque()
        self._news = asyncio.Event()
        self._is_closed = self._is_read = self._is_left = False
        self._quarter = window_bytes // _QUARTER
        self._source = source
        self._read_bytes = 0
        self._told = 0

    def put(self, pieces: Iterable[Piece]) -> None:
        """Take the next ones, if anybody may still want them."""
        if self._is_left:
            return
        self._arrived.extend(pieces)
        self._news.set()

    def close(self) -> None:
        """No other will come."""
        self._is_closed = True
        self._news.set()

    @property
    def is_awaited(self) -> bool:
        """Whether others may come, and are wanted."""
        return not (self._is_closed or self._is_left)

    def leave(self) -> None:
        """Nobody wants any more of them; the source is told once."""
        if self.is_awaited:
            self._is_left = True
            self._source.leave()

    def read(self, audience: Audience | str | None) -> AsyncGenerator[StreamPiece]:
        """Those for ``audience``, or all, as they come, to the last.

        Raises:
            StreamError: it is read already, or there is no such audience; while it is read, that a
                piece cannot be opened here.
        """
        whom = None if audience is None else to_audience(audience)
        if self._is_read:
            raise StreamError(
                "The stream of this run is read already.",
                hint="Read it once, and hand the pieces on.",
                code="STREAM-TAKEN",
            )
        self._is_read = True
        if self._is_closed:
            return self._pieces(whom)
        reader = _Reader(self, self._pieces(whom), asyncio.get_running_loop())
        self._source.read()
        return reader

    async def _pieces(self, whom: Audience | None) -> AsyncGenerator[StreamPiece]:
        last = 0
        try:
            while True:
                while self._arrived:
                    piece = self._arrived.popleft()
                    last = piece.seq
                    if whom is None or piece.audience == whom.value:
                        yield _opened(piece)
                    self._count(piece)
                if self._is_closed:
                    return
                self._news.clear()
                self._tell(last)
                await self._news.wait()
        finally:
            self.leave()

    def _count(self, piece: Piece) -> None:
        self._read_bytes += piece.data.size
        if self._read_bytes > self._quarter:
            self._tell(piece.seq)

    def _tell(self, seq: int) -> None:
        if seq > self._told and not self._is_closed:
            self._told, self._read_bytes = seq, 0
            self._source.read_to(seq)


class _Reader(AsyncGenerator[StreamPiece, None]):
    """``pieces``, which are left also by who closes or forgets them before the first one.

    A generator that has not begun knows nothing of its end, and a stage would wait for it.
    """

    __slots__ = ("_inbox", "_loop", "_pieces")

    def __init__(
        self,
        inbox: PieceInbox,
        pieces: AsyncGenerator[StreamPiece],
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        self._inbox = inbox
        self._pieces = pieces
        self._loop = loop

    def __anext__(self) -> Awaitable[StreamPiece]:  # type: ignore[override] # spares a coroutine
        return self._pieces.__anext__()

    async def asend(self, value: None) -> StreamPiece:
        return await self._pieces.asend(value)

    async def athrow(self, *error: Any) -> StreamPiece:
        return await self._pieces.athrow(*error)

    async def aclose(self) -> None:
        await self._pieces.aclose()
        self._inbox.leave()

    def __del__(self) -> None:
        """On any thread."""
        if self._inbox.is_awaited:
            with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
                self._loop.call_soon_threadsafe(self._inbox.leave)


def _opened(piece: Piece) -> StreamPiece:
    audience = Audience(piece.audience)
    try:
        data = decode(piece.data)
    except Exception as error:
        raise StreamError(
            f"Piece {piece.seq} of the stream, from stage '{piece.stage}', cannot be read in this "
            f"process: {type(error).__name__}: {describe_exception(error)}.",
            hint="Its classes must be importable here too, or send plain data.",
        ) from error
    return StreamPiece(piece.seq, piece.stage, piece.attempt, audience, data, piece.at)
