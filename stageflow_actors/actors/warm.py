"""``WarmDeployments``: deployments that stay up between runs, so that only the first one waits."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import pickle
import threading
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from concurrent.futures import Future
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from stageflow_actors.actors.codec import Payload, encode
from stageflow_actors.actors.deployment import Deployment
from stageflow_actors.errors import DeploymentError
from stageflow_actors.ports import Deployable

logger = logging.getLogger("stageflow_actors")

Key = tuple[str, str]
"""Digest of what the pipeline is, digest of its code."""


@dataclass(slots=True)
class _Entry:
    """One deployment. ``opened`` resolves when it is open, for whoever did not open it."""

    deployment: Deployment
    opened: Future[None] = field(default_factory=Future)
    opening: asyncio.Task[None] | None = None
    borrowers: int = 0
    idle_since: float = 0.0
    is_retired: bool = False


class WarmDeployments:
    """Keyed by pipeline and pickled code. Safe to use from any number of threads and event loops.

    The same pipeline with other code is an edit: the former deployment closes as soon as it is
    idle. Of the others, at most ``max_idle`` stay up; the one idle for longest closes first.
    """

    def __init__(self, max_idle: int) -> None:
        self._max_idle = max_idle
        self._entries: dict[Key, _Entry] = {}
        self._newest_code: dict[str, str] = {}
        self._lock = threading.Lock()
        self._closing: set[asyncio.Task[None]] = set()

    @asynccontextmanager
    async def borrow(
        self,
        pipeline: Deployable,
        code: Sequence[Payload],
        registered: int,
        create: Callable[[], Deployment],
    ) -> AsyncGenerator[Deployment]:
        """An open deployment, created where there is none; it stays up for the next borrower.

        ``registered`` counts the pipelines that its stages may spawn: they only ever become more.
        """
        key = _key_of(pipeline, code, registered)
        entry = self._take(key, create)
        try:
            await asyncio.shield(asyncio.wrap_future(entry.opened))
            yield entry.deployment
        finally:
            await _close_all(self._give_back(key, entry))

    async def close(self) -> None:
        """Close every deployment; one that is borrowed as soon as it is given back."""
        with self._lock:
            entries, self._entries = self._entries, {}
            idle = [entry.deployment for entry in entries.values() if not entry.borrowers]
            for entry in entries.values():
                entry.is_retired = True
        await _close_all(idle)

    def _take(self, key: Key, create: Callable[[], Deployment]) -> _Entry:
        with self._lock:
            self._newest_code[key[0]] = key[1]
            entry = self._entries.get(key)
            if entry is None or entry.deployment.is_lost:
                if entry is not None:
                    self._retire(entry)
                entry = self._entries[key] = _Entry(create())
                entry.opening = asyncio.ensure_future(self._open(key, entry))
            entry.borrowers += 1
            return entry

    def _retire(self, entry: _Entry) -> None:
        """Close it as soon as nobody uses it any more."""
        entry.is_retired = True
        if not entry.borrowers:
            closing = asyncio.ensure_future(_close_all([entry.deployment]))
            self._closing.add(closing)  # the loop itself holds tasks only weakly
            closing.add_done_callback(self._closing.discard)

    async def _open(self, key: Key, entry: _Entry) -> None:
        """In a task of its own: whoever asked for it first may leave, others wait for it, too."""
        try:
            await entry.deployment.open()
        except BaseException as error:
            with self._lock:
                if self._entries.get(key) is entry:
                    del self._entries[key]
            entry.opened.set_exception(
                error if isinstance(error, Exception) else _interrupted(entry.deployment.name)
            )
            if not isinstance(error, Exception):
                raise
        else:
            entry.opened.set_result(None)

    def _give_back(self, key: Key, entry: _Entry) -> list[Deployment]:
        """Return a borrowed entry; what has to close now comes back."""
        with self._lock:
            entry.borrowers -= 1
            entry.idle_since = time.monotonic()
            if self._entries.get(key) is entry and entry.deployment.is_lost:
                del self._entries[key]
                entry.is_retired = True
            closing = [self._entries.pop(surplus).deployment for surplus in self._surplus()]
            if entry.is_retired and not entry.borrowers:
                closing.append(entry.deployment)
            kept = {plan for plan, _code in self._entries}
            self._newest_code = {p: c for p, c in self._newest_code.items() if p in kept}
            return closing

    def _surplus(self) -> list[Key]:
        idle = [key for key, entry in self._entries.items() if not entry.borrowers]
        edited = [key for key in idle if self._newest_code[key[0]] != key[1]]
        current = [key for key in idle if key not in edited]
        current.sort(key=lambda key: self._entries[key].idle_since)
        return [*edited, *current[: max(0, len(current) - self._max_idle)]]


async def _close_all(deployments: Sequence[Deployment]) -> None:
    """Close all, whatever one of them raises, and even if the caller does not wait to the end."""
    closes = asyncio.gather(*(each.close() for each in deployments), return_exceptions=True)
    for deployment, error in zip(deployments, await asyncio.shield(closes), strict=True):
        if isinstance(error, BaseException):
            logger.warning("Closing '%s' raised %s.", deployment.name, error, exc_info=error)


def _interrupted(pipeline: str) -> DeploymentError:
    return DeploymentError(
        f"The deployment of pipeline '{pipeline}' was interrupted while it opened.",
        hint="Run again.",
        code="DEPLOYMENT-INTERRUPTED",
    )


def _key_of(pipeline: Deployable, code: Sequence[Payload], registered: int) -> Key:
    """Which pipeline it is, and in which version.

    Two pipelines of the same shape are the same one if the same classes and functions, by name, run
    with the same configuration, and the very same objects check its runs and hear of its errors:
    these stay with the deployment, which keeps them alive and so their ids its own.
    """
    runners = [(_name_of(spec.runner), encode(spec.config)) for spec in pipeline.specs]
    execution = pipeline.execution
    here = (execution.mode.value, id(execution.on_stage_error), *map(id, pipeline.admissions))
    identity = hashlib.sha256(pickle.dumps((pipeline.plan, runners, here)))
    version = hashlib.sha256(pickle.dumps((list(code), registered)))
    return identity.hexdigest(), version.hexdigest()


def _name_of(runner: object) -> str:
    named = runner if hasattr(runner, "__qualname__") else type(runner)
    return f"{named.__module__}.{named.__qualname__}"
