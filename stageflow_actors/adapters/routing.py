"""Sinks that pass events on: to several sinks, or only those of some types."""

from __future__ import annotations

import asyncio
import fnmatch
import logging
import re
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from stageflow_actors.ports import EventSink, SelectiveEventSink

logger = logging.getLogger("stageflow_actors.events")

EventTypes: TypeAlias = str | Iterable[str] | Callable[[str], bool]
"""Event types: a pattern such as ``"stage.*"``, several, or a function that says yes or no."""


class FilteringEventSink:
    """Passes on the events whose type ``include`` names and ``exclude`` does not.

    Without ``include`` all types are included. Patterns are those of ``fnmatch``, case-sensitive:
    ``*`` any text, ``?`` one character, ``[ab]`` one of these.
    """

    def __init__(
        self,
        sink: EventSink,
        *,
        include: EventTypes | None = None,
        exclude: EventTypes | None = None,
    ) -> None:
        self._sink = sink
        self._sink_accepts = _accepts(sink)
        self._is_chosen = type_filter(include, exclude)

    def accepts(self, type: str) -> bool:
        return self._is_chosen(type) and self._sink_accepts(type)

    async def emit(self, *, type: str, data: Mapping[str, Any] | None) -> None:
        if self.accepts(type):
            await self._sink.emit(type=type, data=data)

    def try_emit(self, *, type: str, data: Mapping[str, Any] | None) -> None:
        if self.accepts(type):
            self._sink.try_emit(type=type, data=data)


@dataclass(frozen=True, slots=True)
class BranchStatistics:
    """What became of the events for one sink of several; ``sink`` is its class."""

    sink: str
    delivered: int
    failed: int


class FanOutEventSink:
    """Passes every event on to each of ``sinks`` that accepts its type.

    The sinks get an event at the same time, each a copy of its data. ``emit`` returns when all are
    done with it and never raises for one of them: failures are counted per sink, and warned about
    once. A sink that is slow for long delays the next event; put a bounded one in front of it.
    """

    def __init__(self, *sinks: EventSink) -> None:
        self._branches = [_Branch(sink) for sink in sinks]

    @property
    def statistics(self) -> tuple[BranchStatistics, ...]:
        """What became of the events so far, for each sink in the order given."""
        return tuple(branch.statistics for branch in self._branches)

    def accepts(self, type: str) -> bool:
        return any(branch.accepts(type) for branch in self._branches)

    async def emit(self, *, type: str, data: Mapping[str, Any] | None) -> None:
        wanting = [branch for branch in self._branches if branch.accepts(type)]
        await asyncio.gather(*(branch.emit(type, data) for branch in wanting))

    def try_emit(self, *, type: str, data: Mapping[str, Any] | None) -> None:
        for branch in self._branches:
            if branch.accepts(type):
                branch.try_emit(type, data)


class _Branch:
    """One sink of several, and the account of it."""

    def __init__(self, sink: EventSink) -> None:
        self._sink = sink
        self._sink_accepts = _accepts(sink)
        self._lock = threading.Lock()
        self._delivered = self._failed = 0

    @property
    def statistics(self) -> BranchStatistics:
        with self._lock:
            return BranchStatistics(type(self._sink).__name__, self._delivered, self._failed)

    def accepts(self, type_: str) -> bool:
        try:
            return self._sink_accepts(type_)
        except Exception:
            return True  # what is wrong with it shows, and is counted, with the event

    async def emit(self, type_: str, data: Mapping[str, Any] | None) -> None:
        try:
            await self._sink.emit(type=type_, data=_copy(data))
        except (Exception, asyncio.CancelledError) as error:
            self._count_failure(error)  # a cancel from outside still ends the gathering
        else:
            self._count_delivery()

    def try_emit(self, type_: str, data: Mapping[str, Any] | None) -> None:
        try:
            self._sink.try_emit(type=type_, data=_copy(data))
        except Exception as error:
            self._count_failure(error)
        else:
            self._count_delivery()

    def _count_delivery(self) -> None:
        with self._lock:
            self._delivered += 1

    def _count_failure(self, error: BaseException) -> None:
        with self._lock:
            self._failed += 1
            is_first = self._failed == 1
        if is_first:
            logger.warning(
                "Sink %s raised %s beside others; its failures are counted.",
                type(self._sink).__name__,
                type(error).__name__,
                exc_info=error,
            )


def _everything(_type: str) -> bool:
    return True


def _nothing(_type: str) -> bool:
    return False


def _accepts(sink: EventSink) -> Callable[[str], bool]:
    return sink.accepts if isinstance(sink, SelectiveEventSink) else _everything


def type_filter(include: EventTypes | None, exclude: EventTypes | None) -> Callable[[str], bool]:
    """Whether a type is included, all of them where nothing is said, and is not excluded."""
    includes = _everything if include is None else matcher(include)
    excludes = _nothing if exclude is None else matcher(exclude)
    return lambda type_: includes(type_) and not excludes(type_)


def matcher(types: EventTypes) -> Callable[[str], bool]:
    """Whether a type is one of ``types``."""
    if callable(types):
        return types
    patterns = [types] if isinstance(types, str) else list(types)
    matches = re.compile("|".join(map(fnmatch.translate, patterns))).match
    return lambda type_: bool(patterns) and matches(type_) is not None


def _copy(data: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
    return None if data is None else dict(data)
