"""``on_stage_error``: who hears of a failed stage, where, when and how often."""

from __future__ import annotations

import asyncio
import os

import pytest

from stageflow_actors import (
    ExecutionConfig,
    ExecutionMode,
    Pipeline,
    StageTimeoutError,
)
from tests.conformance.crossing import Gate
from tests.conformance.failing_stages import (
    FailFirst,
    Hold,
    at_once,
    broken,
)
from tests.conformance.stages import WaitForever


class Heard:
    """An ``on_stage_error`` that keeps what it is told, and where; opens a gate if it has one."""

    def __init__(self, gate=None):
        self.calls = []
        self.gate = gate

    def __call__(self, stage, error):
        self.calls.append((stage, error, os.getpid(), asyncio.get_running_loop()))
        if self.gate is not None:
            self.gate.open()

    @property
    def stages(self):
        return [stage for stage, *_rest in self.calls]


class HeardAsync(Heard):
    async def __call__(self, stage, error):
        await asyncio.sleep(0)
        super().__call__(stage, error)


def on_error(heard, mode=ExecutionMode.CONTINUE_WITH_CALLBACK):
    return ExecutionConfig(mode=mode, on_stage_error=heard)


@pytest.mark.parametrize("kind", [Heard, HeardAsync])
async def test_the_callback_hears_here_and_now_while_the_run_goes_on(runtime, tmp_path, kind):
    heard = kind(Gate(tmp_path, "heard"))
    graph = (
        Pipeline()
        .with_stage("hold", Hold, config={"folder": tmp_path, "gate": "heard"})
        .with_stage("bad", broken, "work")
        .build(execution=on_error(heard))
    )
    async with runtime.deploy(graph) as app:
        result = await (await app.start()).result()
    assert result.outputs["hold"].data == {"held": True}
    ((stage, error, pid, loop),) = heard.calls
    assert (stage, type(error), error.args) == ("bad", LookupError, ("bad is broken",))
    assert (pid, loop) == (os.getpid(), asyncio.get_running_loop())


async def test_the_callback_hears_of_a_timeout_while_the_run_goes_on(runtime, tmp_path):
    heard = Heard(Gate(tmp_path, "heard"))
    graph = (
        Pipeline()
        .with_stage("hold", Hold, config={"folder": tmp_path, "gate": "heard"}, timeout=20)
        .with_stage("late", WaitForever, config={"folder": tmp_path}, timeout=0.1)
        .build(execution=on_error(heard))
    )
    async with runtime.deploy(graph) as app:
        result = await (await app.start()).result()
    assert (result.tolerated, list(result.outputs)) == (("late",), ["hold"])
    ((_stage, error, *_where),) = heard.calls
    assert isinstance(error, StageTimeoutError)


async def test_the_callback_hears_only_of_failures_that_stand_each_once(runtime, tmp_path):
    heard = Heard()
    flaky = {"folder": tmp_path, "times": 1, "how": ConnectionError("gone")}
    graph = (
        Pipeline()
        .with_stage("flaky", FailFirst, config=flaky, retry=at_once())
        .with_stage("saved", broken, "work", dependencies="flaky", fallback={})
        .with_stage("bad", broken, "work", dependencies="saved")
        .build(execution=on_error(heard))
    )
    async with runtime.deploy(graph) as app:
        assert (await (await app.start()).result()).ok
    assert heard.stages == ["saved", "bad"]


class FailOnStop(WaitForever):
    """Fails when it is told to stop."""

    async def execute(self, ctx):
        try:
            return await super().execute(ctx)
        except asyncio.CancelledError:
            raise KeyError("half done") from None


async def test_the_callback_hears_of_every_failure_of_a_run_that_stops(runtime, tmp_path):
    heard = Heard()
    graph = (
        Pipeline()
        .with_stage("stopped", FailOnStop, config={"folder": tmp_path})
        .with_stage("hold", Hold, config={"folder": tmp_path, "gate": "stopped-runs"})
        .with_stage("bad", broken, "work", dependencies="hold")
        .build(execution=on_error(heard, ExecutionMode.FAIL_FAST_BLOCKING))
    )
    async with runtime.deploy(graph) as app:
        await (await app.start()).result()
    assert sorted(heard.stages) == ["bad", "stopped"]
    assert {type(error) for _stage, error, *_where in heard.calls} == {KeyError, LookupError}


@pytest.mark.parametrize("raised", [RuntimeError, asyncio.CancelledError])
@pytest.mark.parametrize("is_async", [False, True])
async def test_a_callback_that_raises_changes_nothing(runtime, tmp_path, raised, is_async):
    gate = Gate(tmp_path, "heard")

    def plain(stage, error):
        gate.open()
        raise raised("my own fault")

    async def later(stage, error):
        plain(stage, error)

    graph = (
        Pipeline()
        .with_stage("hold", Hold, config={"folder": tmp_path, "gate": "heard"})
        .with_stage("bad", broken, "work")
        .build(execution=on_error(later if is_async else plain))
    )
    async with runtime.deploy(graph) as app:
        result = await (await app.start()).result()
    assert (result.ok, result.tolerated) == (True, ("bad",))
    assert list(result.outputs) == ["hold"]


async def test_the_callback_of_the_pipeline_that_runs_hears_though_others_have_the_same_stages(
    runtime,
):
    first, second = Heard(), Heard()
    pipeline = Pipeline().with_stage("bad", broken, "work")
    async with runtime:
        for heard in (first, second, second):
            await pipeline.build(execution=on_error(heard)).run(runtime=runtime)
    assert (len(first.calls), len(second.calls)) == (1, 2)
