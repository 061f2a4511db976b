"""Who lives in which process on Ray, what that process is given, and who dies with it."""

from __future__ import annotations

import json
import os
import shutil
import signal

import pytest

from stageflow_actors import (
    DeploymentError,
    Pipeline,
    Placement,
    RayRuntime,
    Settings,
)
from stageflow_actors.errors import PlacementError
from tests.actors.host_stages import CountsGpus, Noting
from tests.actors.seeing import Sees, seen_by
from tests.actors.watching import described, pids_in
from tests.chaos.elsewhere import start_elsewhere
from tests.conformance.crossing import Gate, Journal

pytestmark = [pytest.mark.ray, pytest.mark.usefixtures("ray_session")]


def noting(pipeline, folder, name, needs=(), *, fails=False, **options):
    config = {"folder": folder, "name": name, "fails": fails}
    return pipeline.with_stage(name, Noting, dependencies=needs, config=config, **options)


def chain_of(folder):
    pipeline = Pipeline()
    for name, needs in [("a", ()), ("b", "a"), ("c", "b"), ("d", "c")]:
        pipeline = noting(pipeline, folder, name, needs)
    return pipeline


async def outcome_of(folder, settings):
    """What the stages return, their processes, the hosts and what was written down."""
    async with RayRuntime(settings=settings).deploy(chain_of(folder)) as app:
        told, results = await app.describe(), await app.run()
    data = {name: dict(results[name].data) for name in "abcd"}
    pids = {name: each.pop("pid") for name, each in data.items()}
    assert pids == pids_in(told)
    return data, pids, [host["stages"] for host in told["hosts"]], Journal(folder).lines


async def test_stages_are_alone_unless_there_are_too_many_and_are_the_same_stages_then(tmp_path):
    folders = [tmp_path / "alone", tmp_path / "packed"]
    for folder in folders:
        folder.mkdir()
    data, pids, hosts, _lines = await outcome_of(folders[0], Settings())
    assert len(set(pids.values())) == 4
    assert hosts == [["a"], ["b"], ["c"], ["d"]]

    same, pids, hosts, lines = await outcome_of(folders[1], Settings(max_hosts_per_deployment=2))
    assert same == data
    assert hosts == [["a", "b"], ["c", "d"]]
    assert pids["a"] == pids["b"] != pids["c"] == pids["d"]
    assert sorted(lines[:4]) == [f"up {name} {pids[name]}" for name in "abcd"]
    assert lines[4:] == [f"down {name} {pids[name]}" for name in "dcba"]


async def test_a_setup_that_fails_is_named_and_those_beside_it_are_torn_down(tmp_path):
    shared = Placement(share="x")
    pipeline = noting(Pipeline(), tmp_path, "beside", placement=shared)
    pipeline = noting(pipeline, tmp_path, "bad", "beside", fails=True, placement=shared)
    pipeline = noting(pipeline, tmp_path, "apart")
    with pytest.raises(DeploymentError, match="no model") as raised:
        await RayRuntime().deploy(pipeline).open()
    assert raised.value.stage == "bad"
    lines = Journal(tmp_path).lines
    ups = {line.removeprefix("up ") for line in lines if line.startswith("up ")}
    downs = [line.removeprefix("down ") for line in lines if line.startswith("down ")]
    assert {each.split()[0] for each in ups} == {"beside", "apart"}
    assert sorted(downs) == sorted(ups)


async def test_those_who_share_a_process_die_together_and_each_goes_on_by_its_policy(tmp_path):
    shared = Placement(share="x")
    pipeline = noting(Pipeline(), tmp_path, "repeated", placement=shared, effects="none")
    pipeline = noting(pipeline, tmp_path, "unknown", placement=shared)
    pipeline = noting(pipeline, tmp_path, "apart")
    async with RayRuntime().deploy(pipeline) as app:
        before = pids_in(told := await app.describe())
        assert [host["share"] for host in told["hosts"]] == ["x", None]
        assert before["repeated"] == before["unknown"] != before["apart"]
        runs = {name: await app.start(input_text=name) for name in before}
        for name in before:
            await Gate(tmp_path, f"{name}-runs").opened()
        await described(app, lambda told: [each["in_flight"] for each in told["stages"]] == [1] * 3)
        os.kill(before["unknown"], signal.SIGKILL)
        lost = await runs["unknown"].result()
        Gate(tmp_path, "go-on").open()
        kept = {name: await runs[name].result() for name in ("repeated", "apart")}
        after = pids_in(told := await app.describe())
        later = await app.run()
    assert {name: failure.code for name, failure in lost.failures.items()} == {
        "unknown": "STAGE-OUTCOME-UNKNOWN"
    }
    assert kept["repeated"].attempts["repeated"] == 2
    assert kept["repeated"].outputs["repeated"].data["pid"] == after["repeated"]
    assert kept["apart"].attempts["apart"] == 1
    assert kept["apart"].outputs["apart"].data["pid"] == after["apart"] == before["apart"]
    assert after["repeated"] == after["unknown"] != before["unknown"]
    assert {name: later[name].data["pid"] for name in after} == after
    assert [death["pid"] for death in told["restarts"]["deaths"]] == [before["unknown"]]


# --- what a process is given ----------------------------------------------------------------------


async def test_without_gpus_none_is_seen_and_one_may_do_without(monkeypatch):
    ray = __import__("ray")
    if ray.cluster_resources().get("GPU"):
        pytest.skip("this machine has a GPU")
    pipeline = Pipeline().with_stage(
        "wants",
        Sees,
        placement=Placement(
            num_gpus=1, cpu_fallback=True, runtime_env={"env_vars": {"ASKED": "yes"}}
        ),
    )
    async with RayRuntime().deploy(pipeline) as app:
        (host,) = (await app.describe())["hosts"]
        results = await app.run()
    assert host["placement"] == {"runtime_env": ["env_vars"]}  # may hold secrets
    assert seen_by(results) == {"wants": ""}
    assert results["wants"].data["asked"] == "yes"

    nowhere = Pipeline().with_stage("far", Sees, placement=Placement(labels={"zone": "moon"}))
    with pytest.raises(PlacementError, match="zone=moon") as raised:
        await RayRuntime(settings=Settings(placement_timeout_s=0.5)).deploy(nowhere).open()
    assert (raised.value.code, raised.value.stage) == ("DEPLOYMENT-PLACEMENT", "far")


def watch_gpus(folder):
    """In a session with two GPUs, on a node with a label, write down what stages see of them."""
    import ray

    options = {"include_dashboard": False, "log_to_driver": False}
    ray.init(address="local", num_cpus=2, num_gpus=2, labels={"zone": "b"}, **options)
    elsewhere = {"labels": {"zone": "a"}, "fallbacks": [Placement(labels={"zone": "b"})]}
    placements = {
        "whole": Placement(num_gpus=1),
        "half": Placement(num_gpus=0.5),
        "other half": Placement(num_gpus=0.5),
        "none": None,
        "labelled": Placement(**elsewhere),
    }
    pipeline = Pipeline()
    for name, placement in placements.items():
        pipeline = pipeline.with_stage(name, Sees, placement=placement)
    seen = seen_by(pipeline.run_sync(runtime=RayRuntime()))
    (folder / "seen.json").write_text(json.dumps(seen))


def told_elsewhere(function, folder):
    process = start_elsewhere(function)
    _out, told = process.communicate(timeout=110)
    assert process.returncode == 0, told.decode()
    return json.loads((folder / "seen.json").read_text())


def test_a_process_sees_the_gpus_that_it_was_given_before_any_code_of_the_user(tmp_path):
    seen = told_elsewhere(lambda: watch_gpus(tmp_path), tmp_path)
    assert {seen["whole"], seen["half"]} == {"0", "1"}
    assert seen["half"] == seen["other half"]
    assert seen["none"] == seen["labelled"] == ""


def count_gpus(folder):
    """In a session that has found its GPUs itself."""
    import ray

    ray.init(address="local", num_cpus=2, include_dashboard=False, log_to_driver=False)
    with_one = Placement(num_gpus=1, cpu_fallback=True)
    pipeline = (
        Pipeline()
        .with_stage("with_one", CountsGpus, placement=with_one)
        .with_stage("without", CountsGpus)
    )
    results = pipeline.run_sync(runtime=RayRuntime())
    counts = {name: results[name].data["count"] for name in results}
    (folder / "seen.json").write_text(json.dumps(counts))


def test_a_real_gpu_is_there_for_who_asked_and_for_nobody_else(tmp_path):
    if shutil.which("nvidia-smi") is None:
        pytest.skip("this machine has no GPU")
    assert told_elsewhere(lambda: count_gpus(tmp_path), tmp_path) == {"with_one": 1, "without": 0}
