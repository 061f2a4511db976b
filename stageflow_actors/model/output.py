"""``StageOutput``: what a stage returns, and how it says ok, skip, cancel or fail."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

from stageflow_actors.errors import StageReturnTypeError, plain_text
from stageflow_actors.model.identity import utc_now
from stageflow_actors.model.routing import RoutingDecision


class StageStatus(StrEnum):
    """How a stage says it ended."""

    OK = "ok"
    SKIP = "skip"
    CANCEL = "cancel"
    CANCEL_BRANCH = "cancel_branch"
    FAIL = "fail"
    RETRY = "retry"


@dataclass(frozen=True, slots=True)
class StageArtifact:
    """Something a stage made for people or for storage, beside the data for its dependents."""

    type: str
    payload: Any
    timestamp: datetime = field(default_factory=utc_now)


@dataclass(frozen=True, slots=True)
class StageEvent:
    """An event a stage wants published when it has ended."""

    type: str
    data: Mapping[str, Any] = field(default_factory=dict)
    timestamp: datetime = field(default_factory=utc_now)


@dataclass(frozen=True, slots=True)
class StageOutput:
    """The result of one stage. Build it with ``ok``, ``skip``, ``fail`` and their like.

    ``data`` holds what dependents read. ``duration_ms`` (whole milliseconds) is filled in by the
    runtime; ``version`` names the contract of the data. ``routing`` is the decision of a router.
    """

    status: StageStatus
    data: Mapping[str, Any] = field(default_factory=dict)
    artifacts: Sequence[StageArtifact] = ()
    events: Sequence[StageEvent] = ()
    error: str | None = None
    duration_ms: int | None = None
    version: str | None = None
    routing: RoutingDecision | None = None

    @classmethod
    def ok(
        cls, data: Mapping[str, Any] | None = None, /, *, version: str | None = None, **values: Any
    ) -> StageOutput:
        """Success with ``data`` and ``values`` together.

        A ``RoutingDecision`` as ``route`` decides on the branches, as if it were returned alone.

        Raises:
            ValueError: a key is in both; one of the two would be lost.
        """
        if data and values:
            twice = sorted(data.keys() & values.keys())
            if twice:
                raise ValueError(f"StageOutput.ok was given {twice} both in data and by keyword.")
            values = {**data, **values}
        return cls(StageStatus.OK, values or data or {}, version=version)

    @classmethod
    def skip(cls, reason: str = "", data: Mapping[str, Any] | None = None) -> StageOutput:
        """Nothing to do; ``data["reason"]`` says why. Dependents run, unless ``conditional``."""
        return cls(StageStatus.SKIP, {"reason": reason, **(data or {})})

    @classmethod
    def cancel(cls, reason: str = "", data: Mapping[str, Any] | None = None) -> StageOutput:
        """Stop the whole run gracefully; ``data["cancel_reason"]`` says why."""
        return cls(StageStatus.CANCEL, {"cancel_reason": reason, **(data or {})})

    @classmethod
    def cancel_branch(cls, reason: str = "", data: Mapping[str, Any] | None = None) -> StageOutput:
        """Stop what depends on this stage alone; the rest of the run goes on.

        A stage all of whose inputs are stopped is skipped. One with a live input runs, and reads
        here why the other is not there.
        """
        return cls(StageStatus.CANCEL_BRANCH, {"cancel_reason": reason, **(data or {})})

    @classmethod
    def retry(cls, error: str = "", data: Mapping[str, Any] | None = None) -> StageOutput:
        """Failure that asks for another attempt, by the stage's retry policy or the default one."""
        return cls(StageStatus.RETRY, data or {}, error=error or "The stage asked to be retried.")

    @classmethod
    def fail(
        cls,
        error: str | None = None,
        data: Mapping[str, Any] | None = None,
        *,
        response: str | None = None,
    ) -> StageOutput:
        """Failure without an exception; ``response`` stands in for an empty ``error``."""
        return cls(StageStatus.FAIL, data or {}, error=error or response or "Unknown error")

    def with_duration(self, duration_ms: int) -> StageOutput:
        """A copy that took ``duration_ms``."""
        return replace(self, duration_ms=duration_ms)

    def with_version(self, version: str) -> StageOutput:
        """A copy whose data follows contract ``version``."""
        return replace(self, version=version)

    def with_artifacts(self, *artifacts: StageArtifact) -> StageOutput:
        """A copy with ``artifacts`` added."""
        return replace(self, artifacts=(*self.artifacts, *artifacts))

    def with_events(self, *events: StageEvent) -> StageOutput:
        """A copy with ``events`` added."""
        return replace(self, events=(*self.events, *events))

    @property
    def reason(self) -> str:
        """Why the stage skipped, cancelled or failed; empty for ok."""
        if self.status is StageStatus.SKIP:
            return plain_text(self.data.get("reason", ""))
        if self.status in (StageStatus.CANCEL, StageStatus.CANCEL_BRANCH):
            return plain_text(self.data.get("cancel_reason", ""))
        return plain_text(self.error or "")


StageReturn = StageOutput | RoutingDecision | dict[str, Any] | None
"""What a stage may return: a dict means ok with that data, ``None`` means ok without any."""
ROUTE = "route"
"""The key of a decision among the data."""


def to_output(returned: object, stage: str) -> StageOutput:
    """What ``stage`` returned, as a ``StageOutput``.

    Raises:
        StageReturnTypeError: it is something else than a ``StageReturn``.
    """
    if isinstance(returned, StageOutput) and type(returned.status) is StageStatus:
        return _with_decision(returned)
    if returned is None:
        return StageOutput(StageStatus.OK)
    if isinstance(returned, dict):
        return _with_decision(StageOutput(StageStatus.OK, returned))
    if isinstance(returned, RoutingDecision):
        return _with_decision(StageOutput(StageStatus.OK, {ROUTE: returned}))
    raise StageReturnTypeError(
        f"Stage '{stage}' returned {type(returned).__qualname__}, "
        "which is no StageOutput, RoutingDecision, dict or None.",
        hint="Return StageOutput.ok(...), a dict of data, or None.",
    )


def _with_decision(output: StageOutput) -> StageOutput:
    """A decision among the data stands beside it; dependents read the name of the route there."""
    data = output.data
    decision = data.get(ROUTE) if isinstance(data, Mapping) else None
    if not isinstance(decision, RoutingDecision):
        return output
    return replace(output, data={**data, ROUTE: decision.selected_route}, routing=decision)
