"""Who made a record is not for the record to say; where its ids go, and what is left out."""

from __future__ import annotations

import asyncio
import contextvars
import io
import json
import logging
import queue
import threading
from concurrent.futures import ThreadPoolExecutor
from logging.handlers import QueueHandler

import pytest
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter, SimpleLogRecordProcessor

from stageflow_actors import LocalRuntime, Pipeline, PipelineContext
from stageflow_actors.model.trace import new_trace
from stageflow_actors.telemetry.log_environment import begin_logs
from stageflow_actors.telemetry.log_export import OtelLogHandler
from stageflow_actors.telemetry.log_formats import JSONLogFormatter
from stageflow_actors.telemetry.logs import EXECUTION_IDS, StageLogFilter, configure_logging

OTHERS = logging.getLogger("some.other.library")
FORGED = {name: f"forged {name}" for name in (*EXECUTION_IDS, "exception", "stack", "timestamp")}


@pytest.fixture
def stamped_by_ray(monkeypatch):
    """Records are as in a process that has loaded Ray."""
    monkeypatch.setattr(logging, "_logRecordFactory", Stamped)


class Stamped(logging.LogRecord):
    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self._ray_timestamp_ns = 7


@pytest.fixture
def lines():
    """What was logged so far, by two handlers: what one has made of a record the other sees."""
    stream, made = io.StringIO(), []
    for _ in range(2):
        handler = logging.StreamHandler(stream)
        handler.addFilter(StageLogFilter())
        handler.setFormatter(JSONLogFormatter())
        OTHERS.addHandler(handler)
        made.append(handler)
    yield lambda: [json.loads(line) for line in stream.getvalue().splitlines()]
    for handler in made:
        OTHERS.removeHandler(handler)


async def run_in_a_trace(body):
    context = PipelineContext.create()
    context.trace = new_trace()
    async with LocalRuntime().deploy(Pipeline("tea").with_stage("s", body, "work")) as app:
        await app.run(context)
    return context.trace


async def tell_a_forged_stage(handler):
    """Log one record, out of stage ``s``, which says that it is of another."""

    async def lies(ctx):
        OTHERS.warning("hello", extra={"stage": "forged"})

    OTHERS.addHandler(handler)
    try:
        await run_in_a_trace(lies)
    finally:
        OTHERS.removeHandler(handler)


async def test_no_extra_takes_the_place_of_who_made_the_record(lines):
    async def lies(ctx):
        OTHERS.warning("hello", extra=FORGED)

    trace = await run_in_a_trace(lies)
    first, second = lines()
    assert first == second
    assert (first["pipeline"], first["stage"], first["attempt"]) == ("tea", "s", 1)
    assert first["trace_id"] == trace.trace_id
    assert not {"exception", "stack"} & first.keys()
    assert {name: first[f"extra.{name}"] for name in FORGED} == FORGED


@pytest.mark.usefixtures("stamped_by_ray")
async def test_what_says_the_truth_is_no_extra(lines):
    async def tells(ctx):
        OTHERS.warning("hello", extra={"stage": "s", "attempt": 1})

    await run_in_a_trace(tells)
    assert [name for name in lines()[0] if name.startswith(("extra.", "_"))] == []


async def test_behind_a_queue_a_record_is_still_whose_it_was():
    """Even where it is written by another stage."""
    passed: queue.Queue[logging.LogRecord] = queue.Queue()
    handler = QueueHandler(passed)
    handler.addFilter(StageLogFilter())
    await tell_a_forged_stage(handler)

    async def writes(ctx):
        return json.loads(JSONLogFormatter().format(passed.get_nowait()))

    async with LocalRuntime().deploy(Pipeline().with_stage("other", writes, "work")) as app:
        read = (await app.run())["other"].data
    assert (read["pipeline"], read["stage"], read["extra.stage"]) == ("tea", "s", "forged")


@pytest.mark.usefixtures("stamped_by_ray")
async def test_an_exported_record_is_of_its_stage_too_and_has_nothing_of_ray():
    exporter = InMemoryLogRecordExporter()
    provider = LoggerProvider(shutdown_on_exit=False)
    provider.add_log_record_processor(SimpleLogRecordProcessor(exporter))
    handler = OtelLogHandler(provider)
    await tell_a_forged_stage(handler)
    [told] = [each.log_record.attributes for each in exporter.get_finished_logs()]
    assert (told["stageflow.stage.name"], told["extra.stage"]) == ("s", "forged")
    assert not [name for name in told if name.startswith("_")]


async def test_ids_go_where_the_context_goes_and_no_further(lines):
    def in_a_thread(message):
        thread = threading.Thread(target=OTHERS.warning, args=(message,))
        thread.start()
        thread.join()

    async def spreads(ctx):
        loop, here = asyncio.get_running_loop(), contextvars.copy_context()
        with ThreadPoolExecutor() as pool:
            await asyncio.to_thread(OTHERS.warning, "to_thread")
            await loop.run_in_executor(pool, OTHERS.warning, "executor")
            await loop.run_in_executor(pool, here.run, OTHERS.warning, "carried")
        in_a_thread("thread")

    await run_in_a_trace(spreads)
    stages = {line["message"]: line.get("stage") for line in lines()}
    assert stages == {"to_thread": "s", "carried": "s", "executor": None, "thread": None}


@pytest.fixture
def process_logs():
    """Afterwards the process logs as before."""
    root = logging.getLogger()
    before, level = list(root.handlers), root.level
    yield
    root.handlers[:] = before
    root.setLevel(level)


@pytest.mark.usefixtures("process_logs")
def test_a_word_that_means_nothing_is_told_with_those_that_do(capsys):
    assert begin_logs({"STAGEFLOW_LOG_FORMAT": "xml", "STAGEFLOW_LOG_LEVEL": "loud"})
    of_format, of_level = capsys.readouterr().err.splitlines()
    assert "STAGEFLOW_LOG_FORMAT='xml' means nothing: say json or text;" in of_format
    assert "STAGEFLOW_LOG_LEVEL='loud' means nothing: say a number, DEBUG, INFO," in of_level


@pytest.mark.usefixtures("process_logs")
@pytest.mark.parametrize(
    ("wrong", "kind", "said"),
    [
        ({"stream": 3}, TypeError, r"cannot be written to stream=3: it has no write\(\)"),
        ({"level": None}, ValueError, "There is no log level 'None': say a number, DEBUG"),
    ],
)
def test_what_cannot_be_logged_with_is_refused_at_once(wrong, kind, said):
    before = list(logging.getLogger().handlers)
    with pytest.raises(kind, match=said):
        configure_logging(**wrong)
    assert logging.getLogger().handlers == before
