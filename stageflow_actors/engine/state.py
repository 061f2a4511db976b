"""The state of one run, as the engine sees it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, NamedTuple

from stageflow_actors.engine.verdict import Cause
from stageflow_actors.model.frozen import FrozenDict
from stageflow_actors.model.plan import Plan
from stageflow_actors.model.settings import Settings


class RunPhase(StrEnum):
    """Where a run stands."""

    CREATED = "created"
    RUNNING = "running"
    STOPPING = "stopping"
    """The verdict is known; bodies are still ending."""
    ENDED = "ended"


class StageState(StrEnum):
    """Where a stage stands. ``is_live``: its body may be executing."""

    WAITING = "waiting"
    RUNNING = "running"
    STOPPING = "stopping"
    """Told to stop because the run stops."""
    TIMING_OUT = "timing_out"
    """Told to stop because its time is up."""
    RETRYING = "retrying"
    """Its last attempt failed; it waits for the next one."""
    OK = "ok"
    SKIPPED = "skipped"
    FELL_BACK = "fell_back"
    """It failed, and its declared output stands in."""
    BRANCH_CANCELLED = "branch_cancelled"
    """It asked to stop what depends on it."""
    FAILED = "failed"
    TIMED_OUT = "timed_out"
    CANCELLED = "cancelled"
    """Asked to stop the run."""
    INTERRUPTED = "interrupted"
    """Stopped because it was told to."""

    @property
    def is_live(self) -> bool:
        """Whether the body may be executing."""
        return self in LIVE

    @property
    def is_open(self) -> bool:
        """Whether it has begun, and not ended for good."""
        return self in LIVE or self is StageState.RETRYING


LIVE = frozenset({StageState.RUNNING, StageState.STOPPING, StageState.TIMING_OUT})
"""States in which the body may be executing."""
PASSED = frozenset(
    {StageState.OK, StageState.SKIPPED, StageState.FELL_BACK, StageState.BRANCH_CANCELLED}
)
"""States that let dependents run."""


@dataclass(slots=True)
class Tries:
    """What a stage has been through, as far as retries ask. ``delay_s`` is the last wait's.

    ``retries`` counts those that its policy allowed, ``losses`` the deaths of its process that it
    was repeated after, but for those that another execution is guilty of.
    """

    retries: int = 0
    losses: int = 0
    delay_s: float = 0.0
    is_out_of_time: bool = False


@dataclass(slots=True)
class GuardRounds:
    """The rejections of one guard so far; ``stagnation`` counts equal ones in a row."""

    rejections: int = 0
    fingerprint: str = ""
    stagnation: int = 0
    is_out_of_time: bool = False


class Notes(NamedTuple):
    """What has become of stages beside their states, by index; most runs have nothing to note.

    ``taken`` has the routes of the routers so far, ``unselected`` the stages that are on none of
    them, ``skip_reasons`` what conditional stages are skipped for, and ``blocked`` those that lack
    what they require; all with their reasons. ``tolerated`` failed without stopping the run,
    ``doomed`` time out for good, ``poisoned`` killed their process even alone, each with what is
    said of that. ``heard`` are those whose body heeds its stop, ``killed`` those whose body is
    being ended. ``feedback`` is the guard that a producer is repeated for. Once the run stops,
    ``expected[i]`` counts the stages that finalizer ``i`` still waits for; it is there for those
    that may start.
    """

    tries: dict[int, Tries]
    rounds: dict[int, GuardRounds]
    feedback: dict[int, int]
    expected: dict[int, int]
    taken: dict[int, str]
    unselected: dict[int, str]
    skip_reasons: dict[int, str]
    blocked: dict[int, str]
    tolerated: dict[int, str]
    timeout_texts: dict[int, str]
    poisoned: dict[int, str]
    doomed: set[int]
    heard: set[int]
    killed: set[int]


_NOTHING: Any = FrozenDict()
_NOBODY: Any = frozenset()
NO_NOTES = Notes(*[_NOTHING] * 11, *[_NOBODY] * 3)
"""Of all runs that have nothing to note: they are many at once, and nobody may write in it."""


class RunState:
    """Mutable, private to ``RunMachine``; read by invariants and tests.

    ``waiting_for[i]`` counts the stages before stage ``i`` that have not passed yet, and
    ``attempts[i]`` is the number of its last attempt. ``live``, ``retrying`` and ``remaining``
    count stages with a live body, those that wait for another attempt, and those not ended.
    ``is_cancelled``: nothing starts any more, be it for a cancel, the lack of time or an
    escalation. ``notes`` are for reading; whoever writes asks for them with ``noting``.
    """

    __slots__ = (
        "accepted_at",
        "ahead",
        "attempts",
        "cause",
        "is_cancelled",
        "late_facts",
        "limit_s",
        "live",
        "notes",
        "phase",
        "plan",
        "ready",
        "remaining",
        "repeats_left",
        "retries_left",
        "retrying",
        "settings",
        "stages",
        "tick_causes",
        "waiting_for",
    )

    def __init__(self, plan: Plan, settings: Settings) -> None:
        self.plan = plan
        self.settings = settings
        self.phase = RunPhase.CREATED
        self.stages = [StageState.WAITING] * len(plan.stages)
        self.attempts = [0] * len(plan.stages)
        self.waiting_for = [*plan.waits]
        self.remaining = len(plan.stages)
        self.live = 0
        self.retrying = 0
        self.retries_left = settings.max_retries_per_run
        self.repeats_left = settings.max_guard_repeats_per_run
        self.cause: Cause | None = None
        self.accepted_at = 0.0
        self.limit_s: float | None = None
        self.late_facts = 0
        self.is_cancelled = False
        self.notes = NO_NOTES
        self.ready: list[int] = []
        self.ahead: list[int] = []
        self.tick_causes: list[Cause] = []

    def noting(self) -> Notes:
        """The notes of this run, to write in."""
        if self.notes is NO_NOTES:
            self.notes = Notes({}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, set(), set(), set())
        return self.notes

    def has_passed(self, stage: int) -> bool:
        """Whether ``stage`` lets its dependents go on, be it to be skipped."""
        return self.stages[stage] in PASSED or stage in self.notes.tolerated

    def is_suspect(self, stage: int) -> bool:
        """Whether ``stage`` killed its process so often that it is tried alone from now on."""
        tries = self.notes.tries.get(stage)
        return tries is not None and tries.losses >= self.settings.max_losses_per_stage
