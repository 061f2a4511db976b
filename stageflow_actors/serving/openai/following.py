"""``Following``: a run that is started for a request, and what it streams to the user."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import suppress
from typing import Any
from uuid import UUID, uuid4

from stageflow_actors.model.streaming import Audience
from stageflow_actors.serving.desk import BATCH_BYTES, Desk, Reading, RunOrder, Shown
from stageflow_actors.serving.faults import Fault, ProblemError
from stageflow_actors.serving.openai.outcomes import Outcome
from stageflow_actors.serving.pieces import PIECE

_EVERYBODY = frozenset(Audience)
"""Read are those for others, too: holes are found by counting."""


class Following:
    """Reads the run as fast as the client does, so that its stages wait for a slow one.

    Leaving early cancels the run, if ``cancels``.
    """

    def __init__(self, desk: Desk, order: RunOrder, *, wait_s: float, cancels: bool) -> None:
        self._desk = desk
        self._reader = uuid4().hex
        self._order = order._replace(reader=self._reader)
        self._wait_s = wait_s
        self._cancels = cancels
        self._tenant = order.caller.tenant
        self._seq = 0
        self._has_gap = False
        self._has_given = False
        self.run_id: UUID | None = None

    async def start(self) -> UUID:
        """Start the run.

        Raises:
            ProblemError: it cannot be started.
        """
        starting = asyncio.ensure_future(self._desk.run(self._order, 0.0))
        try:
            shown = await asyncio.shield(starting)
        except asyncio.CancelledError:  # the client has gone; the run is on its way all the same
            await self._give_up(starting)
            raise
        self.run_id = shown.run_id
        return shown.run_id

    async def pieces(self) -> AsyncGenerator[Any, None]:
        """What stages stream to the user: texts, JSON data, bytes. ``None``: still nothing,
        after ``wait_s``.

        A stage may stream more than is held before anybody reads. Then none is given: an answer
        with a hole is none, and the output has it as a whole.

        Raises:
            ProblemError: the run is not kept any more; there is a hole after a piece was given.
        """
        after, run_id, is_over = 0, str(self.run_id), False
        clock = asyncio.get_running_loop().time
        given_at = clock()
        try:
            while not is_over:
                wait_s = max(0.0, given_at + self._wait_s - clock())
                found = await self._desk.read(self._reading(run_id, after, wait_s))
                if found is None:
                    raise ProblemError(Fault.RUN_UNKNOWN, run_id=self.run_id)
                after, is_over = found.after, found.is_over
                is_silent = not is_over and clock() - given_at >= self._wait_s
                for entry in found.entries:
                    document = json.loads(entry.document) if entry.type == PIECE else None
                    if document is None or not self._is_next(document["piece"], entry.audience):
                        continue
                    self._has_given, is_silent = True, False
                    yield document.get("data") if entry.blob is None else entry.blob
                    given_at = clock()
                if is_silent:
                    yield None
                    given_at = clock()
        finally:
            if not is_over and self._cancels:
                await self._cancel(run_id)
            await self._desk.leave(run_id, self._reader)

    async def outcome(self) -> Outcome:
        """How it ended, once there are no more pieces.

        Raises:
            ProblemError: it is not kept any more.
        """
        shown: Shown | None = await self._desk.look(str(self.run_id), self._tenant)
        if shown is None or not shown.is_ended:
            raise ProblemError(Fault.RUN_UNKNOWN, run_id=self.run_id)
        return Outcome(shown)

    async def _give_up(self, starting: asyncio.Future[Shown]) -> None:
        if self._cancels:
            with suppress(ProblemError):  # it cannot be started
                await self._cancel(str((await starting).run_id))

    async def _cancel(self, run_id: str) -> None:
        with suppress(ProblemError):  # it has ended meanwhile
            await self._desk.cancel(run_id, self._tenant)

    def _is_next(self, seq: int, audience: Audience | None) -> bool:
        """Whether that piece is for the user, and nothing is missing before it."""
        self._has_gap |= seq != self._seq + 1
        self._seq = seq
        if self._has_gap and self._has_given:
            detail = "Parts of the answer were lost."
            raise ProblemError(Fault.CURSOR_GONE, detail, run_id=self.run_id)
        return audience is Audience.USER and not self._has_gap

    def _reading(self, run_id: str, after: int, wait_s: float) -> Reading:
        reader = self._reader
        return Reading(run_id, self._tenant, after, _EVERYBODY, BATCH_BYTES, wait_s, reader)
