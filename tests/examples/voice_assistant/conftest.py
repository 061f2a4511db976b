"""One assistant on the local runtime that has answered every recording."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from examples.voice_assistant.pipeline import build_pipeline
from stageflow_actors import LocalRuntime
from tests.examples.voice_assistant.recordings import EXPECTED, path_of


@dataclass(frozen=True)
class Asked:
    """One run that has ended, and the WAV file that it should have written."""

    result: Any
    output: Path

    def __getitem__(self, stage):
        return self.result.outputs.data(stage)

    @property
    def question(self):
        return self["hear"]["question"]

    @property
    def answer(self):
        return self["output_guard"]["text"]

    @property
    def passages(self):
        return [passage["url"] for passage in self["answer"].get("passages", ())]


async def ask(app, recording, output, room="312"):
    """One run of the open deployment ``app``."""
    run = await app.start(input_text=str(recording), metadata={"room": room, "output": str(output)})
    return Asked(await run.result(), output)


async def ask_all(runtime, folder):
    """Every recording that comes with the example, by name."""
    async with runtime.deploy(build_pipeline()) as app:
        return {
            one["name"]: await ask(app, path_of(one["name"]), folder / f"{one['name']}.wav")
            for one in EXPECTED
        }


@pytest.fixture(scope="package")
def asked(tmp_path_factory):
    """Every recording, answered on the local runtime."""
    return asyncio.run(ask_all(LocalRuntime(), tmp_path_factory.mktemp("answers")))
