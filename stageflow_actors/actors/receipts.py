"""``Receipts``: what became of a body, as data: its output, its failure, or that it stopped."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from stageflow_actors.actors.answers import answer_of
from stageflow_actors.actors.codec import Given
from stageflow_actors.actors.failures import failure_of
from stageflow_actors.actors.given_arrays import given_arrays
from stageflow_actors.actors.hints import hint_of_error, hint_of_output
from stageflow_actors.actors.messages import Receipt
from stageflow_actors.actors.routes import take_route
from stageflow_actors.actors.sealing import open_output, plain_event, seal, seal_data
from stageflow_actors.actors.wiring import WiredStage
from stageflow_actors.engine.facts import Ending, Signal
from stageflow_actors.errors import (
    StageCancellationRequested,
    StageFailedError,
    StageReturnTypeError,
    plain_text,
)
from stageflow_actors.model.output import ROUTE, StageOutput, StageStatus, to_output
from stageflow_actors.model.routing import RoutingDecision
from stageflow_actors.model.settings import Settings
from stageflow_actors.model.stage_context import StageContext

_CANCEL = Ending.CANCEL.value
_OK = Ending.OK.value
_FAILURES = (StageStatus.FAIL, StageStatus.RETRY)


class Receipts:
    """Makes the receipts of one stage."""

    __slots__ = ("_contracts", "_max_depth", "_name", "_routes", "_spec")

    def __init__(self, stage: WiredStage, settings: Settings) -> None:
        self._spec = stage.spec
        self._name = stage.spec.name
        self._routes = stage.routes
        self._contracts = stage.contracts
        self._max_depth = settings.max_data_depth

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
        if error is None:
            try:
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
            failure = failure_of(error)
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
            events=tuple(map(plain_event, ctx.emitted)) if ctx.emitted else (),
            signal=self._signal(data, None),
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
        failure, hint = None, None
        if output.status in _FAILURES:
            error = StageFailedError(output.reason)
            failure, hint = failure_of(error), hint_of_output(self._spec, output, error)
        if ctx.artifacts:
            output = replace(output, artifacts=(*ctx.artifacts, *output.artifacts))
        made = replace(output, data={**output.data, **given}) if given else output
        sealed = seal(made, self._name, int(spent * 1000), max_depth=self._max_depth)
        events = (*ctx.emitted, *output.events) if ctx.emitted or output.events else ()
        return Receipt(
            output.status.value,  # every StageStatus is an Ending too
            started_at,
            started_at + spent,
            sealed,
            "" if is_ok else output.reason,
            failure,
            tuple(map(plain_event, events)) if events else (),
            self._signal(output.data, output.routing) if is_ok else None,
            hint=hint,
        )

    def _signal(self, data: Mapping[str, Any], routing: RoutingDecision | None) -> Signal | None:
        """What an ok output says to the stages that wait for it, once it keeps its contracts."""
        for contract in self._contracts:
            contract.check(data)
        skip_reason = data.get("skip_reason")
        if routing is None and not self._routes and not skip_reason:
            return None
        reason = plain_text(skip_reason) if skip_reason else ""
        return Signal(reason, *take_route(routing, self._routes, self._name))

    def _raised(
        self,
        error: BaseException,
        ctx: StageContext,
        started_at: float,
        spent: float,
        *,
        wants_retry: bool,
    ) -> Receipt:
        events = tuple(map(plain_event, ctx.emitted))
        ended_at = started_at + spent
        cancellation = ctx.cancellation
        if isinstance(error, StageCancellationRequested):
            # One that asks for the cancel ends like one that returned it; an answer has no output.
            output = StageOutput.cancel(error.reason)
            sealed = None if cancellation.is_requested else seal(output, self._name, 0)
            return Receipt(
                _CANCEL, started_at, ended_at, sealed, reason=output.reason, events=events
            )
        if isinstance(error, asyncio.CancelledError) and cancellation.is_requested:
            return Receipt.interrupted(cancellation.reason, started_at, ended_at, events)
        hint = hint_of_error(self._spec, error, wants_retry=wants_retry)
        ending = Ending.RETRY if wants_retry else Ending.FAIL
        return Receipt.failed(
            failure_of(error), started_at, ended_at, events, ending=ending, hint=hint
        )


def _no_verdict(stage: str) -> StageReturnTypeError:
    """A guard that says nothing must not let pass."""
    return StageReturnTypeError(
        f"Stage '{stage}' guards others, and returned nothing.",
        hint="Return StageOutput.ok(...) to let pass, StageOutput.fail(...) to reject.",
        code="GUARD-NO-VERDICT",
    )
