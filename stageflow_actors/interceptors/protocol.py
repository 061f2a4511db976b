"""``BaseInterceptor``: code of the user around each attempt of a stage, and what it may answer."""

from __future__ import annotations

from collections.abc import Awaitable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, NamedTuple

from stageflow_actors.errors.security import InterceptorReturnTypeError
from stageflow_actors.model.output import StageOutput, StageStatus
from stageflow_actors.model.stage_context import StageContext

INTERRUPTED = "interrupted"
"""The outcome of an attempt that stopped because it was told to."""


@dataclass(frozen=True, slots=True)
class InterceptorResult:
    """What ``before`` answers where the stage should not run: its ``result``, or why it fails.

    ``InterceptorResult()`` lets it run, as ``None`` does.

    Raises:
        InterceptorReturnTypeError: the parts do not go together.
    """

    stage_ran: bool = True
    result: StageOutput | dict[str, Any] | None = None
    error: str | None = None

    def __post_init__(self) -> None:
        has_answer = self.result is not None or self.error is not None
        if not isinstance(self.stage_ran, bool) or self.stage_ran is has_answer:
            raise InterceptorReturnTypeError(
                "An InterceptorResult has stage_ran=False if, and only if, it has an answer.",
                hint="Give stage_ran=False with result= ({} for no data) or with error=.",
            )
        if not isinstance(self.result, (StageOutput, dict, type(None))):
            raise _no_output("The result of an InterceptorResult", self.result)
        if not isinstance(self.error, (str, type(None))):
            raise InterceptorReturnTypeError(
                f"The error of an InterceptorResult is a {type(self.error).__qualname__}.",
                hint="Give text.",
            )


class ErrorAction(StrEnum):
    """What should become of a stage that raised."""

    FAIL = "fail"
    """It fails, unless another interceptor knows better; so does ``None``."""
    RETRY = "retry"
    """It fails, and is worth another attempt."""
    FALLBACK = "fallback"
    """It ends ok with a value that stands in. Only ``ErrorDecision.fallback(value)`` has one."""


@dataclass(frozen=True, slots=True)
class ErrorDecision:
    """An ``ErrorAction`` with the value that a fallback needs.

    Raises:
        InterceptorReturnTypeError: a fallback without a value, or with one that is not ok; a value
            for another action.
    """

    action: ErrorAction
    value: StageOutput | dict[str, Any] | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.action, ErrorAction):
            raise InterceptorReturnTypeError(
                f"There is no error action {self.action!r:.80}.",
                hint=f"Known actions: {', '.join(ErrorAction)}.",
            )
        if (self.action is ErrorAction.FALLBACK) is not (self.value is not None):
            raise InterceptorReturnTypeError(
                "FALLBACK, and no other action, has a value.",
                hint="Answer ErrorDecision.fallback(value), {} for no data.",
            )
        if not isinstance(self.value, (StageOutput, dict, type(None))):
            raise _no_output("The value of a fallback", self.value)
        if isinstance(self.value, StageOutput) and self.value.status is not StageStatus.OK:
            raise InterceptorReturnTypeError(
                f"The value of a fallback has the status {self.value.status!r:.80}.",
                hint="Give StageOutput.ok(...) or a dict of data.",
            )

    @classmethod
    def fallback(cls, value: StageOutput | dict[str, Any]) -> ErrorDecision:
        """End ok, with ``value`` for what the stage could not make."""
        return cls(ErrorAction.FALLBACK, value)


class AttemptEnd(NamedTuple):
    """How an attempt ended, for those who observe it.

    ``outcome`` is a ``StageStatus``, ``"fail"`` and ``"retry"`` for what was raised too, or
    ``"interrupted"``. ``seconds`` includes the interceptors. ``error`` is what was raised in the
    end, if anything was.
    """

    outcome: str
    seconds: float
    error: BaseException | None = None


class BaseInterceptor:
    """Code around each attempt of a stage, in the stage's process and on its event loop.

    ``before`` is called by ascending ``priority``, the others in reverse; ties as listed. Each may
    be ``async``; a plain ``def`` must not block. One instance serves all attempts, many at a time,
    and is shipped to the processes of the stages: it must be picklable. Whatever it raises fails
    the stage. ``name`` is that of the class where it gives none.
    """

    name: str = "interceptor"
    priority: float = 100

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        if "name" not in vars(cls):
            cls.name = cls.__name__

    def is_idle(self) -> bool:
        """Whether it has nothing to do just now; an attempt that begins then passes it by."""
        return False

    def before(
        self, stage_name: str, ctx: StageContext
    ) -> InterceptorResult | Awaitable[InterceptorResult | None] | None:
        """Called before the stage; may answer in its place."""

    def after(
        self, stage_name: str, output: StageOutput, ctx: StageContext
    ) -> StageOutput | Awaitable[StageOutput | None] | None:
        """Called with what the stage returned, failures that it returned included, or with what
        stands in for that. An output that this returns replaces it.
        """

    def on_error(
        self, stage_name: str, error: BaseException, ctx: StageContext
    ) -> ErrorAction | ErrorDecision | Awaitable[ErrorAction | ErrorDecision | None] | None:
        """Called with what the stage raised, unless an interceptor before it has decided.

        It is not called for a stage that stops on request, nor for what an interceptor raised.
        """

    def ended(self, stage_name: str, end: AttemptEnd, ctx: StageContext) -> None:
        """Called last, once for each ``before`` that was called, however the attempt ended.

        For closing what ``before`` opened. It cannot be ``async``: the attempt may be stopping.
        """


def _no_output(what: str, value: object) -> InterceptorReturnTypeError:
    return InterceptorReturnTypeError(
        f"{what} is a {type(value).__qualname__}.",
        hint="Give StageOutput.ok(...) or a dict of data.",
    )


class NeverCalled(BaseInterceptor):
    """Stands in a list of interceptors for what the runtime does by itself, from outside."""

    def is_idle(self) -> bool:
        return True
