"""The pipeline of ``test_idempotency.py``. Its processes load this, and no test."""

from __future__ import annotations

import asyncio
import os
import signal
from uuid import uuid4

from stageflow_actors import (
    IdempotencyPolicy,
    Pipeline,
    RoutingDecision,
)
from tests.conformance.crossing import Gate
from tests.conformance.timeout_missions import InFolder


class Once(InFolder):
    """Writes down that it was executed, and ends as the input says; no two answers are equal."""

    async def execute(self, ctx):
        self.write(ctx.stage_name)
        how = ctx.snapshot.input_text
        if how == "hold":
            self.tell(ctx)
            await Gate(self.folder, "go-on").opened()
        if how == "raise" or (how == "retry" and ctx.attempt == 1):
            raise ConnectionError("broken")
        if how == "die":
            os.kill(os.getpid(), signal.SIGKILL)
        if how == "endless":
            await asyncio.Event().wait()
        return {"answer": str(uuid4()), "more": [1, {"two": None}]}


async def read(ctx):
    return {"answer": ctx.inputs.get("answer"), "whole": ctx.inputs.get_output("only").data}


class Decides(InFolder):
    async def execute(self, ctx):
        self.write("decided")
        return RoutingDecision("left" if ctx.snapshot.input_text == "left" else "right")


POLICY = IdempotencyPolicy()


def one(folder, name="pipeline", policy=POLICY, **policies):
    return Pipeline(name).with_stage(
        "only", Once, config={"folder": folder}, idempotency=policy, **policies
    )


def keyed(key="k", **more):
    return {"idempotency_key": key, **more}
