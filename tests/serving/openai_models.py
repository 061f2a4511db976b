"""Pipelines to ask with the client of OpenAI, and that client."""

from __future__ import annotations

import io
import wave
from typing import Any

import openai
from pydantic import BaseModel

from stageflow_actors import LLMResponse, Pipeline, StageOutput, STTResponse
from stageflow_actors.serving import OpenAIModel, ServedPipeline
from tests.serving import flows
from tests.serving.live import PATIENCE_S

RATE = 8_000
WORDS = ("good ", "morning ", "to you")
BURST = "".join(map(str, range(50_000)))
SAMPLES = bytes(range(200)) * 40


def client_of(live, token="ada", **options) -> openai.OpenAI:
    """The official client; it asks once, unless it is told otherwise."""
    given = {"max_retries": 0, "timeout": PATIENCE_S, **options}
    return openai.OpenAI(base_url=f"{live.url}/v1", api_key=token, **given)


def wav(samples: bytes = SAMPLES) -> bytes:
    """A WAV file of one channel, 16 bits."""
    file = io.BytesIO()
    with wave.open(file, "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(RATE)
        out.writeframes(samples)
    return file.getvalue()


async def echo(ctx):
    """Tells what it was asked, and how."""
    said = ctx.snapshot.conversation
    before = [] if said is None else [[each.role, each.content] for each in said.messages]
    asked = dict(ctx.data["openai"])
    return {
        "text": ctx.snapshot.input_text,
        "before": before,
        "asked": asked,
        "metadata": dict(ctx.snapshot.metadata),
        "tokens": {"prompt_tokens": 7, "completion_tokens": 3},
    }


async def answer(ctx):
    record = LLMResponse(
        content=f"Hello, {ctx.snapshot.input_text}.",
        model="m",
        provider="p",
        input_tokens=11,
        output_tokens=5,
        cached_tokens=4,
    )
    return {"llm": record.to_dict()}


async def talk(ctx):
    for word in WORDS:
        await ctx.stream.send(word)
        await ctx.stream.send("thinking", audience="internal")
    await ctx.stream.send({"not": "text"})
    return {"text": "".join(WORDS)}


async def burst(ctx):
    """Streams more than is held for a reader that comes later."""
    for start in range(0, len(BURST), 10_000):
        await ctx.stream.send(BURST[start : start + 10_000])
    return {"text": BURST}


async def broken_off(ctx):
    await ctx.stream.send("half of ")
    raise FileNotFoundError(flows.SECRET)


async def decline_late(ctx):
    await ctx.stream.send("well, ")
    return StageOutput.cancel("not today")


async def nothing(ctx):
    return {"other": 1}


async def hear(ctx):
    heard = STTResponse(
        text=f"{len(ctx.data['audio'])} bytes of {ctx.data['audio_type']}",
        words=[{"word": "bytes", "start_s": 0.5, "end_s": 1.0}],
        language="en",
        provider="p",
        duration_ms=1500,
    )
    return {"speech": heard.to_dict(), "asked": dict(ctx.data["openai"])}


class Recording(BaseModel):
    audio: bytes
    audio_type: str


async def note(ctx):
    return {"text": "a note", "keys": sorted(ctx.data)}


async def speak(ctx):
    return {"audio": wav(), "samples": SAMPLES}


async def speak_in_pieces(ctx):
    for start in range(0, len(SAMPLES), 1000):
        await ctx.stream.send(SAMPLES[start : start + 1000])
    return {"bytes": len(SAMPLES)}


async def stutter(ctx):
    await ctx.stream.send(SAMPLES)
    raise FileNotFoundError(flows.SECRET)


def one(name: str, body: Any) -> Pipeline:
    """A pipeline of one stage, ``s``."""
    return Pipeline(name).with_stage("s", body, "agent")


def waiting(gates: flows.Gates, name: str) -> Pipeline:
    """Streams a piece, waits at the gate ``<input_text>``, and streams another."""

    async def wait(ctx):
        await ctx.stream.send("before ")
        await gates.passed(ctx.snapshot.input_text)
        await ctx.stream.send("after")
        return {"text": "before after"}

    return one(name, wait)


def sounding(gates: flows.Gates, name: str) -> Pipeline:
    """The same with bytes."""

    async def sound(ctx):
        await ctx.stream.send(b"one ")
        await gates.passed(ctx.snapshot.input_text)
        await ctx.stream.send(b"two ")

    return one(name, sound)


def model(pipeline: Pipeline, **options) -> ServedPipeline:
    """Served as a model, of its own name, whose text is ``s.text``."""
    declared = options or {"chat": "s.text"}
    return ServedPipeline(pipeline, openai=OpenAIModel(**declared))
