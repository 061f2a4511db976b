"""How values leave a stage: sealed in place where they may be shared, as bytes everywhere else.

Both runtimes seal with the same code, so they accept and refuse the same values. Plain data is
deeply frozen. Anything else becomes a ``Payload`` that every reader opens for itself: its objects
are the reader's own, its arrays read-only views of bytes that are never written again.
"""

from __future__ import annotations

import io
import pickle
import sys
import traceback
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import cloudpickle

from stageflow_actors.errors import (
    InvalidRunInputError,
    RemoteStageError,
    RemoteTraceback,
    StageflowError,
    StageOutputError,
    StageReturnTypeError,
    describe_exception,
)
from stageflow_actors.model.frozen import DEFAULT_MAX_DEPTH, FrozenDict, freeze
from stageflow_actors.model.output import StageArtifact, StageEvent, StageOutput, StageStatus
from stageflow_actors.model.snapshot import ContextSnapshot

_PROTOCOL = 5
_REPR_LIMIT = 200


class Payload(NamedTuple):
    """A pickled value: the pickle stream and its out-of-band buffers."""

    head: bytes
    buffers: tuple[bytes, ...] = ()

    @property
    def n_bytes(self) -> int:
        """Size of everything in it."""
        return len(self.head) + sum(map(len, self.buffers))


class _ValuePickler(cloudpickle.Pickler):  # type: ignore[misc] # cloudpickle carries no types
    """Pickles values whose classes may live in ``__main__``; takes arrays out of band."""

    def reducer_override(self, value: Any) -> Any:
        numpy = sys.modules.get("numpy")
        if numpy is not None and type(value) is numpy.ndarray and not value.dtype.hasobject:
            # Only contiguous arrays travel out of band and so come back read-only.
            return numpy.ascontiguousarray(value).reshape(value.shape).__reduce_ex__(_PROTOCOL)
        return super().reducer_override(value)


def encode(value: Any) -> Payload:
    """``value`` as bytes; whatever the pickling of it raises passes through."""
    stream = io.BytesIO()
    buffers: list[pickle.PickleBuffer] = []
    _ValuePickler(stream, protocol=_PROTOCOL, buffer_callback=buffers.append).dump(value)
    return Payload(stream.getvalue(), tuple(bytes(buffer.raw()) for buffer in buffers))


def decode(payload: Payload) -> Any:
    """What ``encode`` was given, made anew."""
    return pickle.loads(payload.head, buffers=payload.buffers)


# --- outputs --------------------------------------------------------------------------------------

SealedOutput = StageOutput | Payload
_NO_DATA = FrozenDict()


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
    sealed = StageOutput(
        output.status, data, artifacts, (), output.error, duration_ms, output.version
    )
    return sealed if is_plain else _encode_opaque(sealed, stage)


def open_output(sealed: SealedOutput) -> StageOutput:
    """The output for one reader."""
    if type(sealed) is StageOutput:
        return sealed
    status, data, artifacts, error, duration_ms, version = decode(sealed)  # type: ignore[arg-type]
    made = tuple(StageArtifact(*fields) for fields in artifacts)
    return StageOutput(StageStatus(status), data, made, (), error, duration_ms, version)


def output_to_payload(sealed: SealedOutput) -> Payload:
    """``sealed`` as bytes, for a reader in another process."""
    if isinstance(sealed, Payload):
        return sealed
    # Plain data needs none of cloudpickle's care, and pickle alone is several times faster.
    return Payload(pickle.dumps(_fields(sealed), protocol=_PROTOCOL))


def _fields(output: StageOutput) -> tuple[Any, ...]:
    artifacts = tuple((a.type, a.payload, a.timestamp) for a in output.artifacts)
    status = output.status.value
    return status, output.data, artifacts, output.error, output.duration_ms, output.version


def _freeze_data(data: Any, stage: str, max_depth: int) -> tuple[Any, bool]:
    if not data and isinstance(data, Mapping):
        return _NO_DATA, True
    if not isinstance(data, Mapping):
        raise StageReturnTypeError(
            f"The data of stage '{stage}' is {type(data).__qualname__}, which is no mapping.",
            hint="Pass a dict to StageOutput.ok, for example ok(result=value).",
        )
    return freeze(data if isinstance(data, dict) else dict(data), max_depth=max_depth)


def _freeze_artifacts(
    artifacts: Sequence[StageArtifact], max_depth: int
) -> tuple[tuple[StageArtifact, ...], bool]:
    frozen = [(artifact, *freeze(artifact.payload, max_depth=max_depth)) for artifact in artifacts]
    made = tuple(
        StageArtifact(artifact.type, payload, artifact.timestamp)
        for artifact, payload, _is_plain in frozen
    )
    return made, all(is_plain for _artifact, _payload, is_plain in frozen)


def _encode_opaque(output: StageOutput, stage: str) -> Payload:
    try:
        payload = encode(_fields(output))
        decode(payload)  # what cannot be read back is the maker's fault, not the reader's
    except Exception as error:
        raise StageOutputError(
            f"The output of stage '{stage}' cannot be pickled: "
            f"{type(error).__name__}: {describe_exception(error)}.",
            hint="Return data, not locks, sockets, files or generators.",
        ) from error
    return payload


# --- snapshots ------------------------------------------------------------------------------------


def seal_snapshot(snapshot: ContextSnapshot) -> ContextSnapshot | Payload:
    """The snapshot as its readers may have it: itself, or bytes where its metadata is opaque.

    Raises:
        InvalidRunInputError: its metadata cannot be pickled.
    """
    if freeze(snapshot.metadata)[1]:
        return snapshot
    try:
        return encode(snapshot)
    except Exception as error:
        raise InvalidRunInputError(
            "The metadata of the run cannot be pickled: "
            f"{type(error).__name__}: {describe_exception(error)}.",
            hint="Pass data, not locks, sockets, files or generators.",
        ) from error


def snapshot_to_payload(sealed: ContextSnapshot | Payload) -> Payload:
    """``sealed`` as bytes, for readers in other processes."""
    if isinstance(sealed, Payload):
        return sealed
    return Payload(pickle.dumps(sealed, protocol=_PROTOCOL))


PlainEvent = tuple[str, float, Mapping[str, Any]]
"""Type, seconds since the Unix epoch, plain data."""

# --- events ---------------------------------------------------------------------------------------


def plain_event(event: StageEvent) -> PlainEvent:
    """Type, time and data of an event a stage emitted; what is not plain data becomes its ``repr``.

    Events are for observation: odd data in one must not fail a stage, nor travel as code.
    """
    try:
        frozen, is_plain = freeze(dict(event.data))
        if not is_plain:
            frozen = {str(key): _plain_or_repr(value) for key, value in event.data.items()}
    except Exception as error:
        frozen = {"unreadable": f"{type(error).__name__}: {describe_exception(error)}"}
    return str(event.type), event.timestamp.timestamp(), frozen


def _plain_or_repr(value: Any) -> Any:
    frozen, is_plain = freeze(value)
    return frozen if is_plain else repr(value)[:_REPR_LIMIT]


# --- exceptions -----------------------------------------------------------------------------------


class Failure(NamedTuple):
    """Why a stage failed. Everything but ``exception`` is text, readable without user code."""

    code: str
    error_type: str
    message: str
    traceback: str
    exception: BaseException | Payload


def failure_of(error: BaseException, code: str = "STAGE-RAISED") -> Failure:
    """``error`` described; the exception itself stays the identical object."""
    return Failure(
        code=error.code if isinstance(error, StageflowError) else code,
        error_type=type(error).__qualname__,
        message=error.message if isinstance(error, StageflowError) else describe_exception(error),
        traceback=_traceback_text(error),
        exception=error,
    )


def failure_to_wire(failure: Failure) -> Failure:
    """``failure`` with its exception as bytes, for another process."""
    assert isinstance(failure.exception, BaseException)
    return failure._replace(exception=_encode_exception(failure.exception))


def open_exception(failure: Failure) -> BaseException:
    """The exception: the very object in its own process, elsewhere one of same type, args, text.

    From elsewhere it carries the remote traceback as its ``__cause__``.
    """
    if isinstance(failure.exception, BaseException):
        return failure.exception
    try:
        error: BaseException = _revive(*decode(failure.exception))
    except Exception:
        error = RemoteStageError(failure.error_type, failure.message)
    error.__cause__ = RemoteTraceback(failure.traceback)
    return error


def _traceback_text(error: BaseException) -> str:
    try:
        return "".join(traceback.format_exception(error))
    except Exception:
        return f"{type(error).__name__}: {describe_exception(error)}"


def _encode_exception(error: BaseException) -> Payload:
    """The exception in the first form that reads back as itself.

    Not every exception survives its own ``__reduce__``: the usual one calls ``__init__`` with
    ``args``, which fails where ``__init__`` takes something else. Its parts always do.
    """
    whole = (error, None, None)
    parts = (type(error), error.args, dict(getattr(error, "__dict__", {})))
    for form in (whole, parts):
        try:
            payload = encode(form)
            if _reads_back(_revive(*decode(payload)), error):
                return payload
        except Exception:  # noqa: S112 - user code: anything may happen, the next form is simpler
            continue
    stand_in = RemoteStageError(type(error).__qualname__, describe_exception(error))
    return encode((stand_in, None, None))


def _revive(head: Any, args: Any, state: Any) -> BaseException:
    if isinstance(head, BaseException):
        return head
    error: BaseException = head.__new__(head, *args)
    error.args = args
    error.__dict__.update(state)
    return error


def _reads_back(copy: BaseException, error: BaseException) -> bool:
    if type(copy) is not type(error) or len(copy.args) != len(error.args):
        return False
    if getattr(copy, "__dict__", {}).keys() != getattr(error, "__dict__", {}).keys():
        return False
    return describe_exception(copy) == describe_exception(error)
