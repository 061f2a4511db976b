"""A stage's process, one that replaces a dead one, too, loads what runs stages and nothing else."""

import subprocess
import sys

import pytest

from tests.style.sources import PACKAGE, ROOT

FOREIGN = (
    "actors.batcher",
    "actors.outlets",
    "actors.run_wire",
    "adapters",
    "configuration",
    "contracts",
    "engine.machine",
    "interceptors.defaults",
    "model.declaration",
    "model.plan",
    "model.policies.batching",
    "model.policies.guard",
    "model.policies.placement",
    "model.policies.scaling",
    "model.results",
    "model.spec_checks",
    "model.stage_checks",
    "model.stats",
    "pipeline",
    "security",
    "serving",
)
"""What declares, decides, reports and serves."""

SHIP = """
import pickle, sys
from stageflow_actors import Pipeline, Settings, StageOutput, stage
from stageflow_actors.actors.codec import encode
from stageflow_actors.actors.wiring import wire

@stage(kind="transform")
async def greet(ctx):
    return StageOutput.ok(greeting="Hello!")

[wired] = wire(Pipeline.from_stages(greet).build())
with open(sys.argv[1], "wb") as file:
    pickle.dump((tuple(encode(wired)), Settings()), file)
"""

HOST = """
import asyncio, pickle, sys
import stageflow_actors.actors.stage_actor
from stageflow_actors.actors.codec import Payload, decode
from stageflow_actors.actors.stage_host import StageHost

with open(sys.argv[1], "rb") as file:
    code, settings = pickle.load(file)
host = asyncio.run(StageHost.prepare(decode(Payload(*code)), settings))
assert host.name == "greet"
print("validated" if type(settings).__pydantic_complete__ else "as made", *sys.modules)
"""


def told_by(code, *arguments):
    fresh = subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        cwd=ROOT, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert fresh.returncode == 0, fresh.stderr
    return fresh.stdout


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    shipped = tmp_path_factory.mktemp("shipped") / "stage.pickle"
    told_by(SHIP, shipped)
    return told_by(HOST, shipped)


@pytest.mark.parametrize("part", FOREIGN)
def test_it_does_without(part, told):
    foreign = f"{PACKAGE}.{part}"
    assert not [name for name in told.split() if name == foreign or name.startswith(f"{foreign}.")]


def test_what_it_does_without_is_there():
    told_by("\n".join(f"import {PACKAGE}.{part}" for part in FOREIGN))


def test_it_builds_no_validator_of_the_settings(told):
    assert told.startswith("as made ")
