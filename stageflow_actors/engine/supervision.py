"""Whether a process that has ended is replaced, and how often that is tried, as OTP says it.

Each process is replaced by itself, for no other's sake (``one_for_one``). More than ``intensity``
restarts within one ``period`` are too many: what a restart does not cure is for somebody above.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

from stageflow_actors.errors import plain_text
from stageflow_actors.model.policies.restart import Restart

_MAX_NAME = 60
_MAX_WHY = 200
_MOST_NAMED = 3


class Death(NamedTuple):
    """How the process of ``stage`` ended: ``at`` in seconds since the epoch, ``why`` for people."""

    stage: str
    at: float
    why: str


class RestartWindow:
    """Counts restarts; at most ``intensity`` within ``period_s`` seconds, none if that is 0.

    Two that are exactly ``period_s`` apart are within it. Remembers at most ``intensity + 1``.
    """

    __slots__ = ("_intensity", "_period_s", "_restarts")

    def __init__(self, intensity: int, period_s: float) -> None:
        self._intensity = intensity
        self._period_s = period_s
        self._restarts: deque[float] = deque(maxlen=intensity + 1)

    def admit(self, now_s: float) -> bool:
        """Note one restart; ``False``: it is one too many.

        ``now_s`` is in seconds, of one clock that never goes back. A restart that is refused
        counts for those that come after it: the process has died nevertheless.
        """
        self._restarts.append(now_s)
        while now_s - self._restarts[0] > self._period_s:
            self._restarts.popleft()
        return len(self._restarts) <= self._intensity


def is_replaced(restart: Restart, *, is_normal: bool) -> bool:
    """Whether a process that has ended, of its own wish if ``is_normal``, gets a successor."""
    if restart == Restart.TRANSIENT:
        return not is_normal
    return restart == Restart.PERMANENT


def story(deaths: Sequence[Death], intensity: int, period_s: float) -> str:
    """One sentence on why a ``RestartWindow`` admitted no more, of a bounded length.

    ``deaths`` are those that the window was asked about, oldest first. Those told of are the last
    ``intensity + 1``: the ones that were too many.
    """
    counted = deaths[-(intensity + 1) :]
    if not counted:
        return f"Stages died more often than restart_intensity={intensity} allows."
    return (
        f"Stage {_counts(counted)} within {period_s:g} s, "
        f"more often than restart_intensity={intensity} allows; last: {_last_of(counted)}."
    )


def _counts(deaths: Sequence[Death]) -> str:
    """``'x' died 4 times, 'y' twice and 2 others 3 times``: those that died most come first."""
    ranked = Counter(death.stage for death in deaths).most_common()
    cut = _MOST_NAMED if len(ranked) > _MOST_NAMED + 1 else len(ranked)
    parts = [f"{_quoted(stage)} {_times(count)}" for stage, count in ranked[1:cut]]
    if cut < len(ranked):
        rest = sum(count for _, count in ranked[cut:])
        parts.append(f"{len(ranked) - cut} others {_times(rest)}")
    stage, count = ranked[0]
    first = f"{_quoted(stage)} died {_times(count)}"
    if not parts:
        return first
    return f"{', '.join([first, *parts[:-1]])} and {parts[-1]}"


def _last_of(deaths: Sequence[Death]) -> str:
    """The last three, oldest first, each with the time since the one before it."""
    last = deaths[-3:]
    parts = [f"{_quoted(last[0].stage)} ({_one_line(last[0].why, _MAX_WHY)})"]
    for before, death in pairwise(last):
        # The clock of the machine may have been set back meanwhile.
        later_s = max(0.0, death.at - before.at)
        why = _one_line(death.why, _MAX_WHY)
        parts.append(f"{later_s:.1f} s later {_quoted(death.stage)} ({why})")
    return ", ".join(parts)


def _times(count: int) -> str:
    return {1: "once", 2: "twice"}.get(count, f"{count} times")


def _quoted(stage: str) -> str:
    return f"'{_one_line(stage, _MAX_NAME)}'"


def _one_line(text: str, most: int) -> str:
    """``text`` with a space for each character that a terminal cannot print, and cut."""
    shown = plain_text(text)
    line = "".join(char if char.isprintable() else " " for char in shown[:most]).strip()
    return f"{line}..." if len(shown) > most else line
