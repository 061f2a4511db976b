"""Pipelines to serve. Gates are opened by the tests, so that nothing depends on time."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

from pydantic import BaseModel, Field

from stageflow_actors import AuthInterceptor, Pipeline, StageGraph, StageOutput

SECRET = "/srv/private/keys.pem in my_pkg.secrets"
BURST, PIECE_BYTES = 40, 100_000


class Question(BaseModel):
    input_text: str
    city: str = Field(max_length=20)


class Answer(BaseModel):
    text: str


class Gates:
    """Named gates that stages wait at, whatever event loop they run on."""

    def __init__(self) -> None:
        self._gates: dict[str, threading.Event] = {}
        self._lock = threading.Lock()

    def of(self, name: str) -> threading.Event:
        with self._lock:
            return self._gates.setdefault(name, threading.Event())

    async def passed(self, name: str) -> None:
        gate = self.of(name)
        while not gate.is_set():
            await asyncio.sleep(0.002)


def reply(ctx):
    return {"text": f"{ctx.snapshot.input_text} in {ctx.data['city']}"}


async def echo(ctx):
    return {
        "text": ctx.snapshot.input_text,
        "data": dict(ctx.data),
        "user": ctx.user_id,
        "org": ctx.org_id,
    }


async def fail(ctx):
    raise FileNotFoundError(SECRET)


async def refuse(ctx):
    return StageOutput.cancel("not today")


def typed() -> Pipeline:
    return Pipeline("typed").with_stage(
        "reply", reply, "work", input_model=Question, output_model=Answer
    )


def plain() -> Pipeline:
    return Pipeline("plain").with_stage("echo", echo, "work")


def failing() -> Pipeline:
    return (
        Pipeline("failing")
        .with_stage("echo", echo, "work")
        .with_stage("fail", fail, "work", "echo")
    )


def refusing() -> Pipeline:
    return Pipeline("refusing").with_stage("refuse", refuse, "work")


def gated(gates: Gates, name: str = "gated") -> Pipeline:
    """Four stages in a row; each waits at the gate ``<input_text>.<its number>``."""

    def waiter(number: int) -> Any:
        async def wait(ctx):
            await gates.passed(f"{ctx.snapshot.input_text}.{number}")
            return {"number": number}

        return wait

    pipeline = Pipeline(name)
    for number in range(1, 5):
        before = f"s{number - 1}" if number > 1 else ()
        pipeline = pipeline.with_stage(f"s{number}", waiter(number), "work", before)
    return pipeline


def checked(verifier) -> StageGraph:
    """Admits its runs itself, wherever they are started."""
    pipeline = Pipeline("checked").with_stage("echo", echo, "work")
    return pipeline.build(interceptors=[AuthInterceptor(verifier)])


def bursting(gates: Gates) -> Pipeline:
    """Waits at the gate ``<input_text>``, then tells more than a socket holds."""

    async def burst(ctx):
        await gates.passed(ctx.snapshot.input_text)
        for number in range(BURST):
            ctx.try_emit_event("burst.piece", {"number": number, "text": "x" * PIECE_BYTES})
        return {}

    return Pipeline("bursting").with_stage("burst", burst, "work")
