"""Stages that say on which side of a cluster they ran, and pipelines of them."""

from __future__ import annotations

import asyncio
import hashlib
import os
from pathlib import Path

from stageflow_actors import (
    ExecutionConfig,
    ExecutionMode,
    Pipeline,
    Placement,
    RetryPolicy,
    RoutingDecision,
    StageKind,
    StageOutput,
    TransientError,
)

SIDE = "STAGEFLOW_ACTORS_SIDE"
"""The name of the variable that tells the processes of a node which one it is."""
LEFT, RIGHT = "left", "right"
LENIENT = ExecutionConfig(ExecutionMode.CONTINUE_ON_ERROR)
LONG_S = 600
_LOOK_S = 0.05


def on(side, share=None):
    """A place on the node of that side; many fit. Those that share one are in one process."""
    return Placement(resources={side: 0.01}, share=share)


def told(**data):
    return StageOutput.ok(side=os.environ.get(SIDE, ""), **data)


async def record(ctx):
    return told(frames=bytes(range(256)) * 4096, words=(ctx.snapshot.input_text or "").split())


async def hear(ctx):
    frames = ctx.inputs.get("frames")
    return told(heard=hashlib.sha256(frames).hexdigest(), length=len(frames))


async def answer(ctx):
    return told(text=f"{ctx.inputs.get('heard')[:8]} {len(ctx.inputs.get('words'))}")


async def triage(ctx):
    return StageOutput.ok(
        side=os.environ.get(SIDE, ""), route=RoutingDecision(ctx.snapshot.input_text)
    )


async def greet(ctx):
    return told(greeting="Hello")


async def join(ctx):
    return told(joined=ctx.inputs.get("greeting"))


async def stumble(ctx):
    raise ValueError("no such word")


async def recover(ctx):
    if ctx.attempt == 1:
        raise TransientError("not yet")
    return told(attempt=ctx.attempt)


async def hang_up(ctx):
    return StageOutput.cancel("the caller hung up")


async def wait(ctx):
    await asyncio.Event().wait()


class Hold:
    """Notes that it has begun, and goes on when the gate is open."""

    kind = StageKind.WORK

    def __init__(self, folder) -> None:
        self.folder = Path(folder)

    async def execute(self, ctx):
        name = f"{ctx.snapshot.input_text}-{ctx.attempt}"
        (self.folder / name).touch()
        while not (self.folder / "gate").exists():
            await asyncio.sleep(_LOOK_S)
        return told(attempt=ctx.attempt)


def crossing():
    return (
        Pipeline("crossing")
        .with_stage("record", record, "work", placement=on(LEFT))
        .with_stage("hear", hear, "work", "record", placement=on(RIGHT))
        .with_stage("answer", answer, "work", ("record", "hear"), placement=on(LEFT))
    )


def branching():
    return (
        Pipeline("branching")
        .with_stage("triage", triage, "route", placement=on(LEFT))
        .with_stage("near", greet, "work", "triage", route="near", placement=on(LEFT))
        .with_stage("far", greet, "work", "triage", route="far", placement=on(RIGHT))
        .with_stage("join", join, "work", ("near", "far"), placement=on(RIGHT))
    )


def after_greeting(name, runner, **policies):
    """A greeting on the left, and ``runner`` behind it on the right."""
    return (
        Pipeline(name)
        .with_stage("greet", greet, "work", placement=on(LEFT, LEFT))
        .with_stage("then", runner, "work", "greet", placement=on(RIGHT), **policies)
    )


def behind(name, runner, **policies):
    """The same, with a stage on the left that wants its output."""
    pipeline = after_greeting(name, runner, **policies)
    return pipeline.with_stage("last", greet, "work", "then", placement=on(LEFT, LEFT))


FEW = ("crossing", "far", "failure", "cancel", "timeout")
"""Each end once; the others are for the full counts."""


def representative(count="every"):
    """Name, pipeline and input text of runs that end in every way."""
    retry = RetryPolicy(max_attempts=2, initial_delay_s=0)
    every = [
        ("crossing", crossing(), "one two three"),
        ("far", branching(), "far"),
        ("failure", behind("failure", stumble), ""),
        ("lenient", behind("lenient", stumble).build(execution=LENIENT), ""),
        ("retry", behind("retry", recover, retry=retry), ""),
        ("cancel", behind("cancel", hang_up), ""),
        ("timeout", behind("timeout", wait, timeout=0.5), ""),
        ("told to stop", behind("stopped", wait), ""),
    ]
    return [each for each in every if count == "every" or each[0] in FEW]


def holding(folder):
    """One pipeline for each thing that can be done about a node that is lost."""
    held = {"config": {"folder": folder}, "timeout": LONG_S}
    near = Pipeline("near").with_stage("greet", greet, "work", placement=on(LEFT))
    return {
        "near": near.with_stage("then", Hold, "work", "greet", placement=on(LEFT), **held),
        "plain": after_greeting("plain", Hold, **held),
        "fallback": after_greeting("fallback", Hold, fallback={"word": "none"}, **held),
        "lenient": after_greeting("lenient", Hold, **held).build(execution=LENIENT),
        "again": after_greeting("again", Hold, effects="none", **held),
    }
