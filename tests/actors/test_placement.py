"""What a stage's process needs of its machine: told to Ray, or what to do where it is not there."""

from __future__ import annotations

import asyncio
import os
from dataclasses import replace
from types import SimpleNamespace

import pytest
import ray

from stageflow_actors import Pipeline, Placement, RayRuntime, Settings, StageKind
from stageflow_actors.actors.gpus import hide_gpus
from stageflow_actors.actors.placing import no_room_error, place_actor, settled
from stageflow_actors.errors import PlacementError
from tests.actors.process_stages import tell_pid
from tests.actors.watching import gone
from tests.conformance.crossing import Journal
from tests.conformance.timeout_missions import InFolder

SOON = Settings(placement_timeout_s=0.5)
ON_A = {"labels": {"zone": "a"}}
ON_B = Placement(labels={"zone": "b"})


# --- in the words of Ray --------------------------------------------------------------------------


def test_what_is_not_asked_for_is_not_told_to_ray():
    assert place_actor(Placement(share="x")) == {"num_cpus": 0, "num_gpus": 0}


def test_ray_takes_what_a_placement_can_be():
    labels = {
        "ray.io/accelerator-type": "in(H200, A100)",
        "example.com/zone": "!in(a,b)",
        "tier": "!spot",
        f"{'a' * 60}.b/{'z' * 63}": "v" * 63,
    }
    placement = Placement(
        num_cpus=0.5,
        memory=100 * 2**20,
        resources={"scanner": 1},
        labels=labels,
        fallbacks=[
            Placement(num_cpus=0.5, memory=100 * 2**20, resources={"scanner": 1}, labels=each)
            for each in ({"tier": "spot"}, {})
        ],
        runtime_env={"env_vars": {"A": "1"}, "pip": ("numpy",)},
    )
    options = place_actor(placement)
    assert options == {
        "num_cpus": 0.5,
        "num_gpus": 0,
        "memory": 100 * 2**20,
        "resources": {"scanner": 1},
        "label_selector": labels | {"ray.io/accelerator-type": "in(H200,A100)"},
        "fallback_strategy": [{"label_selector": {"tier": "spot"}}, {"label_selector": {}}],
        "runtime_env": {"env_vars": {"A": "1"}, "pip": ["numpy"]},
    }
    assert type(options["runtime_env"]["pip"]) is list
    ray.remote(SetUp).options(**options)  # refuses what it cannot read


# --- a cluster that is only told of ---------------------------------------------------------------


def node(labels=None, is_alive=True, **amounts):
    return {"Alive": is_alive, "Resources": amounts, "Labels": labels or {}}


@pytest.fixture
def cluster(monkeypatch):
    nodes = []
    monkeypatch.setattr(ray, "nodes", lambda: nodes)
    return nodes


WITH_FALLBACK = Placement(
    num_cpus=2,
    num_gpus=1,
    resources={"accelerator_type:H200": 0.1, "scanner": 1},
    labels={"ray.io/accelerator-type": "H200", "zone": "a"},
    fallbacks=[
        Placement(
            num_cpus=2,
            num_gpus=1,
            resources={"accelerator_type:H200": 0.1, "scanner": 1},
            labels={"ray.io/accelerator-type": "A100", "zone": "b"},
        )
    ],
    cpu_fallback=True,
    share="one",
)


async def test_without_any_gpu_a_stage_does_without_and_without_what_only_they_have(
    cluster, caplog
):
    cluster += [node(CPU=4.0), node(is_alive=False, GPU=8.0), node(CPU=4.0, GPU=0.0)]
    settled_for = await settled(WITH_FALLBACK)
    assert settled_for == Placement(
        num_cpus=2,
        resources={"scanner": 1},
        labels={"zone": "a"},
        fallbacks=[
            Placement(num_cpus=2, resources={"scanner": 1}, labels={"zone": "b"}, share="one")
        ],
        share="one",
    )
    assert await settled(settled_for) is settled_for
    (told,) = caplog.messages
    assert "None of the 2 nodes has a GPU" in told


async def test_where_no_label_is_left_nothing_is_left_to_fall_back_from(cluster):
    h200, a100 = ({"ray.io/accelerator-type": each} for each in ("H200", "A100"))
    other = Placement(num_gpus=1, labels=a100)
    asked = Placement(num_gpus=1, labels=h200, fallbacks=[other], cpu_fallback=True)
    assert await settled(asked) == Placement()


@pytest.mark.parametrize(
    ("placement", "nodes"),
    [
        (WITH_FALLBACK, [node(CPU=4.0), node(GPU=0.5)]),
        (replace(WITH_FALLBACK, cpu_fallback=False), [node(CPU=4.0)]),
        (Placement(num_cpus=1, cpu_fallback=True), [node(CPU=4.0)]),
    ],
    ids=["a node has one", "no fallback", "none is asked for"],
)
async def test_what_need_not_be_given_up_is_kept(cluster, caplog, placement, nodes):
    cluster += nodes
    assert await settled(placement) is placement
    assert caplog.messages == []


@pytest.mark.parametrize(
    ("placement", "told"),
    [
        (
            Placement(labels={"zone": "a"}),
            "asks for a node with zone=a, and none of the 2 nodes has zone=a.",
        ),
        (
            Placement(num_gpus=1, labels={"zone": "b", "tier": "x"}),
            (
                "asks for GPU=1, a node with zone=b and tier=x, and none of the 2 nodes has GPU, "
                "tier=x (the most on one: GPU=0)."
            ),
        ),
        (
            Placement(**ON_A, fallbacks=[Placement(labels={"tier": "in(x,y)"})]),
            (
                "asks for a node with zone=a, or else tier=in(x,y), and none of the 2 nodes has "
                "zone=a, tier=in(x,y)."
            ),
        ),
        (
            Placement(num_cpus=8, labels={"zone": "b"}),
            (
                "asks for CPU=8, a node with zone=b, and none of the 2 nodes has all of it "
                "together (the most on one: CPU=8)."
            ),
        ),
        (
            Placement(labels={"zone": "b", "rack": "1"}),
            (
                "asks for a node with zone=b and rack=1, and none of the 2 nodes has all of it "
                "together."
            ),
        ),
        (
            Placement(**ON_A, fallbacks=[ON_B]),
            (
                "asks for a node with zone=a, or else zone=b, and the 1 that could take it had "
                "no room for 3 s."
            ),
        ),
        (
            Placement(num_cpus=9, **ON_A, fallbacks=[Placement(num_cpus=9, labels={})]),
            (
                "asks for CPU=9, a node with zone=a, or else any label, and none of the 2 nodes "
                "has CPU (the most on one: CPU=8)."
            ),
        ),
    ],
    ids=str,
)
async def test_labels_that_no_node_has_are_told(cluster, placement, told):
    cluster += [node({"zone": "b"}, CPU=4.0), node({"rack": "1"}, CPU=8.0)]
    cluster.append(node({"zone": "a", "tier": "x"}, is_alive=False, GPU=8.0))
    error = await no_room_error("parse", placement, 3.0)
    assert error.message == f"Stage 'parse' {told}"
    assert (error.code, error.stage) == ("DEPLOYMENT-PLACEMENT", "parse")


# --- what a process sees of the GPUs --------------------------------------------------------------


@pytest.mark.parametrize(
    ("assigned", "seen"),
    [({"GPU": [], "TPU": ["0"]}, ""), ({}, ""), ({"GPU": ["1"]}, "1")],
    ids=["none", "no kind of them", "one"],
)
def test_a_process_without_a_gpu_sees_none(monkeypatch, assigned, seen):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1")
    context = SimpleNamespace(get_accelerator_ids=lambda: assigned)
    monkeypatch.setattr(ray, "get_runtime_context", lambda: context)
    hide_gpus()
    assert os.environ["CUDA_VISIBLE_DEVICES"] == seen


# --- what there is --------------------------------------------------------------------------------


class SetUp(InFolder):
    async def setup(self):
        self.write(f"up {os.getpid()}")

    async def execute(self, ctx):
        return None

    async def teardown(self):
        self.write(f"down {os.getpid()}")


@pytest.mark.ray
@pytest.mark.parametrize(
    ("placement", "missing"),
    [
        (Placement(resources={"no-such-thing": 1}), "no-such-thing"),
        (Placement(num_gpus=1), "GPU"),
    ],
)
async def test_a_stage_that_no_node_has_room_for_fails_the_deployment(
    ray_session, tmp_path, placement, missing
):
    if ray_session.cluster_resources().get(missing):
        pytest.skip(f"this machine has {missing}")
    pipeline = (
        Pipeline()
        .with_stage("beside", SetUp, config={"folder": tmp_path})
        .with_stage("wants", tell_pid, StageKind.WORK, placement=placement)
    )
    with pytest.raises(PlacementError) as raised:
        await RayRuntime(settings=SOON).deploy(pipeline).open()
    assert (raised.value.code, raised.value.stage) == ("DEPLOYMENT-PLACEMENT", "wants")
    assert f"{missing}=1" in raised.value.message
    assert f"has {missing} " in raised.value.message  # that none of the nodes has
    (up, down) = Journal(tmp_path).lines
    assert up.removeprefix("up ") == down.removeprefix("down ")
    await gone(int(up.removeprefix("up ")))


@pytest.mark.ray
async def test_what_there_is_room_for_is_taken_as_long_as_the_process_lives(ray_session):
    pipeline = Pipeline().with_stage(
        "only", tell_pid, StageKind.WORK, placement=Placement(num_cpus=0.5)
    )
    before = free_cpus(ray_session)
    async with RayRuntime(settings=Settings(placement_timeout_s=60)).deploy(pipeline) as app:
        pid = (await app.run())["only"].data["pid"]
        assert pid == (await app.describe())["stages"][0]["pid"]
        while free_cpus(ray_session) != before - 0.5:  # Ray counts with a delay
            await asyncio.sleep(0.01)
    while free_cpus(ray_session) != before:
        await asyncio.sleep(0.01)


def free_cpus(ray):
    return ray.available_resources().get("CPU", 0.0)
