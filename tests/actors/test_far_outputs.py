"""Big outputs stay in Ray's object store, and are the same as if they had travelled."""

from __future__ import annotations

import asyncio
import gc
import json
import os
import signal
from pathlib import Path

import numpy as np
import pytest

from stageflow_actors import (
    GuardRetryPolicy,
    LocalRuntime,
    Pipeline,
    Placement,
    RayRuntime,
    RunStatus,
    Settings,
    StageKind,
)
from tests.actors.far_output_stages import (
    MIB,
    TEXT,
    Reads,
    add_up,
    asks,
    drafts,
    make,
    marks,
    says,
    turn,
)
from tests.actors.watching import pid_of, stored_bytes
from tests.chaos.elsewhere import start_elsewhere
from tests.conformance.crossing import Gate
from tests.conformance.failing_stages import at_once
from tests.conformance.parents import alone, knowing

pytestmark = [pytest.mark.ray]
in_session = pytest.mark.usefixtures("ray_session")


def array_of(mib):
    return np.arange(int(mib * MIB) // 8, dtype=np.float64)


def made_and(body):
    return (
        Pipeline()
        .with_stage("make", make, StageKind.WORK)
        .with_stage("then", body, StageKind.WORK, "make")
    )


async def result_of(app, how=""):
    return (await (await app.start(input_text=how)).result()).raise_for_status()


def peak_bytes(pid):
    """The most memory that a process has had so far."""
    lines = Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:")) * 1024


async def until(condition):
    while not condition():
        await asyncio.sleep(0.02)


# --- what is read ---------------------------------------------------------------------------------


@in_session
async def test_arrays_are_equal_and_read_only_and_never_pass_through_the_supervisor():
    pipeline = made_and(turn).with_stage("add", add_up, StageKind.WORK, "make")
    async with RayRuntime().deploy(pipeline) as app:
        for mib in (1, 0.05):  # the second one travels in the messages
            outputs = (await result_of(app, str(mib))).outputs
            assert np.array_equal(outputs["make"].data["array"], array_of(mib))
            assert np.array_equal(outputs["then"].data["array"], array_of(mib)[::-1])
            assert not outputs["then"].data["could_write"]
            with pytest.raises(ValueError, match="read-only"):
                outputs["then"].data["array"][0] = 1.0
        del outputs
        supervisor = (await app.describe())["supervisor_pid"]
        before = peak_bytes(supervisor)
        outputs = (await result_of(app, "48")).outputs
        assert peak_bytes(supervisor) - before < 24 * MIB
    assert outputs["add"].data["sum"] == array_of(48).sum()
    assert outputs["make"].data["array"].nbytes == 48 * MIB


@in_session
async def test_a_big_array_travels_in_the_messages_where_the_settings_say_so():
    settings = Settings(max_inline_bytes=4 * MIB)
    async with RayRuntime(settings=settings).deploy(made_and(turn)) as app:
        outputs = (await result_of(app, "2")).outputs
    assert np.array_equal(outputs["then"].data["array"], array_of(2)[::-1])
    assert not outputs["then"].data["could_write"]
    assert not outputs["make"].data["array"].flags.writeable


@in_session
async def test_text_rejections_retries_and_children_are_as_without_processes():
    makers, readers = ({"placement": Placement(share=name)} for name in ("makers", "readers"))
    again = GuardRetryPolicy("draft")
    pipeline = (
        Pipeline()
        .with_stage("say", says, StageKind.WORK, **makers)
        .with_stage("read", Reads, dependencies="say", retry=at_once(), **readers)
        .with_stage("draft", drafts, StageKind.WORK, **makers)
        .with_stage("mark", marks, StageKind.GUARD, "draft", guard_retry=again, **readers)
        .with_stage("ask", asks, StageKind.WORK, **makers)
    )
    results = []
    for runtime in (LocalRuntime(), RayRuntime()):
        async with knowing(runtime, alone("says", says)).deploy(pipeline) as app:
            results.append(await result_of(app))
    local, far = ({name: each.data for name, each in one.outputs.items()} for one in results)
    assert far == local
    assert results[0].attempts == results[1].attempts
    assert far["read"] == {"read": True, "attempt": 2}
    assert far["draft"]["told"] == TEXT


# --- whose it is ----------------------------------------------------------------------------------


@in_session
async def test_an_output_outlives_the_process_that_made_it(tmp_path):
    async def wait(ctx):
        await Gate(tmp_path, "go-on").opened()
        return {}

    pipeline = (
        Pipeline()
        .with_stage("make", make, StageKind.WORK)
        .with_stage("wait", wait, StageKind.WORK)
        .with_stage("add", add_up, StageKind.WORK, "make", after="wait")
    )
    async with RayRuntime().deploy(pipeline) as app:
        handle = await app.start(input_text="1")
        async for event in handle.events():
            if event.type == "stage.make.completed":
                break
        os.kill(await pid_of(app, "make"), signal.SIGKILL)
        Gate(tmp_path, "go-on").open()
        result = await handle.result()
    assert result.attempts["make"] == 1
    assert result.outputs["add"].data["sum"] == array_of(1).sum()
    assert np.array_equal(result.outputs["make"].data["array"], array_of(1))


@in_session
async def test_only_big_ones_are_in_the_store_and_only_as_long_as_a_run_may_read_them(tmp_path):
    async def hold(ctx):
        await Gate(tmp_path, "go-on").opened()
        return {}

    await until(lambda: stored_bytes() == 0)  # what the tests before have left
    async with RayRuntime().deploy(made_and(hold)) as app:
        small = [await app.start(input_text="0.05") for _run in range(10)]
        big = await app.start(input_text="1")
        await until(lambda: stored_bytes() >= MIB)
        assert stored_bytes() < 1.25 * MIB
        Gate(tmp_path, "go-on").open()
        for handle in (*small, big):
            assert (await handle.result()).status is RunStatus.OK
        for _run in range(50):
            await result_of(app, "1")
        await until(lambda: stored_bytes() == 0)


def fill_the_store(folder):
    """In a session with a small object store, and no room on the disk for what does not fit."""
    import ray

    nowhere_else = {
        "automatic_object_spilling_enabled": False,
        "local_fs_capacity_threshold": 0.0,
        "local_fs_monitor_interval_ms": 100,
    }
    ray.init(
        address="local",
        num_cpus=2,
        include_dashboard=False,
        log_to_driver=False,
        object_store_memory=80 * MIB,
        _system_config=nowhere_else,
    )
    statuses = []

    async def main():
        settings = Settings(stop_timeout_s=2)
        async with RayRuntime(settings=settings).deploy(made_and(add_up)) as app:
            kept = [await result_of(app, "30") for _run in range(2)]
            full = await (await app.start(input_text="30")).result()
            assert [one.outputs["make"].data["array"][1] for one in kept] == [1.0, 1.0]
            kept.clear()
            gc.collect()
            for _run in range(10):  # many times what there is room for
                later = await (await app.start(input_text="20")).result()
                statuses.append(later.status.value)
        failures = {name: [each.code, each.message] for name, each in full.failures.items()}
        (folder / "told.json").write_text(json.dumps([failures, statuses]))

    asyncio.run(main())


def test_a_full_store_is_an_error_that_names_the_stage_until_nobody_reads_what_is_there(tmp_path):
    process = start_elsewhere(lambda: fill_the_store(tmp_path))
    _out, told = process.communicate(timeout=110)
    assert process.returncode == 0, told.decode()
    failures, later = json.loads((tmp_path / "told.json").read_text())
    assert failures.keys() == {"make"}
    code, message = failures["make"]
    assert code == "OUTPUT-STORE-FULL"
    assert "'make'" in message
    assert later == [RunStatus.OK.value] * 10
