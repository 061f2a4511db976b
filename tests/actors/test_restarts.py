"""Whose process is replaced after what, as the restart types of OTP have it; who waits for it."""

from __future__ import annotations

import asyncio
import os
import signal
import time

import pytest

from stageflow_actors import (
    ExecutionConfig,
    ExecutionMode,
    Pipeline,
    RayRuntime,
    Restart,
    RunStatus,
)
from tests.actors.restart_stages import Ending, SlowToComeBack
from tests.actors.watching import described, is_there, killed, pid_of, pids_in
from tests.conformance.crossing import Gate, Journal

pytestmark = [pytest.mark.ray, pytest.mark.usefixtures("ray_session")]


def of_each_type(*more):
    pipeline = Pipeline()
    for name in (*Restart, *more):
        pipeline = pipeline.with_stage(name, Ending, restart=name.partition(" ")[0])
    return pipeline.build(execution=ExecutionConfig(ExecutionMode.CONTINUE_ON_ERROR))


async def result_of(app, text=""):
    return await (await app.start(input_text=text)).result()


def codes_of(result):
    return {name: failure.code for name, failure in result.failures.items()}


async def test_after_a_death_all_but_the_temporary_are_replaced():
    async with RayRuntime().deploy(of_each_type("temporary and idle")) as app:
        before = pids_in(await killed(app, "temporary and idle"))
        assert before["temporary and idle"] is None
        first, second = await result_of(app, "die"), await result_of(app)
        after = pids_in(await app.describe())
    assert codes_of(first) == {
        **dict.fromkeys(Restart, "STAGE-OUTCOME-UNKNOWN"),
        "temporary and idle": "STAGE-DOWN",
    }
    assert codes_of(second) == {"temporary": "STAGE-DOWN", "temporary and idle": "STAGE-DOWN"}
    assert "died" in second.failures["temporary"].message
    pids = {name: output.data["pid"] for name, output in second.outputs.items()}
    assert set(pids) == {"permanent", "transient"}
    assert pids.items() <= after.items()
    assert not pids.items() & before.items()
    assert after["temporary"] is None


async def test_after_a_retirement_the_permanent_alone_is_replaced():
    async with RayRuntime().deploy(of_each_type()) as app:
        first = await result_of(app, "retire")
        before = {name: output.data["pid"] for name, output in first.outputs.items()}
        assert set(before) == set(Restart)
        former = before["permanent"]
        told = await described(app, lambda told: pids_in(told)["permanent"] != former)
        second = await result_of(app)
    assert codes_of(second) == dict.fromkeys(["temporary", "transient"], "STAGE-DOWN")
    assert "retired" in second.failures["transient"].message
    assert second.outputs["permanent"].data["pid"] == pids_in(told)["permanent"]
    assert pids_in(told)["transient"] is pids_in(told)["temporary"] is None
    assert told["restarts"]["deaths"] == []  # nobody died


async def test_an_idle_process_that_is_killed_is_replaced_before_anybody_needs_it():
    pipeline = Pipeline().with_stage("only", Ending)
    began = time.time()
    async with RayRuntime().deploy(pipeline) as app:
        former = await pid_of(app, "only")
        os.kill(former, signal.SIGKILL)
        told = await described(
            app, lambda told: told["restarts"]["deaths"] and pids_in(told)["only"] is not None
        )
        assert is_there(pids_in(told)["only"])
        assert not is_there(former)
        assert told["stages"][0]["epoch"] == 2
        (death,) = told["restarts"]["deaths"]
        assert (death["stage"], death["pid"], death["epoch"]) == ("only", former, 1)
        assert began < death["seen_at"] <= death["serving_at"] < time.time()
        assert death["why"]
        result = await result_of(app)
    assert result.outputs["only"].data["pid"] == pids_in(told)["only"]


async def test_who_waits_for_a_replacement_is_executed_by_it_unless_taken_back(tmp_path):
    pipeline = Pipeline().with_stage("only", SlowToComeBack, config={"folder": tmp_path})
    async with RayRuntime().deploy(pipeline) as app:
        former = await pid_of(app, "only")
        Gate(tmp_path, "killed").open()
        os.kill(former, signal.SIGKILL)
        await Gate(tmp_path, "coming-back").opened()
        names = ["first", "taken back", "third", "fourth"]
        handles = {name: await app.start(input_text=name) for name in names}
        await asyncio.gather(*(started(handle) for handle in handles.values()))
        await handles["taken back"].cancel("not any more")
        taken_back = await handles.pop("taken back").result()  # nobody is there yet
        Gate(tmp_path, "come-back").open()
        results = [await handle.result() for handle in handles.values()]
        successor = await pid_of(app, "only")
    assert (taken_back.status, taken_back.reason) == (RunStatus.CANCELLED, "not any more")
    assert {result.outputs["only"].data["pid"] for result in results} == {successor} != {former}
    assert sorted(Journal(tmp_path).lines) == ["first", "fourth", "third"]


async def started(handle):
    async for event in handle.events():
        if event.type == "stage.only.started":
            return
