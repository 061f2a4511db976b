"""``Deaths``: how often processes of a deployment have died, why, and whether that is too often."""

from __future__ import annotations

import time
from collections import deque
from typing import Any

from stageflow_actors.actors.stage_process import StageProcess
from stageflow_actors.engine.supervision import Death, RestartWindow, story
from stageflow_actors.model.settings import Settings

_MOST_DEATHS = 1_000


class Deaths:
    """The last 1,000, and the window of those that count against the deployment."""

    def __init__(self, settings: Settings) -> None:
        self._intensity = settings.restart_intensity
        self._period_s = settings.restart_period_s
        self._window = RestartWindow(self._intensity, self._period_s)
        self._charged: deque[Death] = deque(maxlen=self._intensity + 1)
        self._deaths: deque[dict[str, Any]] = deque(maxlen=_MOST_DEATHS)
        self._open: dict[str, deque[dict[str, Any]]] = {}

    def note(self, process: StageProcess, why: str, *, is_awaited: bool) -> None:
        """A process has died, and with ``is_awaited`` its stage waits for the next one.

        Times are in seconds since the Unix epoch.
        """
        death = {
            "stage": process.name,
            "pid": process.pid,
            "epoch": process.epoch,
            "why": why,
            "seen_at": time.time(),
            "serving_at": None,
        }
        self._deaths.append(death)
        if is_awaited:
            self._open.setdefault(process.name, deque()).append(death)

    def note_served(self, stage: str) -> None:
        """The stage is served again, by one process more."""
        waiting = self._open.get(stage)
        if waiting:
            waiting.popleft()["serving_at"] = time.time()

    def charge(self, stage: str, why: str) -> str | None:
        """Note a restart that nobody's work is to blame for; the story, if it is one too many."""
        self._charged.append(Death(stage, time.time(), why))
        if self._window.admit(time.monotonic()):
            return None
        return story(list(self._charged), self._intensity, self._period_s)

    def describe(self) -> dict[str, Any]:
        """The bounds, and the last deaths."""
        return {
            "strategy": "one_for_one",
            "intensity": self._intensity,
            "period_s": self._period_s,
            "deaths": list(self._deaths),
        }
