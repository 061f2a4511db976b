"""``SocketRuns``: the runs on one WebSocket, by the names that their client gave them."""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress

from starlette.types import Scope as AsgiScope

from stageflow_actors.errors import StageflowError
from stageflow_actors.serving.callers import Caller
from stageflow_actors.serving.desk import RunOrder
from stageflow_actors.serving.faults import SOON_S, Fault, ProblemError
from stageflow_actors.serving.problems import problem_of
from stageflow_actors.serving.request_trace import trace_of
from stageflow_actors.serving.scopes import Scope
from stageflow_actors.serving.service import Service
from stageflow_actors.serving.socket_intake import Intake
from stageflow_actors.serving.socket_messages import (
    Cancel,
    Credit,
    End,
    Input,
    InputBytes,
    Leave,
    Start,
    Watch,
)
from stageflow_actors.serving.socket_replies import error, input_credit, left
from stageflow_actors.serving.socket_run import SocketRun
from stageflow_actors.serving.socket_wire import ClientGoneError, Wire

logger = logging.getLogger("stageflow_actors.serving")


class SocketRuns:
    """A name is free again once the last message of its run is on its way.

    ``scope`` is that of the socket.
    """

    def __init__(self, wire: Wire, service: Service, caller: Caller, scope: AsgiScope) -> None:
        self._wire = wire
        self._service = service
        self._caller = caller
        self._scope = scope
        self._trace = trace_of(scope)
        self._runs: dict[str, SocketRun] = {}

    def __contains__(self, ref: str) -> bool:
        return ref in self._runs

    async def begin(self, said: Start | Watch, size: int) -> None:
        """A run more; the message about it has ``size`` bytes.

        Raises:
            ProblemError: it may not be.
        """
        most = self._service.settings.max_runs_per_socket
        if said.ref in self._runs:
            raise ProblemError(Fault.MESSAGE, "There is a run of that ref already.")
        if len(self._runs) >= most:
            detail = f"There are {most} runs on this socket."
            raise ProblemError(Fault.TOO_MANY_RUNS, detail, retry_after_s=SOON_S)
        run = SocketRun(said.ref, said.credit, self._wire, self._service, self._caller, self._trace)
        if isinstance(said, Watch):
            run.run_id, run.after = said.run_id, said.after
            self._runs[said.ref] = run
            self._launch(run)
            return
        run.intake = self._intake(said, size)
        self._runs[said.ref] = run
        if said.is_open:
            await self._wire.send(input_credit(said.ref, run.intake.grant()))
        else:
            self._end(run)

    async def go_on(
        self, said: Input | InputBytes | End | Credit | Cancel | Leave, blob: bytes, size: int
    ) -> None:
        """Something about a run that there is. What comes too late for one that ended is no fault.

        Raises:
            ProblemError: it cannot be done.
        """
        run = self._runs.get(said.ref)
        if run is None:
            if isinstance(said, Input | InputBytes | End):
                raise ProblemError(Fault.MESSAGE, "There is no run of that ref.")
            return
        match said:
            case Input() | InputBytes():
                await self._add(run, said, blob, size)
            case End():
                self._end(run)
            case Credit():
                run.credits.give(said.bytes)
            case Cancel():
                await self._cancel(run)
            case Leave():
                await self._leave(run)

    def part_soon(self, *, is_left: bool) -> None:
        """The socket is at its end. ``is_left``: because its client has gone."""
        for run in self._runs.values():
            run.part_soon(is_left=is_left)
        self._runs.clear()

    def _intake(self, said: Start, size: int) -> Intake:
        settings = self._service.settings
        self._check_scope()
        self._service.served(said.pipeline)
        if said.timeout_s is not None and said.timeout_s > settings.max_timeout_s:
            detail = f"timeout_s has to be at most {settings.max_timeout_s:g}."
            raise ProblemError(Fault.MESSAGE, detail)
        return Intake(said, size, settings)

    async def _add(self, run: SocketRun, said: Input | InputBytes, blob: bytes, size: int) -> None:
        intake = self._open_intake(run)
        try:
            if isinstance(said, Input):
                intake.add(said.data, size)
            else:
                intake.append(said.key, blob, size)
        except ProblemError:
            del self._runs[run.ref]
            raise
        granted = intake.grant()
        if granted:
            await self._wire.send(input_credit(run.ref, granted))

    def _end(self, run: SocketRun) -> None:
        """The input is complete: start the run, whoever goes away meanwhile."""
        intake = self._open_intake(run)
        start, run.intake = intake.start, None
        served = self._service.served(start.pipeline)
        try:
            order = RunOrder(
                self._caller,
                intake.body(),
                start.timeout_s or self._service.settings.default_timeout_s,
                intake.key(),
                is_cancelled_when_left=served.is_cancelled_when_left,
                size=intake.size,
                reader=run.reader,
                prefix=self._scope.get("root_path", ""),
                trace=self._trace.context,
            )
        except ProblemError:
            del self._runs[run.ref]
            raise
        run.is_cancelled_when_left = order.ends_with_its_client
        run.starting = self._service.hold(self._service.run(start.pipeline, order, 0.0))
        self._launch(run)

    async def _cancel(self, run: SocketRun) -> None:
        self._check_scope()
        if run.intake is None:
            run.cancel_soon()
        else:
            await self._leave(run)

    async def _leave(self, run: SocketRun) -> None:
        del self._runs[run.ref]
        run.part_soon(is_left=False)
        await self._wire.send(left(run.ref))

    def _launch(self, run: SocketRun) -> None:
        run.task = asyncio.create_task(self._show(run))

    async def _show(self, run: SocketRun) -> None:
        try:
            last = await run.show()
        except ClientGoneError:
            return  # the session is at its end, and parts from its runs
        except Exception as failed:
            last = error(problem_from(failed), self._scope, run.ref, is_closed=True)
            self._service.hold(run.leave())
        del self._runs[run.ref]
        with suppress(ClientGoneError):
            await self._wire.send(last)

    def _open_intake(self, run: SocketRun) -> Intake:
        if run.intake is None:
            raise ProblemError(Fault.MESSAGE, "The input of that run has ended.")
        return run.intake

    def _check_scope(self) -> None:
        if not self._caller.starts_runs:
            raise ProblemError(Fault.SCOPE, f"It needs the scope {Scope.RUNS_WRITE}.")


def problem_from(failed: Exception) -> ProblemError:
    """What a client hears of ``failed``; what is no refusal is logged."""
    if isinstance(failed, ProblemError):
        return failed
    logger.error("Something on a socket has failed.", exc_info=failed)
    return problem_of(failed) if isinstance(failed, StageflowError) else ProblemError(Fault.DEFECT)
