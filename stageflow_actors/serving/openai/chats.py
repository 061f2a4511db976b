"""Answers of a chat: whole, and as chunks."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any
from uuid import UUID

from stageflow_actors.serving.openai.declaration import Endpoint
from stageflow_actors.serving.openai.failures import Failure
from stageflow_actors.serving.openai.following import Following
from stageflow_actors.serving.openai.models import Model
from stageflow_actors.serving.openai.outcomes import Outcome, Usage
from stageflow_actors.serving.openai.streamed import StreamedAnswer
from stageflow_actors.serving.service import Service
from stageflow_actors.serving.sse import HEARTBEAT

_STOP = "stop"
_DECLINED = "content_filter"
_DONE = b"data: [DONE]\n\n"

Json = dict[str, Any]


def completion(model: Model, outcome: Outcome) -> Json:
    """The whole answer. A stage that has cancelled the run has declined to answer.

    Raises:
        NoAnswerError: the run has none.
    """
    declined = outcome.declined
    if declined is None:
        outcome.check()
    text = outcome.text(model.paths[Endpoint.CHAT]) if declined is None else None
    message = {"role": "assistant", "content": text, "refusal": declined}
    finish = _STOP if declined is None else _DECLINED
    choice = {"index": 0, "message": message, "finish_reason": finish, "logprobs": None}
    told = _head(model, outcome.run_id, "chat.completion", int(time.time()))
    told["choices"] = [choice]
    usage = outcome.usage(model.usage)
    if usage is not None:
        told["usage"] = usage.document()
    return told


class ChatStream(StreamedAnswer):
    """An answer in chunks: the pieces of text that stages stream to the user.

    A pipeline that streams none has its text in one chunk.
    """

    def __init__(
        self, service: Service, tenant: str, run: Following, model: Model, *, wants_usage: bool
    ) -> None:
        super().__init__(service, tenant, run, "text/event-stream")
        self._model = model
        self._wants_usage = wants_usage
        self._created = int(time.time())

    async def parts(self) -> AsyncGenerator[bytes, None]:
        """Chunks, and comments while there is none."""
        is_told = False
        async with aclosing(self.run.pieces()) as pieces:
            async for piece in pieces:
                if piece is None:
                    yield HEARTBEAT
                elif isinstance(piece, str):
                    if not is_told:
                        yield self._chunk({"role": "assistant", "content": ""})
                    yield self._chunk({"content": piece})
                    is_told = True
        outcome = await self.run.outcome()
        declined = outcome.declined
        if declined is not None:
            yield self._chunk({"role": "assistant", "refusal": declined})
        else:
            outcome.check()
            if not is_told:
                text = outcome.text(self._model.paths[Endpoint.CHAT])
                yield self._chunk({"role": "assistant", "content": text})
        yield self._chunk({}, _STOP if declined is None else _DECLINED)
        if self._wants_usage:
            yield self._usage(outcome)
        yield _DONE

    def last_words(self, failure: Failure) -> bytes:
        """The error, where the next chunk would stand."""
        return _frame(failure.document())

    def _chunk(self, delta: Json, finish: str | None = None) -> bytes:
        choice = {"index": 0, "delta": delta, "finish_reason": finish, "logprobs": None}
        told = self._told([choice])
        if self._wants_usage:
            told["usage"] = None
        return _frame(told)

    def _usage(self, outcome: Outcome) -> bytes:
        usage = outcome.usage(self._model.usage) or Usage()
        return _frame({**self._told([]), "usage": usage.document()})

    def _told(self, choices: list[Json]) -> Json:
        assert self.run.run_id is not None, "it was started"
        told = _head(self._model, self.run.run_id, "chat.completion.chunk", self._created)
        return {**told, "choices": choices}


def _head(model: Model, run_id: UUID, kind: str, created: int) -> Json:
    return {"id": f"chatcmpl-{run_id}", "object": kind, "created": created, "model": model.name}


def _frame(document: Json) -> bytes:
    return b"data: %b\n\n" % json.dumps(document, ensure_ascii=True).encode("ascii")
