"""``StageKiller``: kills the processes of a deployment while it works."""

from __future__ import annotations

import asyncio
import os
import signal
import time
import uuid
from pathlib import Path
from random import Random
from types import TracebackType
from typing import Any, Protocol, Self

from stageflow_actors.testing.chaos.faults import Sigkill
from stageflow_actors.testing.chaos.given import check_number
from stageflow_actors.testing.chaos.ledger import FaultLedger, FaultRecord

_DEATH_LIMIT_S = 30.0
"""Until a killed process has to be gone: the kernel may be busy taking back its memory."""


class Described(Protocol):
    """What is asked for its processes: an open deployment."""

    async def describe(self) -> dict[str, Any]:
        """``stages``: a list with the ``name`` and the ``pid`` of each."""


class StageKiller:
    """Kills a random stage process now and then: ``async with StageKiller(app) as killer: ...``.

    ``app`` is an open deployment on Ray whose stages are on this machine; this needs Linux. Between
    two kills it waits for ``every_s``: at least, at most, in seconds. ``seed`` decides how long,
    and whom it picks of those alive. ``kills`` has those it killed, with the time, and so has the
    ledger; at the end each of them is gone. This process and the supervisor it leaves alone.

    Raises:
        ValueError: ``every_s`` is no pair of seconds; or, on entering, ``app`` has no process that
            may be killed.
        RuntimeError: on leaving: a process outlived its kill.
    """

    def __init__(
        self,
        app: Described,
        *,
        every_s: tuple[float, float] = (0.1, 0.5),
        seed: int = 0,
        ledger: FaultLedger | None = None,
    ) -> None:
        _check_interval(every_s)
        self.kills: list[FaultRecord] = []
        self._app = app
        self._every_s = every_s
        self._random = Random(seed)  # noqa: S311 - no secret, and the same again
        self._ledger = ledger
        self._source = uuid.uuid4().hex
        self._killing: asyncio.Task[None] | None = None
        self._deaths: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Self:
        if not await self._victims():
            raise ValueError(
                "No stage of this deployment has a process that may be killed: "
                "deploy it with RayRuntime, on this machine."
            )
        self._killing = asyncio.create_task(self._kill_now_and_then())
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        assert self._killing is not None, "it was entered"
        self._killing.cancel()
        ends = await asyncio.gather(self._killing, *self._deaths, return_exceptions=True)
        for own in ends:
            if isinstance(own, BaseException) and not isinstance(own, asyncio.CancelledError):
                if error is None:
                    raise own
                error.add_note(f"StageKiller, too, met {own!r}")

    async def _kill_now_and_then(self) -> None:
        while True:
            await asyncio.sleep(self._random.uniform(*self._every_s))
            victims = await self._victims()
            if victims:
                self._kill(*self._random.choice(victims))

    async def _victims(self) -> list[tuple[str, int]]:
        """Name and process of each stage that lives here and has not been killed."""
        described = await self._app.describe()
        spared = {None, os.getpid(), described.get("supervisor_pid")}
        spared.update(kill.pid for kill in self.kills)
        processes = [(stage["name"], stage["pid"]) for stage in described["stages"]]
        return [(name, pid) for name, pid in processes if pid not in spared and _is_ray_worker(pid)]

    def _kill(self, stage: str, pid: int) -> None:
        try:
            process = os.pidfd_open(pid)  # this very process, whoever gets its number next
        except ProcessLookupError:
            return  # it died by itself
        if not _is_ray_worker(pid):
            os.close(process)
            return
        try:
            signal.pidfd_send_signal(process, signal.SIGKILL)
        except ProcessLookupError:
            os.close(process)
            return
        kill = FaultRecord(Sigkill.__name__, stage, None, None, pid, time.time(), self._source)
        self.kills.append(kill)
        self._deaths.append(asyncio.create_task(_gone(process, kill)))
        if self._ledger is not None:
            self._ledger.write(kill)


async def _gone(process: int, kill: FaultRecord) -> None:
    """Return when a process has ended; close its descriptor."""
    loop, ended = asyncio.get_running_loop(), asyncio.Event()
    loop.add_reader(process, ended.set)
    try:
        async with asyncio.timeout(_DEATH_LIMIT_S):
            await ended.wait()
    except TimeoutError:
        raise RuntimeError(
            f"Process {kill.pid} of stage '{kill.stage}' outlived its kill by {_DEATH_LIMIT_S} s."
        ) from None
    finally:
        loop.remove_reader(process)
        os.close(process)


def _is_ray_worker(pid: int) -> bool:
    """Whether this machine has a process of Ray's with that number: it may be another's number."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().startswith(b"ray::")
    except (FileNotFoundError, ProcessLookupError):
        return False


def _check_interval(every_s: object) -> None:
    if not isinstance(every_s, (tuple, list)) or len(every_s) != 2:
        raise ValueError(f"every_s is {every_s!r:.80}: give seconds at least and at most.")
    least, most = every_s
    check_number("every_s[0]", least)
    check_number("every_s[1]", most, least=least)
