"""The state of one run, as the engine sees it."""

from __future__ import annotations

from enum import StrEnum

from stageflow_actors.engine.verdict import Cause
from stageflow_actors.model.plan import Plan


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
    OK = "ok"
    SKIPPED = "skipped"
    FAILED = "failed"
    TIMED_OUT = "timed_out"
    CANCELLED = "cancelled"
    """Asked to stop the run."""
    INTERRUPTED = "interrupted"
    """Stopped because it was told to."""

    @property
    def is_live(self) -> bool:
        """Whether the body may be executing."""
        return self in _LIVE


_LIVE = frozenset({StageState.RUNNING, StageState.STOPPING, StageState.TIMING_OUT})
PASSED = frozenset({StageState.OK, StageState.SKIPPED})
"""States that let dependents run."""


class RunState:
    """Mutable, private to ``RunMachine``; read by invariants and tests.

    ``waiting_for[i]`` counts the stages before stage ``i`` that have not passed yet. ``live`` and
    ``remaining`` count stages with a live body and stages that have not ended. ``taken`` has the
    routes of the routers so far, ``unselected`` the stages that are on none of them, and
    ``skip_reasons`` what conditional stages are skipped for; both with their reasons. Once the run
    stops, ``expected[i]`` counts the stages that finalizer ``i`` still waits for; it is there for
    those that may start.
    """

    __slots__ = (
        "accepted_at",
        "cause",
        "expected",
        "is_cancelled",
        "late_facts",
        "live",
        "phase",
        "plan",
        "ready",
        "remaining",
        "skip_reasons",
        "stages",
        "taken",
        "tick_causes",
        "unselected",
        "waiting_for",
    )

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.phase = RunPhase.CREATED
        self.stages = [StageState.WAITING] * len(plan.stages)
        self.waiting_for = [
            len(stage.dependencies) + len(stage.after) + len(stage.after_any)
            for stage in plan.stages
        ]
        self.remaining = len(plan.stages)
        self.live = 0
        self.cause: Cause | None = None
        self.accepted_at = 0.0
        self.late_facts = 0
        self.is_cancelled = False
        self.expected: dict[int, int] = {}
        self.taken: dict[int, str] = {}
        self.unselected: dict[int, str] = {}
        self.skip_reasons: dict[int, str] = {}
        self.ready: list[int] = []
        self.tick_causes: list[Cause] = []
