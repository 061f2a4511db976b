"""How values leave a stage: sealed in place where they may be shared, as bytes everywhere else.

Both runtimes seal with the same code, so they accept and refuse the same values. Plain data is
deeply frozen. Anything else becomes a ``Payload`` that every reader opens for itself: its objects
are the reader's own, its arrays read-only views of bytes that are never written again.
"""

from __future__ import annotations

import pickle
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, cast

from stageflow_actors.actors.codec import PROTOCOL, FarOutput, Payload, decode, encode, seal_buffers
from stageflow_actors.errors import (
    InvalidRunInputError,
    StageOutputError,
    StageReturnTypeError,
    describe_exception,
    plain_text,
)
from stageflow_actors.model.events import PROVIDER_CALL, SPAN_CONTENTS, STAGE_TRACED
from stageflow_actors.model.extensions import ExtensionBundle
from stageflow_actors.model.frozen import DEFAULT_MAX_DEPTH, FrozenDict, freeze
from stageflow_actors.model.output import StageArtifact, StageEvent, StageOutput, StageStatus
from stageflow_actors.model.routing import RoutingDecision
from stageflow_actors.model.run_view import RunView
from stageflow_actors.model.snapshot import ContextSnapshot
from stageflow_actors.model.validated import revive

if TYPE_CHECKING:
    from stageflow_actors.model.redaction.redactor import Redactor

_REPR_LIMIT = 200

PlainEvent = tuple[str, float, Mapping[str, Any]]
"""Type, seconds since the Unix epoch, plain data."""

SealedOutput = StageOutput | Payload | FarOutput
_NO_DATA = FrozenDict()
_STATUS = MappingProxyType({each.value: each for each in StageStatus})  # an enum's call costs more


def seal(
    output: StageOutput, stage: str, duration_ms: int, max_depth: int = DEFAULT_MAX_DEPTH
) -> SealedOutput:
    """``output`` as its readers may have it.

    Raises:
        StageReturnTypeError: its data is no mapping.
        StageOutputError: it is cyclic, too deep or cannot be pickled.
    """
    data, is_plain = _freeze_data(output.data, stage, max_depth)
    artifacts: Sequence[StageArtifact] = ()
    if output.artifacts:
        artifacts, artifacts_are_plain = _freeze_artifacts(output.artifacts, max_depth)
        is_plain = is_plain and artifacts_are_plain
    routing = output.routing
    if routing is not None:
        metadata, metadata_is_plain = freeze(dict(routing.metadata), max_depth=max_depth)
        routing = replace(routing, metadata=metadata)
        is_plain = is_plain and metadata_is_plain
    error = None if output.error is None else plain_text(output.error)
    version = None if output.version is None else plain_text(output.version)
    sealed = StageOutput(output.status, data, artifacts, (), error, duration_ms, version, routing)
    return sealed if is_plain else _encode_opaque(sealed, stage)


def seal_data(
    data: dict[str, Any], stage: str, duration_ms: int, max_depth: int = DEFAULT_MAX_DEPTH
) -> SealedOutput:
    """``seal`` for an ok output with nothing but data, which is no more than ``data`` yet."""
    frozen, is_plain = _freeze_data(data, stage, max_depth)
    sealed = StageOutput(StageStatus.OK, frozen, duration_ms=duration_ms)
    return sealed if is_plain else _encode_opaque(sealed, stage)


def open_output(sealed: SealedOutput) -> StageOutput:
    """The output for one reader."""
    if type(sealed) is StageOutput:
        return sealed
    status, data, artifacts, error, duration_ms, version, routing = decode(
        sealed  # type: ignore[arg-type]
    )
    made = tuple(StageArtifact(*fields) for fields in artifacts)
    decision = None if routing is None else RoutingDecision(*routing)
    return StageOutput(_STATUS[status], data, made, (), error, duration_ms, version, decision)


def output_to_payload(sealed: SealedOutput) -> Payload:
    """``sealed`` as bytes, for a reader in another process."""
    if isinstance(sealed, Payload):
        return sealed
    assert not isinstance(sealed, FarOutput), "it is elsewhere already"
    # Plain data needs none of cloudpickle's care, and pickle alone is several times faster.
    return Payload(pickle.dumps(_fields(sealed), protocol=PROTOCOL))


def _fields(output: StageOutput) -> tuple[Any, ...]:
    artifacts = tuple((a.type, a.payload, a.timestamp) for a in output.artifacts)
    decision = output.routing
    routing = None
    if decision is not None:
        fallback, metadata = decision.fallback_route, decision.metadata
        routing = (decision.selected_route, decision.confidence, fallback, metadata)
    return (
        output.status.value,
        output.data,
        artifacts,
        output.error,
        output.duration_ms,
        output.version,
        routing,
    )


def _freeze_data(data: Any, stage: str, max_depth: int) -> tuple[Any, bool]:
    if type(data) is dict:
        return freeze(data, max_depth=max_depth) if data else (_NO_DATA, True)
    if not isinstance(data, Mapping):
        raise StageReturnTypeError(
            f"The data of stage '{stage}' is {type(data).__qualname__}, which is no mapping.",
            hint="Pass a dict to StageOutput.ok, for example ok(result=value).",
        )
    if not data:
        return _NO_DATA, True
    return freeze(data if isinstance(data, dict) else dict(data), max_depth=max_depth)


def _freeze_artifacts(
    artifacts: Sequence[StageArtifact], max_depth: int
) -> tuple[tuple[StageArtifact, ...], bool]:
    frozen = [(artifact, *freeze(artifact.payload, max_depth=max_depth)) for artifact in artifacts]
    times_are_plain = freeze([artifact.timestamp for artifact in artifacts])[1]
    made = tuple(
        StageArtifact(plain_text(artifact.type), payload, artifact.timestamp)
        for artifact, payload, _is_plain in frozen
    )
    return made, times_are_plain and all(is_plain for _artifact, _payload, is_plain in frozen)


def _encode_opaque(output: StageOutput, stage: str) -> Payload:
    try:
        payload = seal_buffers(_fields(output))
        decode(payload)  # what cannot be read back is the maker's fault, not the reader's
    except Exception as error:
        raise StageOutputError(
            f"The output of stage '{stage}' cannot be pickled: "
            f"{type(error).__name__}: {describe_exception(error)}.",
            hint="Return data, not locks, sockets, files or generators.",
        ) from error
    return payload


def seal_view(view: RunView) -> RunView | Payload:
    """What the stages of a run are given, as they may have it: itself, or bytes where opaque.

    Raises:
        InvalidRunInputError: a part of it cannot be pickled, contains itself or is too deep.
    """
    data, is_plain = _NO_DATA, view.ports is None and _is_plain_snapshot(view.snapshot)
    if view.data:
        try:
            data, data_is_plain = freeze(dict(view.data))
        except StageOutputError as error:
            raise InvalidRunInputError(
                f"The run cannot use the given data: {error.message}", hint=error.hint
            ) from error
        is_plain = is_plain and data_is_plain
    sealed = RunView(view.snapshot, data, *view[2:])
    if is_plain:
        return sealed
    _check_ports(view)
    try:
        return encode(tuple(sealed))
    except Exception as error:
        raise InvalidRunInputError(
            "The data, the snapshot or the metadata of the run cannot be pickled: "
            f"{type(error).__name__}: {describe_exception(error)}.",
            hint="Pass data, not locks, sockets, files or generators.",
        ) from error


def _is_plain_snapshot(snapshot: ContextSnapshot) -> bool:
    return (
        type(snapshot) is ContextSnapshot
        and (not snapshot.metadata or freeze(snapshot.metadata)[1])
        and not isinstance(snapshot.extensions, ExtensionBundle)
    )


def _check_ports(view: RunView) -> None:
    """Each by itself, so that the error can name the one at fault."""
    for name, port in view.ports.items() if view.ports is not None else ():
        try:
            encode(port)
        except Exception as error:
            raise InvalidRunInputError(
                f"Port '{name}' cannot travel to the stages: "
                f"{type(error).__name__}: {describe_exception(error)}.",
                hint="Pass what it takes to open it, or open it in setup() of the stage.",
            ) from error


def view_to_payload(sealed: RunView | Payload) -> Payload:
    """``sealed`` as bytes, for readers in other processes."""
    if isinstance(sealed, Payload):
        return sealed
    # Where nothing but numbers and text is left, it is read many times faster.
    snapshot, data, *more = sealed
    return Payload(pickle.dumps((snapshot.packed(), data or None, *more), protocol=PROTOCOL))


def open_view(sealed: RunView | Payload) -> RunView:
    """The view for one reader."""
    if isinstance(sealed, RunView):
        return sealed
    snapshot, data, *more = decode(sealed)
    if type(snapshot) is tuple:
        snapshot = revive(ContextSnapshot, *snapshot)
    return RunView(snapshot, data or _NO_DATA, *more)


def plain_event(event: StageEvent, redactor: Redactor) -> PlainEvent:
    """Type, time and data of an event a stage emitted; what is not plain data becomes its ``repr``.
    All of it redacted; what is for spans alone, as it may be told there.

    Events are for observation: odd data in one must not fail a stage, nor travel as code.
    """
    try:
        type_ = redactor.text(plain_text(event.type))
        return type_, event.timestamp.timestamp(), _data_of(event, redactor)
    except Exception as error:
        text = f"{type(error).__name__}: {describe_exception(error)}"
        return "stage.event.unreadable", time.time(), {"error": redactor.text(text)}


def _data_of(event: StageEvent, redactor: Redactor) -> Mapping[str, Any]:
    data, for_spans = event.data, None
    if event.type == PROVIDER_CALL and isinstance(data.get(SPAN_CONTENTS), Mapping):
        for_spans = {SPAN_CONTENTS: plain_data(data[SPAN_CONTENTS], redactor.for_spans)}
        data = {name: value for name, value in data.items() if name != SPAN_CONTENTS}
    elif event.type == STAGE_TRACED and redactor.for_spans is not redactor:
        for_spans = {SPAN_CONTENTS: plain_data(data, redactor.for_spans)}
    told = plain_data(data, redactor)
    return told if for_spans is None else FrozenDict({**told, **for_spans})


def plain_data(data: Mapping[Any, Any], redactor: Redactor) -> Mapping[str, Any]:
    """``data`` frozen and redacted; what in it is not plain becomes its ``repr``.

    Raises:
        StageOutputError: it contains itself or is too deep.
    """
    frozen, is_plain = freeze(dict(data))
    if not is_plain:
        parts = data.items()
        frozen = {plain_text(key): _plain_or_repr(value, redactor) for key, value in parts}
    clean = redactor.data(frozen)
    return cast("Mapping[str, Any]", clean if clean is frozen else freeze(clean)[0])


def _plain_or_repr(value: Any, redactor: Redactor) -> Any:
    frozen, is_plain = freeze(value)
    # Half a secret could not be told from other text: redacted first, then cut.
    return frozen if is_plain else redactor.text(repr(value)[: 2 * _REPR_LIMIT])[:_REPR_LIMIT]
