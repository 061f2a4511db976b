"""What a stage logs says whose it is, in whichever process it runs."""

from __future__ import annotations

import logging

import pytest

from stageflow_actors import Pipeline, Placement, RayRuntime
from stageflow_actors.telemetry.logs import EXECUTION_IDS, StageLogFilter


class Kept(logging.Handler):
    def __init__(self):
        super().__init__()
        self.told = []
        self.addFilter(StageLogFilter())

    def emit(self, record):
        self.told.append({name: getattr(record, name) for name in EXECUTION_IDS})


class Talks:
    """In its own process, with a handler of its own."""

    kind = "work"

    async def execute(self, ctx):
        library, kept = logging.getLogger("some.library"), Kept()
        library.addHandler(kept)
        try:
            library.warning("hello")
        finally:
            library.removeHandler(kept)
        return kept.told[0]


class Blocks(Talks):
    """In a thread."""

    def execute(self, ctx):
        library, kept = logging.getLogger("another.library"), Kept()
        library.addHandler(kept)
        try:
            library.warning("hello")
        finally:
            library.removeHandler(kept)
        return kept.told[0]


async def test_a_record_of_a_stage_says_whose_it_is_in_its_process_and_its_threads(runtime):
    graph = Pipeline("tea").with_stage("talks", Talks).with_stage("blocks", Blocks)
    async with runtime.deploy(graph) as app:
        run = await app.start()
        result = await run.result()
    for name in ("talks", "blocks"):
        told = result.outputs[name].data
        assert (told["pipeline"], told["stage"], told["attempt"]) == ("tea", name, 1)
        assert told["pipeline_run_id"] == str(run.run_id)


async def says_how_it_logs(ctx):
    root = logging.getLogger()
    written = [type(each.formatter).__name__ for each in root.handlers]
    return {"formatters": written, "level": root.level}


@pytest.mark.ray
@pytest.mark.usefixtures("ray_session")
async def test_the_process_of_a_stage_logs_as_its_environment_asks():
    asked = {"STAGEFLOW_LOG_FORMAT": "json", "STAGEFLOW_LOG_LEVEL": "ERROR"}
    placement = Placement(runtime_env={"env_vars": asked})
    graph = Pipeline().with_stage("s", says_how_it_logs, "work", placement=placement)
    async with RayRuntime().deploy(graph) as app:
        told = (await app.run())["s"].data
    assert "JSONLogFormatter" in told["formatters"]
    assert told["level"] == logging.ERROR
