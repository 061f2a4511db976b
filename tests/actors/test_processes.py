"""What only processes can show: who lives where, who dies with whom, and what a run then says."""

from __future__ import annotations

import asyncio
import os
import sys

import pytest

from stageflow_actors import (
    DeploymentError,
    Pipeline,
    RayRuntime,
    RunStatus,
    Settings,
    StageKind,
)
from tests.actors.process_stages import Custom, give_custom, tell_pid
from tests.actors.watching import gone
from tests.conformance.crossing import Gate, Journal
from tests.conformance.stages import After, WaitForever, ok

pytestmark = [pytest.mark.ray, pytest.mark.usefixtures("ray_session")]


def three_stages():
    return (
        Pipeline("three")
        .with_stage("a", tell_pid, StageKind.WORK)
        .with_stage("b", tell_pid, StageKind.WORK, dependencies="a")
        .with_stage("c", tell_pid, StageKind.WORK, dependencies="b")
    )


async def test_every_stage_and_the_supervisor_have_a_process_which_closing_ends():
    async with RayRuntime().deploy(three_stages()) as app:
        described = await app.describe()
        results = await app.run()
    pids = {stage["name"]: stage["pid"] for stage in described["stages"]}
    assert {name: results[name].data["pid"] for name in "abc"} == pids
    assert len({os.getpid(), described["supervisor_pid"], *pids.values()}) == 5
    for pid in (described["supervisor_pid"], *pids.values()):
        await gone(pid)


def count_calls(_actor=None):
    """Count every call to any actor from this process, whoever makes it."""
    from ray.actor import ActorMethod

    ActorMethod.counted = 0
    original = ActorMethod._remote

    def counting(self, *args, **kwargs):
        ActorMethod.counted += 1
        return original(self, *args, **kwargs)

    ActorMethod._remote = counting


def counted_calls(_actor=None):
    from ray.actor import ActorMethod

    return ActorMethod.counted


@pytest.mark.parametrize(("direct_calls", "calls"), [(False, (1, 3)), (True, (0, 0))])
async def test_lone_run_makes_no_other_calls_of_ray(monkeypatch, direct_calls, calls):
    """Sockets are used as soon as they are there, which a first run does not wait for."""
    from ray.actor import ActorMethod

    monkeypatch.setattr(ActorMethod, "_remote", ActorMethod._remote)  # restored afterwards
    settings = Settings(direct_calls=direct_calls)
    async with RayRuntime(settings=settings).deploy(three_stages()) as app:
        for _ in range(50):
            await app.run()
            await app.supervisor.actor.__ray_call__.remote(count_calls)
            count_calls()
            await app.run()
            from_here = counted_calls()
            from_supervisor = await app.supervisor.actor.__ray_call__.remote(counted_calls)
            if (from_here, from_supervisor) == calls:
                break
        assert (from_here, from_supervisor) == calls


async def test_lone_run_costs_one_call_per_stage_and_one_more_and_watching_it_costs_others():
    """The fewest of several: a busy machine may part what would be told at once."""
    to_stages, to_supervisor = [], []
    async with RayRuntime().deploy(three_stages()) as app:
        await app.run()
        for _ in range(5):
            before = await app.describe()
            await app.run()
            after = await app.describe()
            to_stages.append(after["calls_to_stages"] - before["calls_to_stages"])
            to_supervisor.append(after["calls_to_supervisor"] - before["calls_to_supervisor"])
        before = await app.describe()
        handle = await app.start()
        assert [event async for event in handle.events()]
        after = await app.describe()
    watched = after["calls_to_supervisor"] - before["calls_to_supervisor"]
    assert watched > 1 + 1  # the run, describe(), and at least one fetch of events
    assert min(to_stages) == 3
    assert min(to_supervisor) == 1 + 1  # describe()


async def test_supervisor_loads_no_user_code_and_no_user_data():
    pipeline = (
        Pipeline()
        .with_stage("a", give_custom, StageKind.WORK)
        .with_stage("b", tell_pid, StageKind.WORK, dependencies="a")
    )
    async with RayRuntime().deploy(pipeline) as app:
        results = await app.run(metadata={"custom": Custom()})
        modules = await app.supervisor.actor.__ray_call__.remote(lambda _self: list(sys.modules))
    assert type(results["a"].data["custom"]) is Custom
    assert "stageflow_actors.actors.supervisor" in modules
    assert not [name for name in modules if name.startswith("tests")]


async def test_stage_that_cannot_be_pickled_is_named():
    lock = __import__("threading").Lock()

    async def holding_a_lock(ctx):
        return {"locked": lock.locked()}

    pipeline = (
        Pipeline("tea")
        .with_stage("fine", ok, StageKind.WORK)
        .with_stage("locked", holding_a_lock, StageKind.WORK)
    )
    with pytest.raises(DeploymentError, match="setup") as raised:
        RayRuntime().deploy(pipeline)
    assert (raised.value.stage, raised.value.code) == ("locked", "DEPLOYMENT-UNPICKLABLE")


async def test_blocked_thread_leaves_its_actor_free_for_other_runs(tmp_path):
    def blocking(ctx):
        Gate(tmp_path, f"{ctx.snapshot.input_text}-runs").open()
        Gate(tmp_path, "go").wait()
        return {"text": ctx.snapshot.input_text}

    async with RayRuntime().deploy(Pipeline().with_stage("b", blocking, StageKind.WORK)) as app:
        runs = [await app.start(input_text=text) for text in ("first", "second")]
        await Gate(tmp_path, "first-runs").opened()
        await Gate(tmp_path, "second-runs").opened()  # while the first one still blocks
        Gate(tmp_path, "go").open()
        texts = [(await run.result()).outputs["b"].data["text"] for run in runs]
    assert texts == ["first", "second"]


async def test_blocking_body_is_waited_for_before_the_verdict(tmp_path):
    def blocking(ctx):
        Gate(tmp_path, "blocked-runs").open()
        while not ctx.is_cancelled:
            Gate(tmp_path, "never").is_open  # noqa: B018 - work of a kind
        Journal(tmp_path).write("body ended")

    config = {"folder": tmp_path, "gate": "blocked-runs", "then": "raise"}
    pipeline = (
        Pipeline()
        .with_stage("blocked", blocking, StageKind.WORK)
        .with_stage("bad", After, config=config)
    )
    async with RayRuntime().deploy(pipeline) as app:
        result = await (await app.start()).result()
    assert result.stage == "bad"
    assert Journal(tmp_path).lines == ["body ended"]


def types_of(events):
    return [event.type for event in events]


async def test_events_of_a_run_that_has_not_begun_are_given_from_the_first_to_the_last(tmp_path):
    """Of one that is on its way, and of one that waits for its turn."""
    pipeline = Pipeline().with_stage("only", WaitForever, config={"folder": tmp_path})
    async with RayRuntime(settings=Settings(max_running_runs=1)).deploy(pipeline) as app:
        on_its_way = await app.start()
        watching = asyncio.ensure_future(collected(on_its_way))
        await cancelled_once_started(on_its_way)
        are_all_there(await watching)

        first = await app.start()
        watched = await app.start()
        watching = asyncio.ensure_future(collected(watched))
        while (await app.describe())["runs"]["waiting"] == 0:
            pass
        await first.cancel("its turn is over")
        await cancelled_once_started(watched)
        are_all_there(await watching)


async def cancelled_once_started(handle):
    async for event in handle.events():
        if event.type == "stage.only.started":
            await handle.cancel("enough")


def are_all_there(events):
    assert [event.seq for event in events] == list(range(1, len(events) + 1))
    assert types_of(events)[0] == "pipeline.created"
    assert types_of(events)[-1] == "pipeline.cancelled"
    assert "stage.only.started" in types_of(events)


async def collected(handle):
    return [event async for event in handle.events()]


class OnlyHere:
    """Can be read in any process but one."""

    def __init__(self, but_not_in):
        self.but_not_in = but_not_in

    def __reduce__(self):
        return _make_unless_in, (self.but_not_in,)


def _make_unless_in(pid):
    if os.getpid() == pid:
        raise RuntimeError("not in this process")
    return OnlyHere(pid)


async def test_output_that_the_caller_cannot_read_is_a_failure_and_costs_no_other_output():
    caller = os.getpid()

    async def make(ctx):
        return {"thing": OnlyHere(caller)}

    async def use(ctx):
        return {"got": type(ctx.inputs.get("thing")).__name__}

    pipeline = (
        Pipeline()
        .with_stage("make", make, StageKind.WORK)
        .with_stage("use", use, StageKind.WORK, dependencies="make")
    )
    async with RayRuntime().deploy(pipeline) as app:
        result = await (await app.start()).result()
    assert (result.status, result.stage) == (RunStatus.FAILED, "make")
    assert result.failures["make"].code == "OUTPUT-UNREADABLE"
    assert result.outputs["use"].data == {"got": "OnlyHere"}


async def test_cancel_is_heard_though_all_places_for_work_are_taken(tmp_path):
    pipeline = Pipeline().with_stage("only", WaitForever, config={"folder": tmp_path})
    runtime = RayRuntime(settings=Settings(max_pending_calls=1))
    async with runtime.deploy(pipeline) as app:
        handle = await app.start()
        await Gate(tmp_path, "only-runs").opened()
        await handle.cancel("enough")
        assert (await handle.result()).status is RunStatus.CANCELLED
