"""``Receipts``: what became of a body, as data: its output, its failure, or that it stopped."""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from stageflow_actors.actors.answers import answer_of
from stageflow_actors.actors.codec import Given
from stageflow_actors.actors.failures import failure_of, setup_failure
from stageflow_actors.actors.given_arrays import given_arrays
from stageflow_actors.actors.hints import hint_of_error, hint_of_output
from stageflow_actors.actors.messages import Receipt
from stageflow_actors.actors.provider_calls import tell_calls
from stageflow_actors.actors.routes import take_route
from stageflow_actors.actors.sealing import (
    PlainEvent,
    open_output,
    plain_event,
    seal,
    seal_data,
)
from stageflow_actors.actors.wiring import WiredStage
from stageflow_actors.engine.facts import Ending, Signal
from stageflow_actors.errors import (
    StageCancellationRequested,
    StageFailedError,
    StageReturnTypeError,
    plain_text,
)
from stageflow_actors.model.events import type_from_stage
from stageflow_actors.model.output import ROUTE, StageEvent, StageOutput, StageStatus, to_output
from stageflow_actors.model.redaction.records import log_raised
from stageflow_actors.model.routing import RoutingDecision
from stageflow_actors.model.settings import Settings
from stageflow_actors.model.stage_context import StageContext

if TYPE_CHECKING:
    from stageflow_actors.model.redaction.redactor import Redactor
    from stageflow_actors.model.redaction.stage_secrets import StageSecrets

logger = logging.getLogger("stageflow_actors")

_CANCEL = Ending.CANCEL.value
_OK = Ending.OK.value
_FAILURES = (StageStatus.FAIL, StageStatus.RETRY)


class Receipts:
    """Makes the receipts of one stage. What they say is redacted here, where its secrets are known.

    Outputs and exceptions are the user's own, and stay as they are.
    """

    __slots__ = ("_contracts", "_max_depth", "_name", "_routes", "_secrets", "_spec")

    def __init__(self, stage: WiredStage, settings: Settings) -> None:
        self._spec = stage.spec
        self._name = stage.spec.name
        self._routes = stage.routes
        self._contracts = stage.contracts
        self._max_depth = settings.max_data_depth
        self._secrets: StageSecrets | None = None

    def take(
        self,
        returned: Any,
        error: BaseException | None,
        ctx: StageContext,
        started_at: float,
        began: float,
        *,
        wants_retry: bool = False,
    ) -> Receipt:
        """What became of the body, its output taken as it is now."""
        spent = time.perf_counter() - began
        if ctx.span is not None:
            ctx.finish_span()
        if error is None:
            try:
                tell_calls(returned, ctx)
                # A contract is the user's code, too, and sees what was returned once it is sealed.
                given = {} if self._contracts else given_arrays(returned)
                if type(returned) is dict and ROUTE not in returned and not ctx.artifacts:
                    return self._only_data(returned, given, ctx, started_at, spent)
                output = self.output_of(returned, None)
                return self._returned(output, given, ctx, started_at, spent)
            except BaseException as raised:
                error = raised
        try:
            return self._raised(error, ctx, started_at, spent, wants_retry=wants_retry)
        except BaseException as odd:  # it raises as soon as it is looked at
            return Receipt.failed(failure_of(odd), started_at, started_at + spent)

    def redactor(self, ctx: StageContext) -> Redactor:
        """For what is told of this execution. Made anew each time: hidden is what is known now."""
        from stageflow_actors.model.redaction.sources import redactor_of_run
        from stageflow_actors.model.redaction.stage_secrets import StageSecrets

        if self._secrets is None:
            self._secrets = StageSecrets(self._spec)
        return redactor_of_run(ctx, self._spec, os.environ, known=self._secrets)

    def log_teardown(self, error: BaseException) -> None:
        """Log what ``teardown`` raised."""
        from stageflow_actors.model.redaction.sources import redactor_of_stage

        redactor = redactor_of_stage(self._spec, os.environ)
        log_raised(logger, redactor, error, "teardown of stage '%s' raised.", self._name)

    def output_of(self, returned: Any, error: BaseException | None) -> StageOutput:
        """What the body returned, as an output.

        Raises:
            StageReturnTypeError: it is none.
            BaseException: what the body raised.
        """
        if error is not None:
            raise error
        if returned is None and self._spec.guard_retry is not None:
            raise _no_verdict(self._name)
        return to_output(returned, self._name)

    def with_answer(self, receipt: Receipt) -> Receipt:
        """The receipt with its output as text, for those who come with the same key."""
        if receipt.ending != _OK or receipt.output is None:
            return receipt
        try:
            answer = answer_of(open_output(receipt.output), receipt.signal, self._name)
        except Exception as error:
            failure = setup_failure(error, self._spec)
            return Receipt.failed(failure, receipt.started_at, receipt.ended_at, receipt.events)
        return receipt._replace(answer=answer)

    def _only_data(
        self,
        data: dict[str, Any],
        given: Mapping[str, Given],
        ctx: StageContext,
        started_at: float,
        spent: float,
    ) -> Receipt:
        """``_returned`` for what most bodies return, without an output in between."""
        made = {**data, **given} if given else data
        return Receipt(
            _OK,
            started_at,
            started_at + spent,
            seal_data(made, self._name, int(spent * 1000), max_depth=self._max_depth),
            events=self._told(ctx.emitted, self.redactor(ctx)) if ctx.emitted else (),
            signal=self._signal(data, None, ctx),
        )

    def _returned(
        self,
        output: StageOutput,
        given: Mapping[str, Given],
        ctx: StageContext,
        started_at: float,
        spent: float,
    ) -> Receipt:
        is_ok = output.status is StageStatus.OK
        failure, hint, reason = None, None, ""
        told: tuple[PlainEvent, ...] = ()
        events = (*ctx.emitted, *output.events) if ctx.emitted or output.events else ()
        if events or not is_ok:
            redactor = self.redactor(ctx)
            told = self._told(events, redactor)
            reason = "" if is_ok else redactor.text(output.reason)
            if output.status in _FAILURES:
                error = StageFailedError(output.reason)
                failure = failure_of(error, redactor)
                hint = hint_of_output(self._spec, output, error)
        if ctx.artifacts:
            output = replace(output, artifacts=(*ctx.artifacts, *output.artifacts))
        made = replace(output, data={**output.data, **given}) if given else output
        sealed = seal(made, self._name, int(spent * 1000), max_depth=self._max_depth)
        return Receipt(
            output.status.value,  # every StageStatus is an Ending too
            started_at,
            started_at + spent,
            sealed,
            reason,
            failure,
            told,
            self._signal(output.data, output.routing, ctx) if is_ok else None,
            hint=hint,
        )

    def _signal(
        self, data: Mapping[str, Any], routing: RoutingDecision | None, ctx: StageContext
    ) -> Signal | None:
        """What an ok output says to the stages that wait for it, once it keeps its contracts."""
        for contract in self._contracts:
            contract.check(data)
        skip_reason = data.get("skip_reason")
        if routing is None and not self._routes and not skip_reason:
            return None
        has_words = skip_reason or (routing is not None and routing.metadata)
        redactor = self.redactor(ctx) if has_words else None
        reason = redactor.text(plain_text(skip_reason)) if redactor and skip_reason else ""
        return Signal(reason, *take_route(routing, self._routes, self._name, redactor))

    def _raised(
        self,
        error: BaseException,
        ctx: StageContext,
        started_at: float,
        spent: float,
        *,
        wants_retry: bool,
    ) -> Receipt:
        redactor = self.redactor(ctx)
        events = self._told(ctx.emitted, redactor)
        ended_at = started_at + spent
        cancellation = ctx.cancellation
        if isinstance(error, StageCancellationRequested):
            # One that asks for the cancel ends like one that returned it; an answer has no output.
            output = StageOutput.cancel(error.reason)
            sealed = None if cancellation.is_requested else seal(output, self._name, 0)
            reason = redactor.text(output.reason)
            return Receipt(_CANCEL, started_at, ended_at, sealed, reason=reason, events=events)
        if isinstance(error, asyncio.CancelledError) and cancellation.is_requested:
            return Receipt.interrupted(cancellation.reason, started_at, ended_at, events)
        hint = hint_of_error(self._spec, error, wants_retry=wants_retry)
        ending = Ending.RETRY if wants_retry else Ending.FAIL
        return Receipt.failed(
            failure_of(error, redactor), started_at, ended_at, events, ending=ending, hint=hint
        )

    def _told(self, events: Sequence[StageEvent], redactor: Redactor) -> tuple[PlainEvent, ...]:
        plain = [plain_event(event, redactor) for event in events]
        return tuple([(type_from_stage(type_, self._name), at, told) for type_, at, told in plain])


def _no_verdict(stage: str) -> StageReturnTypeError:
    """A guard that says nothing must not let pass."""
    return StageReturnTypeError(
        f"Stage '{stage}' guards others, and returned nothing.",
        hint="Return StageOutput.ok(...) to let pass, StageOutput.fail(...) to reject.",
        code="GUARD-NO-VERDICT",
    )
