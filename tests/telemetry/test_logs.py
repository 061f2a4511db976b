"""Log records say which execution of a stage they belong to, on one line, whatever is in them."""

from __future__ import annotations

import asyncio
import io
import json
import logging
import logging.handlers
import queue
import subprocess
import sys
import threading
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stageflow_actors import LocalRuntime, Pipeline, PipelineContext, RetryPolicy
from stageflow_actors.model.trace import new_trace
from stageflow_actors.telemetry.log_context import entered
from stageflow_actors.telemetry.log_environment import begin_logs
from stageflow_actors.telemetry.log_formats import JSONLogFormatter, TextLogFormatter
from stageflow_actors.telemetry.logs import EXECUTION_IDS, StageLogFilter, configure_logging
from tests.style.sources import ROOT

OTHERS = logging.getLogger("some.other.library")


class Kept(logging.Handler):
    """Keeps what a filter has made of each record."""

    def __init__(self):
        super().__init__()
        self.records = []
        self.addFilter(StageLogFilter())

    def emit(self, record):
        self.records.append(record)

    def ids(self, message):
        [found] = [each for each in self.records if each.getMessage() == message]
        return {name: getattr(found, name) for name in EXECUTION_IDS}


@pytest.fixture
def kept():
    handler, root = Kept(), logging.getLogger()
    root.addHandler(handler)
    yield handler
    root.removeHandler(handler)


@pytest.fixture
def stream():
    """Where the process logs to; afterwards it is as it was."""
    root = logging.getLogger()
    before, level = list(root.handlers), root.level
    yield io.StringIO()
    root.handlers[:] = before
    root.setLevel(level)


def record_of(message="hello", *args, exc_info=None, **extra):
    made = logging.LogRecord("a.logger", logging.WARNING, __file__, 1, message, args, exc_info)
    made.__dict__.update(extra)
    return made


def as_json(record):
    """The one line that it makes, read by a reader that takes nothing but JSON."""
    line = JSONLogFormatter().format(record)
    assert line.isascii()
    assert line.isprintable()

    def refuse(name):
        raise AssertionError(f"{name} is no JSON")

    read = json.loads(line, parse_constant=refuse)
    json.dumps(read, ensure_ascii=False).encode("utf-8")  # no lone surrogates
    return read


# --- who made it ----------------------------------------------------------------------------------


async def test_records_of_a_stage_its_tasks_threads_and_other_libraries_say_whose_they_are(kept):
    async def later():
        await asyncio.sleep(0)
        OTHERS.warning("from a task")

    async def talks(ctx):
        logging.getLogger("mine").warning("from the stage")
        await asyncio.gather(later(), asyncio.to_thread(OTHERS.warning, "from its thread"))
        return {"trace": ctx.trace}

    def blocks(ctx):
        OTHERS.warning("from a plain def")

    graph = Pipeline("tea").with_stage("talks", talks, "work").with_stage("blocks", blocks, "work")
    async with LocalRuntime() as runtime, runtime.deploy(graph) as app:
        run = await app.start()
        result = await run.result()
    OTHERS.warning("from nowhere")
    whole = {"pipeline": "tea", "pipeline_run_id": str(run.run_id), "attempt": 1}
    for message in ("from the stage", "from a task", "from its thread"):
        assert kept.ids(message).items() >= {**whole, "stage": "talks"}.items()
    assert kept.ids("from a plain def").items() >= {**whole, "stage": "blocks"}.items()
    assert set(kept.ids("from nowhere").values()) == {None}
    assert result.ok


async def test_executions_at_the_same_time_are_not_mixed_up_and_each_attempt_has_its_number(kept):
    async def fails_once(ctx):
        await asyncio.sleep(0)
        OTHERS.warning("%s %s", ctx.pipeline_run_id, ctx.attempt)
        if ctx.attempt == 1:
            raise ValueError("again")

    retry = RetryPolicy(max_attempts=2, initial_delay_s=0, retry_on=Exception)
    graph = Pipeline().with_stage("s", fails_once, "work", retry=retry)
    async with LocalRuntime() as runtime, runtime.deploy(graph) as app:
        runs = [await app.start() for _ in range(5)]
        await asyncio.gather(*(run.result() for run in runs))
    told = [each for each in kept.records if each.name == OTHERS.name]
    assert len(told) == 10
    for each in told:
        assert each.getMessage() == f"{each.pipeline_run_id} {each.attempt}"


@pytest.mark.parametrize("is_recorded", [True, False])
async def test_a_traced_run_is_in_its_records_with_the_span_of_the_attempt(kept, is_recorded):
    trace = new_trace()._replace(is_recorded=is_recorded)
    own = trace.attempt("s", 1)

    async def talks(ctx):
        ctx.trace = own  # as where the process has a tracer provider
        await asyncio.create_task(say(entered(ctx)))

    async def say(ctx):
        OTHERS.warning("hello")

    await Pipeline().with_stage("s", talks, "work").run(runtime=LocalRuntime())
    told = kept.ids("hello")
    assert (told["trace_id"], told["span_id"]) == (trace.trace_id, own.span_id)
    assert (told["span_id"] != trace.span_id) == is_recorded


async def test_the_trace_of_a_run_comes_with_its_stages(kept):
    context = PipelineContext.create()
    context.trace = trace = new_trace()

    async def talks(ctx):
        OTHERS.warning("hello")

    async with LocalRuntime().deploy(Pipeline().with_stage("s", talks, "work")) as app:
        await app.run(context)
    assert kept.ids("hello")["trace_id"] == trace.trace_id


def test_what_a_record_says_itself_stays():
    record = record_of(stage="mine", attempt=7)
    assert StageLogFilter().filter(record)
    assert (record.stage, record.attempt, record.pipeline) == ("mine", 7, None)


async def test_a_filter_before_a_queue_knows_what_nobody_knows_behind_it():
    passed: queue.Queue[logging.LogRecord] = queue.Queue()
    handler = logging.handlers.QueueHandler(passed)
    handler.addFilter(StageLogFilter())
    OTHERS.addHandler(handler)
    read = []
    try:

        async def talks(ctx):
            OTHERS.warning("hello")

        await Pipeline("tea").with_stage("s", talks, "work").run(runtime=LocalRuntime())
        reader = threading.Thread(target=lambda: read.append(as_json(passed.get(timeout=5))))
        reader.start()
        await asyncio.to_thread(reader.join)
    finally:
        OTHERS.removeHandler(handler)
    assert (read[0]["pipeline"], read[0]["stage"]) == ("tea", "s")


# --- how it is written ----------------------------------------------------------------------------


class Odd:
    def __str__(self):
        raise RuntimeError("no text")

    __repr__ = __str__


class OddMapping(Mapping):
    def __getitem__(self, key):
        raise KeyError(key)

    def __iter__(self):
        raise RuntimeError("nobody looks inside")

    def __len__(self):
        return 1


KNOT: list[object] = []
KNOT.append(KNOT)
DEEP: object = 1
for _ in range(1_000):
    DEEP = {"deeper": DEEP}


@pytest.mark.parametrize(
    "value",
    [
        float("nan"),
        float("-inf"),
        10**5_000,
        Odd(),
        OddMapping(),
        KNOT,
        DEEP,
        {Odd(): 1, 2: {3}},
        b"\xff\x00",
        "\ud800 \r\n\x1b[31m \u2028",
        ["x" * 100_000] * 3,
        list(range(100_000)),
    ],
    ids=lambda value: type(value).__name__,
)
def test_any_extra_is_strict_json_on_one_line_of_bounded_length(value):
    record = record_of(value=value)
    assert "value" in as_json(record)
    assert len(JSONLogFormatter().format(record)) < 150_000
    assert "\n" not in TextLogFormatter().format(record)


@given(st.text(), st.text(), st.dictionaries(st.text(min_size=1), st.text(), max_size=3))
def test_any_text_is_one_line_in_either_format(message, name, extra):
    own = set(vars(record_of())) | set(EXECUTION_IDS)
    extra = {key: value for key, value in extra.items() if key not in own}
    record = record_of("%s", message, **extra)
    record.name = name
    read = as_json(record)
    assert read["message"] == message.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    assert len(TextLogFormatter().format(record).splitlines()) == 1


def test_an_extra_cannot_take_the_place_of_what_every_record_has():
    read = as_json(record_of(timestamp="never", level="NONE", exception="none", user="me"))
    assert (read["level"], read["extra.level"], read["extra.timestamp"]) == (
        "WARNING",
        "NONE",
        "never",
    )
    assert (read["user"], read["extra.exception"]) == ("me", "none")


def test_arguments_that_do_not_fit_lose_no_record():
    assert "%d apples" in as_json(record_of("%d apples", "many"))["message"]
    assert "Odd" in as_json(record_of(Odd()))["message"]


def test_an_exception_is_text_with_its_traceback():
    try:
        raise ValueError("broken\nin two")
    except ValueError:
        record = record_of(exc_info=sys.exc_info())
    read = as_json(record)
    assert read["exception"].startswith("Traceback")
    assert read["exception"].endswith("ValueError: broken\nin two")
    assert "ValueError: broken" in TextLogFormatter().format(record)


def test_a_message_cannot_make_up_a_record_of_its_own():
    forged = "done\n2026-01-01T00:00:00.000+00:00 INFO root: all is well\x1b[2K"
    line = TextLogFormatter().format(record_of(forged, stage="a\nb"))
    assert len(line.splitlines()) == 1
    assert "\\n2026" in line
    assert "\x1b" not in line
    assert "stage=a\\nb" in line


# --- how it is switched on ------------------------------------------------------------------------


def test_one_call_switches_it_on_and_the_last_one_counts(stream):
    others = list(logging.getLogger().handlers)
    configure_logging(level="debug", format="text", stream=stream)
    configure_logging(level=logging.WARNING, format="json", stream=stream)
    OTHERS.info("not wanted")
    OTHERS.warning("wanted")
    [line] = stream.getvalue().splitlines()
    assert (json.loads(line)["message"], json.loads(line)["logger"]) == ("wanted", OTHERS.name)
    assert [each for each in logging.getLogger().handlers if each in others] == others


def test_a_character_that_the_stream_lacks_is_escaped(stream):
    narrow = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    configure_logging(format="text", stream=narrow)
    OTHERS.warning("caf\u00e9 \ud800")
    narrow.flush()
    assert "caf\\xe9" in narrow.buffer.getvalue().decode("ascii")


@pytest.mark.parametrize("wrong", [{"format": "xml"}, {"level": "loud"}])
def test_what_there_is_not_is_refused(wrong):
    before = list(logging.getLogger().handlers)
    with pytest.raises(ValueError, match="There is no log"):
        configure_logging(**wrong)
    assert logging.getLogger().handlers == before


def test_the_environment_switches_it_on_and_a_word_that_means_nothing_is_told(stream, capsys):
    assert not begin_logs({})
    assert not begin_logs({"STAGEFLOW_LOG_FORMAT": " "})
    assert begin_logs({"STAGEFLOW_LOG_FORMAT": "JSON", "STAGEFLOW_LOG_LEVEL": "loud"})
    OTHERS.info("told")
    first, second = map(json.loads, capsys.readouterr().err.splitlines())
    assert "STAGEFLOW_LOG_LEVEL='loud'" in first["message"]
    assert second["message"] == "told"


def test_the_program_logs_as_its_environment_asks(tmp_path):
    (tmp_path / "flow.py").write_text(
        "import logging\n"
        "from stageflow_actors import Pipeline\n"
        "async def talks(ctx):\n"
        "    logging.getLogger('mine').info('from a stage')\n"
        "pipeline = Pipeline('tea').with_stage('s', talks, 'work')\n",
        encoding="utf-8",
    )
    program = "from stageflow_actors.cli.app import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", program, "run", "-r", "local", f"{tmp_path}/flow.py:pipeline"],
        cwd=ROOT,
        env={"STAGEFLOW_LOG_FORMAT": "json", "PATH": "/usr/bin:/bin", "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in done.stderr.splitlines() if line.startswith("{")]
    [told] = [line for line in lines if line["logger"] == "mine"]
    assert (told["message"], told["stage"], told["attempt"]) == ("from a stage", "s", 1)
