"""``KeeperLine``: what one event loop of a replica asks one keeper."""

from __future__ import annotations

import asyncio
from functools import partial
from math import inf
from typing import Any
from uuid import uuid4

from ray.exceptions import RayError

from stageflow_actors.actors.asking import ask
from stageflow_actors.actors.channel import Channel
from stageflow_actors.actors.mail import Mail
from stageflow_actors.actors.ray_errors import CallFault
from stageflow_actors.model.settings import Settings
from stageflow_actors.serving.replicas.messages import Answer, Ask, Leave, problem_of_wire
from stageflow_actors.serving.replicas.places import Place

_SIZE = 300


class KeeperLostError(Exception):
    """The keeper is dead, or out of reach; what was asked of it may have been done."""


class KeeperLine:
    """Many requests on their way in few calls; each is answered when it can be.

    ``place`` is that of the keeper; ``born`` is when it was started, once it was ``met``.
    """

    def __init__(self, keeper: Any, place: Place, settings: Settings) -> None:
        self.place = place
        self.born = inf
        self._keeper = keeper
        self._waiting: dict[int, asyncio.Future[Any]] = {}
        self._number = 0
        self.is_lost = False
        self._mail = Mail(keeper.exchange.remote, uuid4().hex[:12], settings)
        self._channel = Channel(self._mail, self._is_waiting, self._take, self._break, settings)
        self._mail.look_for(partial(ask, keeper.door.remote, settings.max_unanswered_calls))

    async def ask(self, method: str, *arguments: Any, size: int = _SIZE) -> Any:
        """What the keeper's desk answers. Cancelling it tells the keeper that nobody waits.

        Raises:
            ProblemError: what the desk raised.
            KeeperLostError: no answer will come.
        """
        if self.is_lost:
            raise KeeperLostError
        self._number += 1
        number = self._number
        waiting = self._waiting[number] = asyncio.get_running_loop().create_future()
        self._channel.put(Ask(number, method, arguments), size)
        try:
            return await waiting
        except asyncio.CancelledError:
            if self._waiting.pop(number, None) is not None:
                self._channel.put(Leave(number), _SIZE)
            raise

    async def meet(self) -> None:
        """Have it tell when it was started. One that is gone is lost."""
        try:
            self.born = await self._keeper.born.remote()
        except RayError:
            self.lose()

    def _is_waiting(self) -> bool:
        return bool(self._waiting)

    def _take(self, answer: Answer) -> None:
        waiting = self._waiting.pop(answer.number, None)
        if waiting is None or waiting.done():
            return
        if answer.problem is None:
            waiting.set_result(answer.value)
        else:
            waiting.set_exception(problem_of_wire(answer.problem))

    def lose(self) -> None:
        """The keeper is gone, or about to go: who waits is told, and nothing more is asked."""
        if not self.is_lost:
            self._channel.unsent()
            self._give_up()

    def _break(self, _fault: CallFault) -> None:
        if not self.is_lost:
            self._give_up()

    def _give_up(self) -> None:
        self.is_lost = True
        self._mail.close()
        waiting, self._waiting = self._waiting, {}
        for each in waiting.values():
            if not each.done():
                each.set_exception(KeeperLostError())
