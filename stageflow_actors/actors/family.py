"""``Family``: the child runs that the stages of a deployment have started, and who waits for them.

A child never outlives the execution that started it: when that is told to stop, is ended or has
ended, its children are cancelled, and the run hears of its end when they have ended, too.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from stageflow_actors.actors.event_log import EventLog
from stageflow_actors.actors.messages import Execution
from stageflow_actors.engine.child_runs import ChildRunTracker
from stageflow_actors.model.results import RunStatus

LEFT = "the stage that started it has ended"


class ChildFacts(NamedTuple):
    """A child run as events tell of it; ids are text. ``stage`` is the one that started it."""

    pipeline: str
    child_run_id: str
    parent_run_id: str
    stage: str
    correlation_id: str
    depth: int


class Child:
    """One live child run. ``reason`` is why it was told to stop; ``tell`` passes that on to it."""

    __slots__ = ("attempt", "began_at", "facts", "log", "reason", "tell")

    def __init__(self, facts: ChildFacts, attempt: int, log: EventLog) -> None:
        self.facts = facts
        self.attempt = attempt
        self.log = log
        self.began_at = time.time()
        self.reason: str | None = None
        self.tell: Callable[[str], None] | None = None

    def cancel(self, reason: str) -> None:
        """Tell it to stop; the first reason stays."""
        if self.reason is None:
            self.reason = reason
            if self.tell is not None:
                self.tell(reason)

    def note(self, type_: str, **data: Any) -> None:
        """Tell of it in the log of its parent."""
        facts = self.facts
        told = {
            "parent_run_id": facts.parent_run_id,
            "child_run_id": facts.child_run_id,
            "parent_stage_id": facts.stage,
            "pipeline_name": facts.pipeline,
            "correlation_id": facts.correlation_id,
        }
        self.log.append(type_, time.time(), facts.stage, self.attempt, told | data)
        self.log.notify()


class Family:
    """``tracker`` has who is below whom, and the counts."""

    __slots__ = ("_children", "_early", "_logs", "_waiting", "tracker")

    def __init__(self) -> None:
        self.tracker = ChildRunTracker()
        self._children: dict[Execution, dict[str, Child]] = {}
        self._logs: dict[Execution, EventLog] = {}
        self._waiting: dict[Execution, Callable[[], None]] = {}
        # Ray may deliver what is about a child before the request for it. Under no name: all.
        self._early: dict[Execution, dict[str, str]] = {}

    def enter(self, parent: Execution, log: EventLog) -> None:
        """An execution begins: it may have children now."""
        self._children[parent] = {}
        self._logs[parent] = log

    def adopt(self, parent: Execution, facts: ChildFacts) -> Child | None:
        """A child begins; ``None``: its parent is not, or not any more, there to have one."""
        children = self._children.get(parent)
        if children is None or parent in self._waiting:
            return None
        child = children[facts.child_run_id] = Child(facts, parent[2], self._logs[parent])
        early = self._early.get(parent, {})
        child.reason = early.get("") or early.pop(facts.child_run_id, None)
        self.tracker.register(
            facts.parent_run_id,
            facts.child_run_id,
            pipeline=facts.pipeline,
            stage=facts.stage,
            depth=facts.depth,
        )
        child.note("pipeline.spawned_child")
        return child

    def bury(self, parent: Execution, child: Child, status: RunStatus, reason: str | None) -> None:
        """A child has ended."""
        duration_ms = round((time.time() - child.began_at) * 1000)
        child.note(_END_EVENT[status], status=status.value, duration_ms=duration_ms, **_why(reason))
        self.tracker.unregister(child.facts.child_run_id, status)
        children = self._children[parent]
        del children[child.facts.child_run_id]
        if not children and parent in self._waiting:
            self._waiting.pop(parent)()

    def cancel(self, parent: Execution, reason: str) -> None:
        """Tell all children of an execution to stop, also those that are still to come."""
        if parent in self._children:
            self._early.setdefault(parent, {}).setdefault("", reason)
        for child in tuple(self._children.get(parent, {}).values()):
            child.cancel(reason)

    def cancel_one(self, parent: Execution, child_run_id: str, reason: str) -> None:
        """Tell one of them, or one that is still to come."""
        children = self._children.get(parent)
        if children is None:
            return
        child = children.get(child_run_id)
        if child is not None:
            child.cancel(reason)
        else:
            self._early.setdefault(parent, {})[child_run_id] = reason

    def leave(self, parent: Execution, told: Callable[[], None]) -> None:
        """An execution has ended: call ``told`` when its last child has, which is told to stop."""

        def forget() -> None:
            self._children.pop(parent, None)
            self._logs.pop(parent, None)
            self._early.pop(parent, None)
            told()

        if not self._children.get(parent):
            forget()
            return
        self._waiting[parent] = forget
        self.cancel(parent, LEFT)


_END_EVENT: Mapping[RunStatus, str] = MappingProxyType(
    {
        RunStatus.OK: "pipeline.child_completed",
        RunStatus.FAILED: "pipeline.child_failed",
        RunStatus.TIMED_OUT: "pipeline.child_failed",
        RunStatus.CANCELLED: "pipeline.child_cancelled",
    }
)


def _why(reason: str | None) -> dict[str, str]:
    return {} if reason is None else {"error_message": reason}
