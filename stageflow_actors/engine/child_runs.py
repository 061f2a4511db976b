"""``ChildRunTracker``: which child runs are live, under which run, and how many there were.

Pure bookkeeping: it starts and ends nothing, has no clock, and no lock: for the use of one thread.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import NamedTuple

from stageflow_actors.model.results import RunStatus


@dataclass(frozen=True, slots=True)
class ChildRunMetrics:
    """Counts of child runs. All but ``live`` count those that have ended, too.

    ``spawned`` is the sum of ``live`` and the four ends; ``max_live`` and ``max_depth`` are the
    highest there have been.
    """

    spawned: int = 0
    ok: int = 0
    failed: int = 0
    cancelled: int = 0
    timed_out: int = 0
    live: int = 0
    max_live: int = 0
    max_depth: int = 0

    def to_dict(self) -> dict[str, int]:
        """Plain, JSON-ready form."""
        return asdict(self)


class ChildRun(NamedTuple):
    """A live child run: the run that it is under, the one at the top, and what was said of it."""

    parent: str
    root: str
    pipeline: str
    stage: str
    depth: int


class ChildRunTracker:
    """Runs are told apart by their ids, as text.

    A run that is under no other is not registered; it is known by its children alone. A child is
    forgotten when it ends, so what is kept is bounded by the children that are live. If it ends
    before its own children, they come under the run that it was under: whoever stops all that is
    below a run misses none.
    """

    __slots__ = ("_below", "_ends", "_max_depth", "_max_live", "_runs", "_spawned")

    def __init__(self) -> None:
        self._runs: dict[str, ChildRun] = {}
        # Ordered sets; none is empty.
        self._below: dict[str, dict[str, None]] = {}
        self._ends = dict.fromkeys(RunStatus, 0)
        self._spawned = self._max_live = self._max_depth = 0

    def register(self, parent: str, child: str, *, pipeline: str, stage: str, depth: int) -> bool:
        """``child`` is live, started by ``stage`` of ``parent``; O(1).

        ``False``: it is registered already, which is not counted, and what was said first stands.
        The id of a child that has ended may be registered as that of a new one.

        Raises:
            ValueError: it is its own parent, or has children already: those come after it.
        """
        if child in self._runs:
            return False
        if child == parent or child in self._below:
            raise ValueError(f"Run {child} cannot come under run {parent}: it is above others.")
        self._runs[child] = ChildRun(parent, self.root(parent), pipeline, stage, depth)
        self._below.setdefault(parent, {})[child] = None
        self._spawned += 1
        self._max_live = max(self._max_live, len(self._runs))
        self._max_depth = max(self._max_depth, depth)
        return True

    def unregister(self, child: str, status: RunStatus) -> bool:
        """``child`` has ended; O(1), and O(n) in those of its own children that are live still.

        ``False``: it is not registered, has ended before or never was, and nothing is counted.
        """
        if child not in self._runs:
            return False
        self._ends[status] += 1
        ended = self._runs.pop(child)
        siblings = self._below[ended.parent]
        del siblings[child]
        for orphan in self._below.pop(child, ()):
            self._runs[orphan] = self._runs[orphan]._replace(parent=ended.parent)
            siblings[orphan] = None
        if not siblings:
            del self._below[ended.parent]
        return True

    def find(self, child: str) -> ChildRun | None:
        """What is known of a live child; ``None`` for any other run; O(1)."""
        return self._runs.get(child)

    def parent(self, run: str) -> str | None:
        """The run that a live child is under; ``None`` for any other run; O(1)."""
        known = self._runs.get(run)
        return None if known is None else known.parent

    def root(self, run: str) -> str:
        """The run at the top of the line; of any but a live child that is itself; O(1)."""
        known = self._runs.get(run)
        return run if known is None else known.root

    def children(self, run: str) -> tuple[str, ...]:
        """The live children of ``run``, in the order in which they came under it; O(n) in them."""
        return tuple(self._below.get(run, ()))

    def descendants(self, run: str) -> tuple[str, ...]:
        """All live runs below ``run``, level by level, the deepest last; O(n) in them."""
        found = list(self.children(run))
        for each in found:  # grows meanwhile: what is found is looked below in its turn
            found.extend(self._below.get(each, ()))
        return tuple(found)

    @property
    def metrics(self) -> ChildRunMetrics:
        """The counts as they are now; O(1)."""
        return ChildRunMetrics(
            spawned=self._spawned,
            ok=self._ends[RunStatus.OK],
            failed=self._ends[RunStatus.FAILED],
            cancelled=self._ends[RunStatus.CANCELLED],
            timed_out=self._ends[RunStatus.TIMED_OUT],
            live=len(self._runs),
            max_live=self._max_live,
            max_depth=self._max_depth,
        )
