"""How a stage can end other than ok."""

from __future__ import annotations

from collections.abc import Sequence

from stageflow_actors.errors.root import StageflowError


class StageCancellationRequested(StageflowError):
    """The run is being cancelled; raised inside a stage by the cancellation checks it calls."""

    default_code = "STAGE-CANCELLATION"

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class StageFailedError(StageflowError, RuntimeError):
    """The stage returned ``StageOutput.fail(...)``; ``message`` is the error it gave."""

    default_code = "STAGE-FAILED"


class StageReturnTypeError(StageflowError, TypeError):
    """The stage returned something that is neither a ``StageOutput``, a ``dict`` nor ``None``."""

    default_code = "STAGE-RETURN-TYPE"


class StageOutputError(StageflowError, ValueError):
    """The stage's output cannot leave the stage: cyclic, too deep, or impossible to pickle."""

    default_code = "OUTPUT-UNPICKLABLE"


class StreamError(StageflowError, ValueError):
    """A piece could not be sent, or a stream could not be read."""

    default_code = "STREAM-PIECE"


class StageContractError(StageflowError, ValueError):
    """A stage's output breaks its own contract, or that of a stage that reads it.

    ``path`` leads to the value at fault, as in ``words.3.start``; ``expected`` and ``got``
    are text.
    """

    default_code = "CONTRACT-OUTPUT"

    def __init__(
        self,
        message: str,
        *,
        path: str,
        expected: str,
        got: str,
        hint: str = "",
        code: str | None = None,
    ) -> None:
        super().__init__(message, hint=hint, code=code)
        self.path = path
        self.expected = expected
        self.got = got


class RoutingError(StageflowError, LookupError):
    """A stage that branches wait for chose a route that none of them is on, or chose none.

    ``routes`` are those that there are.
    """

    default_code = "ROUTE-UNMATCHED"

    def __init__(
        self, message: str, *, routes: Sequence[str], hint: str = "", code: str | None = None
    ) -> None:
        super().__init__(message, hint=hint, code=code)
        self.routes = tuple(routes)


class StageTimeoutError(StageflowError, TimeoutError):
    """The stage exceeded its own ``timeout``."""

    default_code = "STAGE-TIMEOUT"


class StageLostError(StageflowError, RuntimeError):
    """The process of the stage died while it worked; whether it had finished is unknown."""

    default_code = "STAGE-OUTCOME-UNKNOWN"


class PoisonedInputError(StageLostError):
    """The stage's process died whenever it worked on this input, at last on nothing else."""

    default_code = "STAGE-POISONED"


class StageDownError(StageflowError, RuntimeError):
    """The stage was not executed: its process has ended, and is not to be replaced."""

    default_code = "STAGE-DOWN"


class TransientError(StageflowError, RuntimeError):
    """For stages to raise: a failure that may pass. Retried by default.

    ``retry_after``, where given, is how long to wait: seconds, or an HTTP date.
    """

    default_code = "STAGE-TRANSIENT"

    def __init__(
        self,
        message: str = "",
        *,
        retry_after: float | str | None = None,
        hint: str = "",
        code: str | None = None,
    ) -> None:
        super().__init__(message, hint=hint, code=code)
        self.retry_after = retry_after


class RateLimitError(TransientError):
    """For stages to raise: a provider wants fewer requests."""

    default_code = "STAGE-RATE-LIMIT"


class ServiceUnavailableError(TransientError):
    """For stages to raise: a provider is down for now."""

    default_code = "STAGE-UNAVAILABLE"


class CircuitBreakerOpenError(StageflowError, RuntimeError):
    """The stage was not executed: it failed too often, and is left alone for a while."""

    default_code = "STAGE-CIRCUIT-OPEN"


class StageAbandonedError(StageflowError, RuntimeError):
    """Raised in a stage that the run has given up: nothing that it does counts any more."""

    default_code = "STAGE-ABANDONED"


class IdempotencyParamMismatch(StageflowError, ValueError):
    """A key was used again with other parameters; ``expected`` and ``actual`` are their hashes."""

    default_code = "IDEMPOTENCY-MISMATCH"

    def __init__(self, key: str, expected: str, actual: str) -> None:
        super().__init__(
            f"The idempotency key {key!r} was used before with other parameters "
            f"({expected:.12} then, {actual:.12} now).",
            hint="Use a new key for a new request.",
        )
        self.key = key
        self.expected = expected
        self.actual = actual


class RemoteStageError(StageflowError, RuntimeError):
    """Stands for a user's exception that could not be pickled; ``type_name`` says what it was."""

    default_code = "STAGE-ERROR-UNPICKLABLE"

    def __init__(self, type_name: str, text: str) -> None:
        super().__init__(f"{type_name}: {text}")
        self.type_name = type_name
        self.text = text


class RemoteTraceback(Exception):
    """The traceback of another process as text; the ``__cause__`` of an exception from there."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.text = text

    def __str__(self) -> str:
        return f"\n{self.text}"
