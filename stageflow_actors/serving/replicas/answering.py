"""``Answering``: a desk behind a mailbox: replicas ask, it answers each when it can."""

from __future__ import annotations

import asyncio
import logging
from types import MappingProxyType
from typing import Any

from stageflow_actors.actors.exchange import Exchange, Exchanges
from stageflow_actors.actors.parcels import Parcel, Respond
from stageflow_actors.errors import StageflowError
from stageflow_actors.model.settings import Settings
from stageflow_actors.serving.desk import Entries, Shown
from stageflow_actors.serving.faults import Fault, ProblemError
from stageflow_actors.serving.problems import problem_of
from stageflow_actors.serving.replicas.coming_desk import ComingDesk
from stageflow_actors.serving.replicas.messages import Answer, Ask, Leave, problem_to_wire

logger = logging.getLogger("stageflow_actors.serving")

_SIZE = 200


class Answering:
    """Only what a ``ComingDesk`` has can be asked for."""

    def __init__(self, desk: ComingDesk, settings: Settings) -> None:
        self._methods = MappingProxyType(
            {
                each.__name__: each
                for each in (
                    desk.run,
                    desk.again,
                    desk.look,
                    desk.cancel,
                    desk.read,
                    desk.leave,
                    desk.settle,
                )
            }
        )
        self._exchanges = Exchanges(self._take_message, settings)
        self._working: dict[tuple[Exchange, int], asyncio.Task[Answer]] = {}

    def take(self, caller: str, parcel: Parcel, respond: Respond) -> None:
        """Take the messages of a ``Channel``, each ``Ask`` or ``Leave``; answer with ``Answer``."""
        self._exchanges.take(caller, parcel, respond)

    def _take_message(self, exchange: Exchange, message: Ask | Leave) -> None:
        if isinstance(message, Leave):
            working = self._working.get((exchange, message.number))
            if working is not None:
                working.cancel()
            return
        exchange.due += 1
        task = asyncio.create_task(self._worked_on(message))
        self._working[exchange, message.number] = task
        task.add_done_callback(lambda _done: self._tell(exchange, message.number, task))

    def _tell(self, exchange: Exchange, number: int, task: asyncio.Task[Answer]) -> None:
        """Called by the task's end, not by the task: one that is cancelled at once never begins."""
        del self._working[exchange, number]
        exchange.due -= 1
        answer = Answer(number, None) if task.cancelled() else task.result()
        exchange.tell(answer, _size_of(answer.value), is_last=not exchange.due)

    async def _worked_on(self, ask: Ask) -> Answer:
        try:
            return Answer(ask.number, await self._methods[ask.method](*ask.arguments))
        except ProblemError as problem:
            return Answer(ask.number, None, problem_to_wire(problem))
        except StageflowError as error:
            logger.exception("A request ended in %s.", error.code)
            return Answer(ask.number, None, problem_to_wire(problem_of(error)))
        except Exception:
            logger.exception("A request ended in a defect.")
            return Answer(ask.number, None, problem_to_wire(ProblemError(Fault.DEFECT)))


def _size_of(value: Any) -> int:
    if isinstance(value, Shown):
        return _SIZE + len(value.document)
    if isinstance(value, Entries):
        return _SIZE + sum(entry.size + _SIZE for entry in value.entries)
    return _SIZE
