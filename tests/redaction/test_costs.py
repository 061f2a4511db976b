"""What redaction costs a stage that ends well: nothing."""

from __future__ import annotations

import subprocess
import sys

import pytest

from stageflow_actors import LocalRuntime, Pipeline, StageOutput
from stageflow_actors.actors.receipts import Receipts

QUIET = """
import asyncio, sys
from stageflow_actors import LocalRuntime, NoOpEventSink, Pipeline, StageOutput

async def ask(ctx):
    return {"n": 1}

def answer(ctx):
    ctx.on_cleanup(lambda: None)
    return StageOutput.ok(n=2)

pipeline = Pipeline("quiet").with_stage("ask", ask, "work")
pipeline = pipeline.with_stage("answer", answer, "work", dependencies="ask")
results = pipeline.run_sync(input_text="hi", runtime=LocalRuntime(event_sink=NoOpEventSink()))
assert results["answer"].data == {"n": 2}
print(sorted(name for name in sys.modules if name.startswith("stageflow_actors.model.redaction.")))
"""


async def quiet(ctx):
    return {"n": 1}


def quiet_output(ctx):
    ctx.on_cleanup(lambda: None)
    return StageOutput.ok(n=1)


async def telling(ctx):
    ctx.try_emit_event("told", {"n": 1})
    return {"n": 1}


@pytest.mark.parametrize(
    ("body", "calls"), [(quiet, 0), (quiet_output, 0), (telling, 1)], ids=lambda each: str(each)
)
async def test_a_redactor_is_made_for_an_execution_that_tells_something_alone(
    body, calls, monkeypatch
):
    made = []
    redactor = Receipts.redactor
    monkeypatch.setattr(
        Receipts, "redactor", lambda self, ctx: made.append(ctx) or redactor(self, ctx)
    )
    async with LocalRuntime().deploy(Pipeline().with_stage("s", body, "work")) as app:
        await app.run()
    assert len(made) == calls


def test_runs_that_end_well_do_not_even_load_it():
    ran = subprocess.run(
        [sys.executable, "-c", QUIET], capture_output=True, text=True, timeout=60, check=True
    )
    few = [f"stageflow_actors.model.redaction.{name}" for name in ("capture", "records")]
    assert ran.stdout.strip() == repr(few)
