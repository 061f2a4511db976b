"""``PipelineContext``: a run as whoever starts it sees it."""

from __future__ import annotations

import copy
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Self
from uuid import UUID

from pydantic import ValidationError

from stageflow_actors.errors import InvalidRunInputError
from stageflow_actors.model.amounts import is_number
from stageflow_actors.model.ancestry import Ancestry, below
from stageflow_actors.model.cancellation import Cancellation
from stageflow_actors.model.cleanup import Cleanups
from stageflow_actors.model.context import RunContext
from stageflow_actors.model.core_ports import CorePorts
from stageflow_actors.model.identity import RunIdentity, new_id
from stageflow_actors.model.kind import StageKind
from stageflow_actors.model.policies.numbers import LONGEST_S
from stageflow_actors.model.priority import RunPriority, to_priority
from stageflow_actors.model.run_view import RunView
from stageflow_actors.model.snapshot import ContextSnapshot
from stageflow_actors.model.spawning import ChildInput, ChildWish, Inherit
from stageflow_actors.model.stage_context import StageContext
from stageflow_actors.model.timer import PipelineTimer
from stageflow_actors.model.trace import TraceContext

StartHook = Callable[[str, StageKind, "PipelineContext"], Awaitable[None] | None]
"""Called with the name and kind of a stage, and the context of the run, as it was admitted."""

_IDENTITY = frozenset(RunIdentity.model_fields) - {"created_at"}
_SNAPSHOT = frozenset(ContextSnapshot.model_fields) - {"run_id", "created_at"}

_BESIDES = ("data", "correlation_id", "ports", "db", "timeout", "priority")

_INPUT = ("input_text", "input_audio_duration_ms")


class PipelineContext(RunContext):
    """One run to be: what it starts with, and the handle to cancel it from outside.

    ``data`` is what the run's stages may read; it is taken as it is when the run starts.
    ``artifacts`` gets what they made, when the run has ended. ``timer`` starts with the run.
    """

    __slots__ = ("_ancestry", "_start_hooks", "_started_by", "_timeout_s", "ports")

    def __init__(
        self,
        snapshot: ContextSnapshot | None = None,
        cancellation: Cancellation | None = None,
        *,
        data: Mapping[str, Any] | None = None,
        correlation_id: UUID | None = None,
        ports: CorePorts | None = None,
        timeout: float | None = None,
        priority: RunPriority | str = RunPriority.INTERACTIVE,
    ) -> None:
        _check_timeout(timeout)
        if data is not None and not isinstance(data, Mapping):
            raise InvalidRunInputError(
                f"The run cannot use the given data: {type(data).__name__} is no mapping.",
                hint="Pass a dict.",
            )
        if correlation_id is not None and not isinstance(correlation_id, UUID):
            raise InvalidRunInputError(
                f"The run cannot use the given correlation_id {correlation_id!r:.80}.",
                hint="Pass a uuid.UUID.",
            )
        if ports is not None and not isinstance(ports, CorePorts):
            raise InvalidRunInputError(
                f"The run cannot use {type(ports).__name__} as its ports.",
                hint="Pass CorePorts(name=...).",
            )
        super().__init__(
            snapshot or ContextSnapshot(),
            timer=PipelineTimer(),
            data=dict(data or {}),
            correlation_id=correlation_id,
            cancellation=cancellation or Cancellation(),
            priority=to_priority(priority),
        )
        self.ports = ports
        self._timeout_s = timeout
        self._started_by = ""
        self._ancestry: Ancestry | None = None
        self._start_hooks: tuple[StartHook, ...] = ()

    @classmethod
    def create(
        cls,
        *,
        data: Mapping[str, Any] | None = None,
        correlation_id: UUID | None = None,
        ports: CorePorts | None = None,
        db: Any = None,
        timeout: float | None = None,
        priority: RunPriority | str = RunPriority.INTERACTIVE,
        **parts: Any,
    ) -> Self:
        """A context from its parts; the ids of run and request are generated where not given.

        ``parts`` are the fields of ``ContextSnapshot`` and the ids of ``RunIdentity``, as in
        ``create(input_text="Hi", user_id=...)``. ``db`` is short for ``ports=CorePorts(db=...)``.
        ``timeout`` is how many seconds the run may take; ``None``: no limit. ``priority`` says
        whether it goes first where runs wait: ``"interactive"``, or ``"background"``.

        Raises:
            InvalidRunInputError: a part cannot be used; the message says which and why.
            TypeError: a part that does not exist.
        """
        if db is not None:
            if ports is not None:
                raise InvalidRunInputError(
                    "Got ports= and also db=.", hint="Pass ports=CorePorts(db=..., ...)."
                )
            ports = CorePorts(db=db)
        snapshot = _snapshot_of({k: v for k, v in parts.items() if v is not None})
        return cls(
            snapshot,
            data=data,
            correlation_id=correlation_id,
            ports=ports,
            timeout=timeout,
            priority=priority,
        )

    @property
    def limit_s(self) -> float | None:
        """How many seconds the run may take; ``None``: no limit."""
        return self._timeout_s

    def after_waiting(self, waited_s: float) -> Self:
        """For the runtime: the same run, with so many seconds of its time gone already."""
        if self._timeout_s is None:
            return self
        other = copy.copy(self)
        other._timeout_s = max(0.0, self._timeout_s - waited_s)
        return other

    def start_clock(self) -> None:
        """For the runtime: the run starts now."""
        self.timer = PipelineTimer()
        if self._timeout_s is not None:
            self._deadline_at = time.monotonic() + self._timeout_s

    @property
    def ancestry(self) -> Ancestry | None:
        """Which stage of which run has spawned it, if one has."""
        return self._ancestry

    @property
    def view(self) -> RunView:
        """What its stages are to be given."""
        return RunView(
            self.snapshot,
            self.data,
            self._correlation_id,
            self.ports,
            self._started_by,
            self._ancestry,
            self.priority is RunPriority.BACKGROUND,
            self.trace,
        )

    def input_data(self) -> dict[str, Any]:
        """What the first stages read: the snapshot's input, and the keys of ``data``."""
        given = {name: getattr(self.snapshot, name, None) for name in _INPUT}
        return {name: value for name, value in given.items() if value is not None} | dict(self.data)

    def with_snapshot(self, snapshot: ContextSnapshot) -> Self:
        """The same run with another snapshot; cancelling either cancels both."""
        other = copy.copy(self)
        other.snapshot = snapshot
        return other

    def with_trace(self, trace: TraceContext) -> Self:
        """For the runtime: the same run, in this place of a trace."""
        other = copy.copy(self)
        other.trace = trace
        return other

    def mark_cancelled(self, reason: str = "") -> None:
        """Cancel the run, before or while it runs, from any thread."""
        self.cancellation.request(reason)

    def add_before_stage_start_hook(self, hook: StartHook) -> None:
        """Call ``hook(stage_name, kind, context)`` before each execution of a stage.

        In this process, in the order in which stages start, retries too. The stage waits for it; of
        one that is skipped it is only told. A hook that raises fails the stage, or cancels the run
        if it raises ``StageCancellationRequested``. It may be ``async``.

        Raises:
            TypeError: it cannot be called.
        """
        if not callable(hook):
            raise TypeError(f"A hook is called; {type(hook).__name__} cannot be.")
        self._start_hooks = (*self._start_hooks, hook)

    @property
    def start_hooks(self) -> tuple[StartHook, ...]:
        """The hooks so far."""
        return self._start_hooks

    def take_cleanups(self) -> Cleanups:
        """The cleanups registered so far; they belong to the run that takes them, and no other."""
        return Cleanups() if self._cleanups is None else self._cleanups.hand_over()


def to_pipeline_context(
    given: RunContext | ContextSnapshot | None, parts: Mapping[str, Any]
) -> PipelineContext:
    """The context of a run from what a caller gave: a context, or the parts of one.

    Raises:
        InvalidRunInputError: both were given, or a context of an unknown type.
        TypeError: an unknown part.
    """
    if given is None:
        return PipelineContext.create(**parts)
    if parts:
        raise InvalidRunInputError(
            f"Got a context and also {', '.join(sorted(parts))}.",
            hint="Pass one or the other.",
        )
    if isinstance(given, PipelineContext):
        return given
    if isinstance(given, StageContext):
        return _nested(given)
    if isinstance(given, ContextSnapshot):
        return PipelineContext(given)
    raise InvalidRunInputError(
        f"A run cannot start from {type(given).__name__}.",
        hint="Pass a PipelineContext, a StageContext or a ContextSnapshot.",
    )


def _check_timeout(timeout: object) -> None:
    if timeout is not None and not (is_number(timeout) and 0 <= timeout <= LONGEST_S):
        raise InvalidRunInputError(
            f"The run cannot use the given timeout {timeout!r:.80}.",
            hint="Give seconds, at least 0 and at most a year, or None.",
        )


def _nested(stage: StageContext) -> PipelineContext:
    """A run that a stage starts: what it sees is what the stage saw."""
    context = PipelineContext(
        stage.snapshot,
        data=stage.data,
        correlation_id=stage.correlation_id,
        ports=stage.inputs.ports,
        timeout=stage.remaining_s,
        priority=stage.priority,
    )
    _take_after(context, stage)
    context.trace = stage.trace
    stage.cancellation.watch(context.mark_cancelled)  # down to the run, never up from it
    return context


def child_context(stage: StageContext, wish: ChildWish) -> PipelineContext:
    """A run that ``stage`` spawns: under its own id, with what was given to it.

    Raises:
        InvalidRunInputError: it cannot use what was given.
        TypeError: ``inherit_data`` is a string.
    """
    if isinstance(wish.inherit_data, str):
        raise TypeError("inherit_data= takes True, False or a collection of keys, not a string.")
    _check_timeout(wish.timeout)
    given = _given(wish.inputs)
    changes: dict[str, Any] = {name: given.pop(name) for name in _INPUT if name in given}
    if wish.execution_mode is not None:
        changes["execution_mode"] = wish.execution_mode
    fields = {name: getattr(stage.snapshot, name) for name in type(stage.snapshot).model_fields}
    fields["run_id"] = stage.identity.with_pipeline_run_id(new_id())
    fields["topology"] = None
    try:
        snapshot = type(stage.snapshot).model_validate(fields | changes)
    except ValidationError as invalid:
        raise _unusable_part(invalid) from invalid
    limits = [each for each in (wish.timeout, stage.remaining_s) if each is not None]
    context = PipelineContext(
        snapshot,
        data={**_inherited(stage.data, wish.inherit_data), **given},
        correlation_id=wish.correlation_id or stage.correlation_id,
        ports=stage.inputs.ports,
        timeout=min(limits, default=None),
        priority=stage.priority,
    )
    _take_after(context, stage)
    context._ancestry = below(stage.ancestry, stage.pipeline_run_id, stage.stage_name)
    context.trace = None if stage.trace is None else stage.trace.child()
    return context


def _take_after(context: PipelineContext, stage: StageContext) -> None:
    """Effects of a repeated stage and of the runs it starts, in the same order, count once."""
    stage.child_runs += 1
    context._started_by = f"{stage.effect_key}/{stage.child_runs}"


def _given(inputs: ChildInput) -> dict[str, Any]:
    if inputs is None:
        return {}
    if isinstance(inputs, str):
        return {"input_text": inputs}
    if not isinstance(inputs, Mapping):
        raise InvalidRunInputError(
            f"A child run cannot start from {type(inputs).__name__}.",
            hint="Give a text, or a mapping of what its first stages read.",
        )
    return dict(inputs)


def _inherited(data: Mapping[str, Any], which: Inherit) -> dict[str, Any]:
    if isinstance(which, bool):
        return dict(data) if which else {}
    return {key: data[key] for key in which if key in data}


def _snapshot_of(parts: Mapping[str, Any]) -> ContextSnapshot:
    unknown = parts.keys() - _IDENTITY - _SNAPSHOT
    if unknown:
        known = ", ".join(sorted((*_IDENTITY, *_SNAPSHOT, *_BESIDES)))
        raise TypeError(f"A run has no {', '.join(sorted(unknown))}; it has: {known}.")
    try:
        identity = RunIdentity.model_validate({k: parts[k] for k in parts.keys() & _IDENTITY})
        rest = {k: parts[k] for k in parts.keys() & _SNAPSHOT}
        return ContextSnapshot.model_validate({"run_id": identity, **rest})
    except ValidationError as invalid:
        raise _unusable_part(invalid) from invalid


def _unusable_part(invalid: ValidationError) -> InvalidRunInputError:
    first = invalid.errors(include_url=False, include_input=False)[0]
    part = ".".join(map(str, first["loc"]))
    return InvalidRunInputError(f"The run cannot use the given {part}: {first['msg']}")
