"""``InterceptorChain``: interceptors in their order around one attempt of a stage."""

from __future__ import annotations

import asyncio
import inspect
import logging
import math
import os
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any, NamedTuple

from stageflow_actors.errors import (
    StageCancellationRequested,
    StageDefinitionError,
    plain_text,
)
from stageflow_actors.errors.security import InterceptorRejectedError, InterceptorReturnTypeError
from stageflow_actors.interceptors.protocol import (
    INTERRUPTED,
    AttemptEnd,
    BaseInterceptor,
    ErrorAction,
    ErrorDecision,
    InterceptorResult,
    NeverCalled,
)
from stageflow_actors.model.amounts import is_number
from stageflow_actors.model.output import StageOutput, StageStatus, to_output
from stageflow_actors.model.redaction.records import log_raised
from stageflow_actors.model.stage import StageSpec
from stageflow_actors.model.stage_context import StageContext

logger = logging.getLogger("stageflow_actors")

Body = Callable[[], Awaitable[StageOutput]]
"""Executes the stage once: returns its output, or raises."""


class Intercepted(NamedTuple):
    """What became of an attempt: its ``output`` or its ``error``, never both.

    ``wants_retry``: an interceptor asks for another attempt after this ``error``.
    """

    output: StageOutput | None = None
    error: BaseException | None = None
    wants_retry: bool = False


class InterceptorChain:
    """The interceptors of a stage, by ascending priority, ties as listed. Keeps nothing of a run.

    ``spec`` is that of the stage: what it is configured with may be secret.

    Raises:
        StageDefinitionError: one of them is no interceptor.
    """

    __slots__ = ("_are_idle", "_ordered", "_spec")

    def __init__(
        self, interceptors: Iterable[BaseInterceptor], spec: StageSpec | None = None
    ) -> None:
        self._spec = spec
        ordered = in_order(interceptors)
        self._ordered = tuple([each for each in ordered if not isinstance(each, NeverCalled)])
        self._are_idle = tuple(each.is_idle for each in self._ordered)

    @property
    def is_idle(self) -> bool:
        """Whether an attempt that begins now needs no ``run``. Never raises."""
        try:
            for is_idle in self._are_idle:
                if is_idle() is not True:
                    return False
        except BaseException:
            return False  # ``run`` meets the same, and the stage fails with it
        return True

    async def run(self, ctx: StageContext, body: Body) -> Intercepted:
        """One attempt: the interceptors around ``body``. Never raises, stopped or not.

        What an interceptor raises is the error, whatever it is and wherever it is raised.
        """
        began = time.perf_counter()
        entered: list[BaseInterceptor] = []
        try:
            active = self._active()
            end = await _attempt(active, entered, ctx, body) if active else await _plain(body)
        except BaseException as error:
            end = Intercepted(error=error)
        return _tell_ended(entered, end, ctx, self._spec, began) if entered else end

    def _active(self) -> list[BaseInterceptor]:
        # Only a plain True is idle: an ``async def is_idle`` must not switch a check off.
        return [each for each in self._ordered if each.is_idle() is not True]


def in_order(interceptors: Iterable[object]) -> tuple[BaseInterceptor, ...]:
    """The order in which ``before`` is called.

    Raises:
        StageDefinitionError: one of them is no interceptor.
    """
    return tuple(sorted(map(_checked, interceptors), key=lambda each: each.priority))


async def _plain(body: Body) -> Intercepted:
    return Intercepted(await body())


async def _attempt(
    active: Sequence[BaseInterceptor],
    entered: list[BaseInterceptor],
    ctx: StageContext,
    body: Body,
) -> Intercepted:
    output = await _before(active, entered, ctx)
    if output is None:
        try:
            output = await body()
        except BaseException as error:
            # Asked here, so that what they raise has the failure as its context.
            decision = None if _is_stop(error, ctx) else await _decide(entered, error, ctx)
            if decision is None or decision.action is ErrorAction.RETRY:
                return Intercepted(error=error, wants_retry=decision is not None)
            output = to_output(decision.value, ctx.stage_name)
    return Intercepted(await _after(entered, output, ctx))


async def _before(
    active: Sequence[BaseInterceptor], entered: list[BaseInterceptor], ctx: StageContext
) -> StageOutput | None:
    """Ask each of ``active``, noting it in ``entered``; an output stands in for the stage's.

    Raises:
        InterceptorRejectedError: one of them refused the stage.
    """
    for interceptor in active:
        entered.append(interceptor)
        answer = await _settled(interceptor.before(ctx.stage_name, ctx))
        if answer is None:
            continue
        if not isinstance(answer, InterceptorResult):
            raise _unusable(interceptor, "before", answer)
        if answer.error is not None:
            raise InterceptorRejectedError(
                f"Interceptor '{interceptor.name}' refused stage '{ctx.stage_name}': "
                f"{plain_text(answer.error) or 'no reason given'}"
            )
        if not answer.stage_ran:
            return to_output(answer.result, ctx.stage_name)
    return None


async def _after(
    entered: Sequence[BaseInterceptor], output: StageOutput, ctx: StageContext
) -> StageOutput:
    for interceptor in reversed(entered):
        answer = await _settled(interceptor.after(ctx.stage_name, output, ctx))
        if answer is None:
            continue
        if not isinstance(answer, StageOutput):
            raise _unusable(interceptor, "after", answer)
        output = to_output(answer, ctx.stage_name)
    return output


async def _decide(
    entered: Sequence[BaseInterceptor], failure: BaseException, ctx: StageContext
) -> ErrorDecision | None:
    """The first answer other than FAIL, if there is one."""
    for interceptor in reversed(entered):
        answer = await _settled(interceptor.on_error(ctx.stage_name, failure, ctx))
        decision = _to_decision(answer, interceptor)
        if decision is not None and decision.action is not ErrorAction.FAIL:
            return decision
    return None


def _to_decision(answer: object, interceptor: BaseInterceptor) -> ErrorDecision | None:
    if answer is None or isinstance(answer, ErrorDecision):
        return answer
    if isinstance(answer, ErrorAction):
        return ErrorDecision(answer)
    raise _unusable(interceptor, "on_error", answer)


def _tell_ended(
    entered: Sequence[BaseInterceptor],
    end: Intercepted,
    ctx: StageContext,
    spec: StageSpec | None,
    began: float,
) -> Intercepted:
    """Every one that was entered hears of the end, whatever the others raise.

    An output that one of them raises for is lost. The error of a failure or of a stop stays.
    """
    for interceptor in reversed(entered):
        seconds = time.perf_counter() - began
        try:
            outcome = _outcome(end, ctx)
            interceptor.ended(ctx.stage_name, AttemptEnd(outcome, seconds, end.error), ctx)
        except BaseException as raised:
            if end.error is None:
                end = Intercepted(error=raised)
            else:
                _log_end(interceptor, raised, ctx, spec)
    return end


def _log_end(
    interceptor: BaseInterceptor, raised: BaseException, ctx: StageContext, spec: StageSpec | None
) -> None:
    from stageflow_actors.model.redaction.sources import redactor_of_run

    redactor = redactor_of_run(ctx, spec, os.environ)
    log_raised(logger, redactor, raised, "Interceptor '%s' raised at the end.", interceptor.name)


def _outcome(end: Intercepted, ctx: StageContext) -> str:
    if end.output is not None:
        return end.output.status.value
    if end.error is not None and _is_stop(end.error, ctx):
        return INTERRUPTED if ctx.is_cancelled else StageStatus.CANCEL.value
    return (StageStatus.RETRY if end.wants_retry else StageStatus.FAIL).value


def _is_stop(error: BaseException, ctx: StageContext) -> bool:
    """Whether the stage has stopped, by its own wish or on request, and has not failed."""
    if isinstance(error, StageCancellationRequested):
        return True
    return isinstance(error, asyncio.CancelledError) and ctx.is_cancelled


async def _settled(returned: Any) -> Any:
    if returned is not None and inspect.isawaitable(returned):
        return await returned
    return returned


def _unusable(
    interceptor: BaseInterceptor, method: str, answer: object
) -> InterceptorReturnTypeError:
    if inspect.iscoroutine(answer):
        answer.close()  # nobody will await it
    return InterceptorReturnTypeError(
        f"{method} of interceptor '{interceptor.name}' returned a {type(answer).__qualname__}.",
        hint="See BaseInterceptor for what each method may return.",
    )


def _checked(interceptor: object) -> BaseInterceptor:
    if not isinstance(interceptor, BaseInterceptor):
        raise StageDefinitionError(
            f"{interceptor!r:.80} is no interceptor.",
            hint="Give instances of classes that derive from BaseInterceptor.",
        )
    priority = interceptor.priority
    if not is_number(priority) or math.isnan(priority):
        raise StageDefinitionError(
            f"Interceptor '{interceptor.name}' has priority={priority!r:.80}.",
            hint="Give a number; the lowest is called first.",
        )
    for method in (interceptor.is_idle, interceptor.ended):
        if inspect.iscoroutinefunction(method):
            raise StageDefinitionError(
                f"{method.__name__} of interceptor '{interceptor.name}' is async.",
                hint="Make it a plain def; nobody waits for it.",
            )
    return interceptor
