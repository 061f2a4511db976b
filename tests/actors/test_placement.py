"""What a stage's process needs of its machine: refused where it makes no sense, or is not there."""

from __future__ import annotations

import asyncio
import math
import os

import pytest

from stageflow_actors import Pipeline, Placement, PolicyError, RayRuntime, Settings, StageKind
from stageflow_actors.errors import PlacementError
from tests.actors.test_processes import gone, tell_pid
from tests.conformance.crossing import Journal
from tests.conformance.timeout_missions import InFolder

SOON = Settings(placement_timeout_s=0.5)


# --- what may be asked for ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ({"num_cpus": -1}, "num_cpus=-1"),
        ({"num_cpus": math.nan}, "num_cpus=nan"),
        ({"num_gpus": math.inf}, "num_gpus=inf"),
        ({"num_gpus": True}, "num_gpus=True"),
        ({"num_gpus": 1.5}, "num_gpus=1.5"),
        ({"memory": "4 GB"}, "memory='4 GB'"),
        ({"resources": ["scanner"]}, "resources="),
        ({"resources": {"": 1}}, "named ''"),
        ({"resources": {3: 1}}, "named 3"),
        ({"resources": {"scanner": -1}}, "scanner"),
        ({"resources": {"scanner": None}}, "scanner"),
    ],
)
def test_what_makes_no_sense_is_refused_with_what_it_was(asked, told):
    with pytest.raises(PolicyError) as raised:
        Placement(**asked)
    assert told in raised.value.message


@pytest.mark.parametrize(
    ("name", "field"), [("CPU", "num_cpus"), ("GPU", "num_gpus"), ("memory", "memory")]
)
def test_what_has_a_field_of_its_own_is_asked_for_there(name, field):
    with pytest.raises(PolicyError) as raised:
        Placement(resources={name: 1})
    assert f"{field}=" in raised.value.hint


def test_what_is_wanted_is_what_is_not_zero():
    placement = Placement(num_cpus=0.5, num_gpus=2, memory=0, resources={"scanner": 1, "none": 0})
    assert placement.wanted == {"CPU": 0.5, "GPU": 2, "scanner": 1}
    assert Placement().wanted == {}


def test_the_resources_cannot_be_changed_afterwards():
    given = {"scanner": 1}
    placement = Placement(resources=given)
    given["scanner"] = 9
    assert placement.resources == {"scanner": 1}
    with pytest.raises(TypeError):
        placement.resources["scanner"] = 9


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
