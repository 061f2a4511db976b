"""``before_stage_start`` hooks: asked in the process that started a run, before a stage begins.

The run asks through a ``HookDesk`` beside it, in the order in which stages start; whoever holds the
handle fetches the questions and answers with what ``StartHooks`` say.
"""

from __future__ import annotations

import asyncio
import inspect
import itertools
import os
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from stageflow_actors.actors.failures import failure_of
from stageflow_actors.actors.messages import Receipt
from stageflow_actors.actors.sealing import seal
from stageflow_actors.engine.facts import Ending
from stageflow_actors.errors import StageCancellationRequested
from stageflow_actors.model.kind import StageKind
from stageflow_actors.model.output import StageOutput
from stageflow_actors.model.pipeline_context import PipelineContext, StartHook
from stageflow_actors.model.plan import StagePlan

if TYPE_CHECKING:
    from stageflow_actors.model.redaction.redactor import Redactor


class Question(NamedTuple):
    """May this stage start? Of one that is skipped it is only told, and nobody waits."""

    number: int
    stage: int


Questions = tuple[tuple[Question, ...], bool]
"""Some questions, and whether no more will come."""


class StartHooks:
    """The hooks of one run, called one after the other."""

    def __init__(self, hooks: Sequence[StartHook], context: PipelineContext) -> None:
        self._hooks = tuple(hooks)
        self._context = context

    async def ask(self, stage: StagePlan) -> Receipt | None:
        """How the stage ends without being executed, if a hook objects."""
        now = time.time()
        try:
            for hook in self._hooks:
                returned = hook(stage.name, StageKind(stage.kind), self._context)
                if inspect.isawaitable(returned):
                    await returned
        except StageCancellationRequested as error:
            output = seal(StageOutput.cancel(error.reason), stage.name, 0)
            reason = self._redactor().text(error.reason)
            return Receipt(Ending.CANCEL.value, now, now, output, reason=reason)
        except BaseException as error:
            task = asyncio.current_task()
            if isinstance(error, asyncio.CancelledError) and task is not None and task.cancelling():
                raise
            return Receipt.failed(failure_of(error, self._redactor()), now, now)
        return None

    def _redactor(self) -> Redactor:
        from stageflow_actors.model.redaction.sources import redactor_of_run

        return redactor_of_run(self._context, None, os.environ)


class HookDesk:
    """The open questions of one run."""

    __slots__ = ("_answers", "_is_closed", "_news", "_numbers", "_questions")

    def __init__(self) -> None:
        self._numbers = itertools.count(1)
        self._questions: list[Question] = []
        self._answers: dict[int, asyncio.Future[Receipt | None]] = {}
        self._news = asyncio.Event()
        self._is_closed = False

    async def ask(self, stage: int) -> Receipt | None:
        """How ``stage`` ends without being executed; ``None``: it may start."""
        question = self.tell(stage)
        answer: asyncio.Future[Receipt | None] = asyncio.get_running_loop().create_future()
        self._answers[question.number] = answer
        try:
            return await answer
        finally:
            del self._answers[question.number]

    def tell(self, stage: int) -> Question:
        """Have the hooks hear of ``stage``, which is skipped."""
        question = Question(next(self._numbers), stage)
        self._questions.append(question)
        self._news.set()
        return question

    async def questions(self, after: int) -> Questions:
        """The questions after that number, once there are any; the flag says that none is left.

        Asking for what follows ``after`` says that everything up to it has arrived.
        """
        while True:
            self._questions = [each for each in self._questions if each.number > after]
            if self._questions or self._is_closed:
                return tuple(self._questions), not self._questions
            self._news.clear()
            await self._news.wait()

    def answer(self, number: int, receipt: Receipt | None) -> None:
        """Take the answer to a question that may have been given up."""
        waiting = self._answers.get(number)
        if waiting is not None and not waiting.done():
            waiting.set_result(receipt)

    def close(self) -> None:
        """The run has ended."""
        self._is_closed = True
        self._news.set()
