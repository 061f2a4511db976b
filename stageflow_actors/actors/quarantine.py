"""``Quarantine``: where a stage is tried alone for an input that may be what kills its process."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from stageflow_actors.actors.failures import Failure
from stageflow_actors.actors.messages import Execution, Receipt
from stageflow_actors.actors.orders import Order, not_set_up
from stageflow_actors.actors.process_watch import Watch
from stageflow_actors.actors.ray_errors import CallFault
from stageflow_actors.actors.stage_process import StageProcess

_STUCK = "its event loop did not turn any more"


class Quarantine:
    """Suspects of one stage, one after the other, in processes that work on nothing else.

    A process that outlives its suspect takes the next one; with none left it is stopped.
    """

    def __init__(
        self,
        hire: Callable[[Watch], StageProcess],
        dismiss: Callable[[StageProcess], None],
    ) -> None:
        self._hire = hire
        self._dismiss = dismiss
        self._waiting: dict[Execution, Order] = {}
        self._is_busy = False
        self._is_stopped = False
        self.process: StageProcess | None = None

    def admit(self, order: Order) -> None:
        """Try it when its turn has come."""
        self._waiting[order.execution] = order
        self._go_on()

    def take_back(self, execution: Execution) -> Order | None:
        """The order, if it has not begun; it will not."""
        return self._waiting.pop(execution, None)

    def waiting_stages(self) -> list[int]:
        """Of each suspect that waits here."""
        return [order.stage for order in self._waiting.values()]

    def stop(self) -> None:
        """Begin nothing more; what waits here is told by others."""
        self._is_stopped = True

    def _go_on(self) -> None:
        if self._is_busy or self._is_stopped:
            return
        process = self.process
        if not self._waiting:
            if process is not None:
                self.process = None
                self._dismiss(process)
        elif process is None or process.ended_at is not None:
            self.process = self._hire(Watch(self._started, self._died, self._stuck))
        elif process.is_ready:
            order = self._waiting.pop(next(iter(self._waiting)))
            self._is_busy = True
            order.begun()
            process.execute(order._replace(deliver=partial(self._done, order)))

    def _done(self, order: Order, receipt: Receipt) -> None:
        self._is_busy = False
        order.deliver(receipt)
        self._go_on()

    def _started(self, process: StageProcess) -> None:
        if isinstance(process.outcome, Failure) and self._waiting:
            order = self._waiting.pop(next(iter(self._waiting)))
            order.deliver(not_set_up(process.outcome))
        self._go_on()

    def _died(self, process: StageProcess, fault: CallFault) -> None:
        """Whoever was tried in it is told by its call."""
        if not self._is_busy:
            self._go_on()

    def _stuck(self, process: StageProcess) -> None:
        process.end(_STUCK)
