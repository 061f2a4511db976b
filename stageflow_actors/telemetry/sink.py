"""``TelemetrySink``: tells what becomes of runs to those who make spans and metrics of it."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any, Protocol

from stageflow_actors.model.events import (
    PROVIDER_CALL,
    RUN_ENDS,
    RUN_REFUSED,
    STAGE_TRACED,
    Event,
    Labels,
)
from stageflow_actors.story.parts import Attempt, Child, Note
from stageflow_actors.story.story import Part, RunStory

logger = logging.getLogger("stageflow_actors.telemetry")

_ENDINGS = (".started", ".completed", ".skipped", ".cancelled", ".failed")
_RUNS = ("created", "started", "route", "spawned_child")
_CHILDREN = ("child_completed", "child_failed", "child_cancelled")
_GUARDS = ("attempt", "scheduled", "exhausted", "recovered")
_STAGES = ("error", "retry_scheduled", "retry_exhausted", "retry_after_ignored", "answered")
_TYPES = frozenset(
    {
        *(RUN_ENDS | {RUN_REFUSED, PROVIDER_CALL, STAGE_TRACED}),
        *(f"pipeline.{each}" for each in (*_RUNS, *_CHILDREN)),
        *(f"guard_retry.{each}" for each in _GUARDS),
        *(f"stage.{each}" for each in _STAGES),
    }
)
"""What spans and metrics are made of, besides the beginnings and ends of attempts."""

_REMEMBERED = 4_096

_Key = str | int
"""The id of a child run, which nobody can choose. Of any other run which object its labels are, as
several on one context have one id; its story holds them, so no others take their place.
"""


class Listener(Protocol):
    """Takes what is over. Called on one thread, in the order of the run; must not wait."""

    def attempt_closed(self, story: RunStory, attempt: Attempt) -> None:
        """An attempt has ended, or a stage was passed by (its ``number`` is 0 then)."""

    def run_ended(self, story: RunStory) -> None:
        """A run has, and all its attempts."""

    def noted(self, story: RunStory, note: Note) -> None:
        """Anything else was told."""


class TelemetrySink:
    """An ``EventSink``. ``listeners`` is asked for every event: exporting may begin later.

    Of ``max_runs`` that go on it knows what has been told so far; beyond it the one that began
    first is given up, and ``give_up`` is told of it.
    """

    def __init__(
        self,
        listeners: Callable[[], Sequence[Listener]],
        max_runs: int,
        give_up: Callable[[RunStory], None],
    ) -> None:
        self._listeners = listeners
        self._max_runs = max_runs
        self._give_up = give_up
        self._stories: dict[_Key, RunStory] = {}
        self._has_failed = False
        self._has_warned = False
        self.accepts: Callable[[str], bool] = lru_cache(_REMEMBERED)(_is_told)
        """Whether there is anything to export of such an event; types repeat with every run."""

    async def emit(self, *, type: str, data: Mapping[str, Any] | None) -> None:
        self.try_emit(type=type, data=data)

    def try_emit(self, *, type: str, data: Mapping[str, Any] | None) -> None:
        run_id = None if data is None else data.get("pipeline_run_id")
        if data is not None and run_id is not None:
            story = self._story(run_id, run_id)
            self._pass_on(run_id, story, story.take(type, data), self._listeners())

    def take_events(self, labels: Labels, events: Sequence[Event]) -> int:
        """For the runtime: events of one run, and of its children, as they are.

        ``labels`` are the same object for all events of a run, as long as it goes on.
        How many of them not every listener could take.
        """
        listeners = self._listeners()
        failed = 0
        for event in events:
            self._has_failed = False
            try:
                self._take(labels, event, listeners)
            except Exception as error:  # of odd data; the other events are told all the same
                self._note_failure(type(self).__name__, error)
            failed += self._has_failed
        return failed

    def _take(self, labels: Labels, event: Event, listeners: Sequence[Listener]) -> None:
        type_, seq, at, stage, attempt, data, origin = event
        if origin is not None:
            labels, seq = origin.labels, origin.seq
        run_id = labels["pipeline_run_id"] or ""
        is_child = origin is not None or "parent_run_id" in labels
        key = run_id if is_child else id(labels)
        story = self._story(key, run_id)
        told = story.tell(type_, seq, at, stage, attempt, data, labels)
        self._pass_on(key, story, told, listeners)

    def _pass_on(
        self, key: _Key, story: RunStory, told: Part | None, listeners: Sequence[Listener]
    ) -> None:
        if isinstance(told, Attempt):
            if told.closed_at is not None:
                self._close(story, told, listeners)
        elif isinstance(told, Note):
            self._tell(listeners, lambda each: each.noted(story, told))
            if told.type == RUN_REFUSED:
                self._stories.pop(key, None)
        elif isinstance(told, Child):
            if told.ended_at is not None:
                self._lose(told, told.ended_at, listeners)
        elif told is None and story.has_ended:
            self._end(key, story, listeners)

    def _close(self, story: RunStory, attempt: Attempt, listeners: Sequence[Listener]) -> None:
        self._tell(listeners, lambda each: each.attempt_closed(story, attempt))

    def _story(self, key: _Key, run_id: str) -> RunStory:
        story = self._stories.get(key)
        if story is None:
            if len(self._stories) >= self._max_runs:
                self._give_up(self._stories.pop(next(iter(self._stories))))
            story = self._stories[key] = RunStory(run_id)
        return story

    def _end(self, key: _Key, story: RunStory, listeners: Sequence[Listener]) -> None:
        self._stories.pop(key, None)
        for child in story.children.values():
            if child.ended_at is None:  # the supervisor of this run took it along
                self._lose(child, story.ended_at or time.time(), listeners)
        for attempt in story.lost:
            self._close(story, attempt, listeners)
        self._tell(listeners, lambda each: each.run_ended(story))

    def _lose(self, child: Child, at: float, listeners: Sequence[Listener]) -> None:
        """A child whose own end nobody has told was lost with its supervisor."""
        story = self._stories.get(child.run_id)
        if story is not None:
            story.lose(at, "it was lost with its supervisor")
            self._end(child.run_id, story, listeners)

    def _tell(self, listeners: Sequence[Listener], tell: Callable[[Listener], None]) -> None:
        """All of them, whatever one raises."""
        for listener in listeners:
            try:
                tell(listener)
            except BaseException as error:  # a SystemExit would end the thread of all runs
                self._note_failure(type(listener).__name__, error)

    def _note_failure(self, name: str, error: BaseException) -> None:
        self._has_failed = True
        if not self._has_warned:
            self._has_warned = True
            logger.warning(
                "%s raised %s; runs go on, its failures are counted.",
                name,
                type(error).__name__,
                exc_info=error,
            )


def _is_told(type_: str) -> bool:
    return type_ in _TYPES or (type_.startswith("stage.") and type_.endswith(_ENDINGS))
