"""Secrets and contents in every place where a run may have them: none is told of anywhere."""

from __future__ import annotations

import json
import logging
import traceback
from dataclasses import replace
from pathlib import Path

import pytest

from stageflow_actors import (
    DeploymentError,
    FanOutEventSink,
    InMemoryEventSink,
    JSONLEventSink,
    LocalRuntime,
    PipelineContext,
    RayRuntime,
    RunStatus,
    Settings,
    SQLiteEventSink,
)
from stageflow_actors.model.redaction.capture import VARIABLE
from tests.redaction import leaky

HOWEVER = ("local", pytest.param("ray", marks=pytest.mark.ray))
HERE_ALWAYS = ("local", pytest.param("ray", marks=[pytest.mark.ray, pytest.mark.stress]))


@pytest.fixture
def environ(monkeypatch):
    for name, value in leaky.ENVIRON.items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def sinks(tmp_path):
    memory = InMemoryEventSink()
    files = [JSONLEventSink(tmp_path / "events.jsonl"), SQLiteEventSink(tmp_path / "events.db")]
    return memory, FanOutEventSink(memory, *files), files


@pytest.fixture(params=HOWEVER)
def runtime(request, sinks, environ, caplog):
    caplog.set_level(logging.DEBUG)
    if request.param == "local":
        return LocalRuntime(event_sink=sinks[1])
    request.getfixturevalue("ray_session")
    return RayRuntime(event_sink=sinks[1], settings=Settings(max_hosts_per_deployment=1))


def found_in(text):
    """The places whose canaries are in ``text``."""
    return {place for place, canary in leaky.CANARIES.items() if canary in text}


def told_by(result):
    """All that a result says in words of its own; outputs and exceptions are the user's."""
    own = replace(result, outputs={}, artifacts={}, failures={})
    failures = [replace(each, original=None) for each in result.failures.values()]
    error = result.error()
    return f"{own!r} {failures!r} {'' if error is None else str(error)}"


async def tell_all(runtime, sinks, tmp_path, caplog):
    """Everything that is told of the runs, under the name of where."""
    results = {}
    for pipeline in (leaky.leaky(), leaky.cancelling(), leaky.failing()):
        async with runtime.deploy(pipeline) as app:
            handle = await app.start(PipelineContext(**leaky.given()))
            seen = [event async for event in handle.events()]
            results[pipeline.plan.name] = (await handle.result(), repr(seen))
    with pytest.raises(DeploymentError) as unready:
        async with runtime.deploy(leaky.unready()):
            pass
    await runtime.flush_events()
    for sink in sinks[2]:
        sink.close()
    files = [path.read_bytes().decode("latin-1") for path in tmp_path.rglob("events.*")]
    assert len(files) >= 2
    return results, {
        "results": " ".join(told_by(result) for result, _seen in results.values()),
        "events": " ".join(seen for _result, seen in results.values()),
        "memory": repr(sinks[0].events),
        "files": " ".join(files),
        "logs": caplog.text + repr([record.__dict__ for record in caplog.records]),
        "setup": f"{unready.value} {unready.value!r}",
    }


async def test_no_canary_is_told_of_anywhere(runtime, sinks, tmp_path, caplog):
    results, told = await tell_all(runtime, sinks, tmp_path, caplog)
    result = results["leaky"][0]
    assert result.status is RunStatus.OK
    assert {*result.failures} == {"raises", "in_thread", "instance", "fail", "retry"}
    assert {each.stage for each in result.cleanup_failures} == {"tells", "in_thread"}
    assert results["cancelling"][0].status is RunStatus.CANCELLED
    for where, text in told.items():
        assert "[redacted]" in text, where
        assert found_in(text) == set(), where
    if isinstance(runtime, RayRuntime):
        import ray

        logs = Path(ray._private.worker._global_node.get_logs_dir_path())
        for path in (path for path in logs.rglob("*") if path.is_file()):
            assert found_in(path.read_bytes().decode("latin-1")) == set(), path


@pytest.mark.parametrize("runtime", HERE_ALWAYS, indirect=True)
async def test_what_is_the_users_own_stays_as_it_is(runtime, sinks, tmp_path, caplog):
    results, _told = await tell_all(runtime, sinks, tmp_path, caplog)
    result = results["leaky"][0]
    assert leaky.CANARIES["input"] in str(result.failures["raises"].original)
    assert result.failures["raises"].original.args[1] == {"api_key": leaky.CANARIES["args"]}
    assert leaky.CANARIES["skip"] in result.outputs["skip"].data["reason"]
    assert leaky.CANARIES["skip_signal"] in result.outputs["skip_signal"].data["skip_reason"]
    assert result.outputs["upstream"].data == {"session_key": leaky.CANARIES["upstream"]}
    assert leaky.CANARIES["routing"] in result.outputs["routing"].routing.metadata["why"]


async def test_what_was_said_is_told_in_events_where_that_is_asked_for(environ, monkeypatch):
    monkeypatch.setenv(VARIABLE, "EVENT_ONLY")
    sink = InMemoryEventSink()
    runtime = LocalRuntime(event_sink=sink)
    async with runtime.deploy(leaky.leaky()) as app:
        result = await (await app.start(PipelineContext(**leaky.given()))).result()
    await runtime.flush_events()
    said = {"input", "message", "answer", "sentence"}
    assert found_in(repr(sink.events)) == found_in(told_by(result)) == said


def test_the_traceback_of_an_exception_is_redacted_and_else_as_python_prints_it():
    from stageflow_actors.actors.failures import failure_of

    try:
        raise ValueError(f"password={leaky.CANARIES['args']}")
    except ValueError as error:
        whole = "".join(traceback.format_exception(error))
        failure = failure_of(error)
    assert failure.traceback == whole.replace(leaky.CANARIES["args"], "[redacted]")
    assert failure.message == "password=[redacted]"


def test_there_are_at_least_thirty_canaries_and_no_two_are_the_same():
    assert len(set(leaky.CANARIES.values())) == len(leaky.PLACES) >= 30
    source = Path(leaky.__file__).read_text()
    assert found_in(source) == set()
    assert json.dumps(sorted(leaky.CANARIES))
