"""Several processes of one stage on Ray: who gets what, who comes and goes, and what that costs."""

from __future__ import annotations

import asyncio
import os
import signal
from collections import Counter

import pytest

from stageflow_actors import (
    Autoscaling,
    Pipeline,
    Placement,
    RayRuntime,
    RunStatus,
    Settings,
)
from tests.actors.replica_stages import Noting, OneByOne, Reader, SlowToCome
from tests.actors.watching import described, gone
from tests.conformance.crossing import Gate, Journal

pytestmark = [pytest.mark.ray, pytest.mark.usefixtures("ray_session")]

QUICK = Settings(scaling_interval_s=0.05)


def noting(folder, **options):
    return Pipeline().with_stage("only", Noting, config={"folder": folder}, **options)


def begun_in(folder):
    """The process of each run that has begun, by its text; no run has begun twice."""
    begun = [line.split(" in ") for line in Journal(folder).lines if " in " in line]
    assert len(begun) == len(dict(begun))
    return {text: int(pid) for text, pid in begun}


async def begun(folder, count):
    """The same, once so many have begun."""
    while len(found := begun_in(folder)) < count:
        await asyncio.sleep(0.005)
    return found


def all_pids(told):
    return told["stages"][0]["pids"]


def staffed(count):
    """Whether so many processes serve the stage."""
    return lambda told: len(all_pids(told)) == count and None not in all_pids(told)


async def started(app, texts):
    return {text: await app.start(input_text=text) for text in texts}


def open_gates(folder, texts):
    for text in texts:
        Gate(folder, text).open()


async def pid_in(handle):
    return (await handle.result()).outputs["only"].data["pid"]


async def test_the_least_loaded_is_given_the_next_run_and_one_that_dies_takes_no_other_along(
    tmp_path,
):
    async with RayRuntime().deploy(noting(tmp_path, replicas=3)) as app:
        before = all_pids(await app.describe())
        assert len(set(before)) == 3
        runs = await started(app, "abcdef")
        where = await begun(tmp_path, 6)
        assert Counter(where.values()) == dict.fromkeys(before, 2)

        doomed, freed, other = before
        leaving = [text for text in where if where[text] == freed]
        open_gates(tmp_path, leaving)
        assert [await pid_in(runs.pop(text)) for text in leaving] == [freed, freed]
        runs |= await started(app, "gh")
        where = await begun(tmp_path, 8)
        assert where["g"] == where["h"] == freed

        os.kill(doomed, signal.SIGKILL)
        lost = [await runs.pop(text).result() for text in where if where[text] == doomed]
        assert [each.failures["only"].code for each in lost] == ["STAGE-OUTCOME-UNKNOWN"] * 2
        told = await described(app, lambda told: doomed not in all_pids(told) and staffed(3)(told))
        assert {freed, other} < set(all_pids(told))
        runs |= await started(app, "ij")
        where = await begun(tmp_path, 10)
        assert {where["i"], where["j"]} == set(all_pids(told)) - {freed, other}
        open_gates(tmp_path, runs)
        assert {text: await pid_in(run) for text, run in runs.items()} == {
            text: where[text] for text in runs
        }


async def test_no_process_has_more_at_a_time_than_its_concurrency():
    pipeline = Pipeline().with_stage("only", OneByOne, replicas=2, concurrency=1)
    async with RayRuntime().deploy(pipeline) as app:
        await app.run()  # from now on it is known that they are short
        results = await asyncio.gather(*(app.run() for _ in range(60)))
        pids = all_pids(await app.describe())
    assert {each["only"].data["pid"] for each in results} == set(pids)
    assert {each["only"].data["most"] for each in results} == {1}


async def test_processes_come_and_go_with_the_load_and_no_run_notices(tmp_path):
    policy = Autoscaling(
        max_replicas=3, target_ongoing_requests=4, upscale_delay_s=0.1, downscale_delay_s=0.1
    )
    pipeline = noting(tmp_path, autoscaling=policy, concurrency=4)
    async with RayRuntime(settings=QUICK).deploy(pipeline) as app:
        (first,) = all_pids(await app.describe())
        open_gates(tmp_path, ["alone"])
        assert await pid_in(await app.start(input_text="alone")) == first

        runs = await started(app, map(str, range(64)))
        most = all_pids(await described(app, staffed(3)))
        where = await begun(tmp_path, 1 + 12)
        del where["alone"]
        assert Counter(where.values()) == dict.fromkeys(most, 4)
        held = {pid: text for text, pid in where.items()}  # one in each
        open_gates(tmp_path, runs.keys() - held.values())
        told = await described(app, staffed(1))
        assert set(held.values()) <= begun_in(tmp_path).keys()
        (left,) = all_pids(told)
        assert left in most
        assert not [line for line in Journal(tmp_path).lines if "torn down" in line]

        open_gates(tmp_path, held.values())
        results = {text: await run.result() for text, run in runs.items()}
        assert {each.status for each in results.values()} == {RunStatus.OK}
        assert {each.attempts["only"] for each in results.values()} == {1}
        assert {results[text].outputs["only"].data["pid"] for text in held.values()} == set(most)
        assert begun_in(tmp_path).keys() == {"alone", *runs}
        for pid in set(most) - {left}:
            await gone(pid)
        assert sorted(Journal(tmp_path).lines[-2:]) == sorted(
            f"torn down {pid}" for pid in set(most) - {left}
        )
        decisions = told["scaling"]
    path = [decisions[0]["from"], *(each["to"] for each in decisions)]
    assert (path[0], max(path), path[-1]) == (1, 3, 1)
    assert [each["from"] for each in decisions] == path[:-1]
    assert all(each["stage"] == "only" and "ongoing" in each["reason"] for each in decisions)


async def test_where_there_is_no_room_for_more_those_that_there_are_go_on(tmp_path):
    policy = Autoscaling(max_replicas=2, target_ongoing_requests=1, upscale_delay_s=0)
    pipeline = noting(tmp_path, autoscaling=policy, placement=Placement(num_cpus=3))
    settings = QUICK.model_copy(update={"placement_timeout_s": 4.0})
    async with RayRuntime(settings=settings).deploy(pipeline) as app:
        runs = await started(app, "ab")
        told = await described(
            app, lambda told: [each["to"] for each in told["scaling"][:2]] == [2, 1]
        )
        assert "CPU=3" in told["scaling"][1]["reason"]
        open_gates(tmp_path, runs)
        statuses = {(await run.result()).status for run in runs.values()}
    assert statuses == {RunStatus.OK}


async def test_one_that_retires_is_replaced_while_the_others_go_on(tmp_path):
    options = {"config": {"folder": tmp_path}, "placement": Placement(share="x"), "replicas": 2}
    pipeline = (
        Pipeline()
        .with_stage("only", Noting, **options)
        .with_stage("reader", Reader, dependencies="only", **options)
    )
    async with RayRuntime().deploy(pipeline) as app:
        before = set(all_pids(await app.describe()))
        runs = await started(app, ["long", "retire"])
        where = await begun(tmp_path, 2)
        former, other = where["retire"], where["long"]
        assert {former, other} == before
        open_gates(tmp_path, ["retire"])
        assert await pid_in(runs["retire"]) == former
        told = await described(app, lambda told: former not in all_pids(told) and staffed(2)(told))
        await gone(former)
        assert other in all_pids(told)
        assert [line for line in Journal(tmp_path).lines if "torn" in line] == [
            f"reader torn down {former}",
            f"torn down {former}",
        ]
        open_gates(tmp_path, ["long"])
        assert await pid_in(runs["long"]) == other
        assert told["restarts"]["deaths"] == []


async def test_who_is_not_needed_any_more_once_set_up_is_torn_down_and_given_nothing(tmp_path):
    policy = Autoscaling(
        max_replicas=2, initial_replicas=2, target_ongoing_requests=1, downscale_delay_s=0.1
    )
    pipeline = Pipeline().with_stage(
        "only", SlowToCome, config={"folder": tmp_path}, autoscaling=policy
    )
    async with RayRuntime(settings=QUICK).deploy(pipeline) as app:
        runs = await started(app, "ab")
        where = await begun(tmp_path, 2)
        assert len(set(where.values())) == 2
        open_gates(tmp_path, ["late", "retire"])
        former = await pid_in(await app.start(input_text="retire"))
        await Gate(tmp_path, "coming").opened()  # its successor
        (ending,) = [text for text in "ab" if where[text] == former]
        (staying,) = {"a", "b"} - {ending}
        open_gates(tmp_path, [ending])
        told = await described(app, staffed(1))
        assert all_pids(told) == [where[staying]]
        await gone(former)
        open_gates(tmp_path, ["come"])
        while len(torn := [line for line in Journal(tmp_path).lines if "torn down" in line]) < 2:
            await asyncio.sleep(0.005)
        told = await app.describe()
        assert all_pids(told) == [where[staying]]
        assert [(each["from"], each["to"]) for each in told["scaling"]] == [(2, 1)]
        (up,) = [line for line in Journal(tmp_path).lines if line.startswith("set up")]
        assert torn == [f"torn down {former}", up.replace("set up", "torn down")]
        open_gates(tmp_path, [staying])
        assert await pid_in(runs[staying]) == where[staying]


async def test_one_that_is_not_replaced_leaves_its_work_to_the_others(tmp_path):
    pipeline = noting(tmp_path, replicas=2, concurrency=1, restart="temporary")
    async with RayRuntime().deploy(pipeline) as app:
        doomed, other = all_pids(await app.describe())
        runs = await started(app, "abc")
        where = await begun(tmp_path, 2)
        await described(app, lambda told: told["stages"][0]["waiting"] == 1)
        os.kill(doomed, signal.SIGKILL)
        lost = next(text for text in where if where[text] == doomed)
        assert (await runs.pop(lost).result()).failures["only"].code == "STAGE-OUTCOME-UNKNOWN"
        open_gates(tmp_path, runs)
        assert {await pid_in(run) for run in runs.values()} == {other}
        assert all_pids(await app.describe()) == [other]
