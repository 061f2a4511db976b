"""The files in ``cluster/`` are valid, and say the versions that this project pins."""

from __future__ import annotations

import copy
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from pydantic import ValidationError
from ray.autoscaler._private.util import prepare_config, validate_config

import stageflow_actors
from stageflow_actors import Placement
from tests.cluster.manifests import RayCluster

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "cluster"
HEALTH = {
    "RAY_health_check_initial_delay_ms",
    "RAY_health_check_period_ms",
    "RAY_health_check_timeout_ms",
    "RAY_health_check_failure_threshold",
}
IMAGE = re.compile(r"stageflow-actors:(?P<version>\d[^\s-]*)")


def read(name):
    return (FOLDER / name).read_text(encoding="utf-8")


def pinned(package):
    pins = (ROOT / "constraints.txt").read_text(encoding="utf-8")
    return re.search(rf"^{package}==(\S+)", pins, re.MULTILINE)[1]


@pytest.fixture
def up():
    return yaml.safe_load(read("ray-up.yaml"))


@pytest.fixture
def kube():
    return RayCluster.model_validate(yaml.safe_load(read("kuberay/raycluster.yaml")))


# --- versions -------------------------------------------------------------------------------------


def test_the_image_is_of_the_pinned_ray_and_of_the_lowest_python():
    (tag,) = re.findall(r"^FROM rayproject/ray:(\S+)$", read("Dockerfile"), re.MULTILINE)
    python = re.search(
        r'requires-python = ">=(\d+)\.(\d+)"', (ROOT / "pyproject.toml").read_text("utf-8")
    )
    assert tag == f"{pinned('ray')}-py{python[1]}{python[2]}-${{DEVICE}}"


def test_the_manifest_says_the_pinned_ray(kube):
    assert kube.spec.rayVersion == pinned("ray")


def test_the_commands_of_ray_are_those_of_the_pinned_one():
    assert re.findall(r'"ray\[default\]==([^"]+)"', read("README.md")) == [pinned("ray")]


@pytest.mark.parametrize(
    "name",
    [
        "Dockerfile",
        "ray-up.yaml",
        "kuberay/raycluster.yaml",
        "kuberay/rayservice.yaml",
        "README.md",
    ],
)
def test_every_image_of_ours_is_of_this_version(name):
    versions = IMAGE.findall(read(name))
    assert versions
    assert set(versions) == {stageflow_actors.__version__}


def test_what_the_image_is_built_from_is_sent_to_docker():
    sent = {line[1:] for line in read("Dockerfile.dockerignore").splitlines() if line[0] == "!"}
    copied = set()
    for line in re.findall(r"^COPY --chown=ray:users (.+)$", read("Dockerfile"), re.MULTILINE):
        copied |= set(line.split()[:-1])
    assert copied == sent
    assert all((ROOT / name).exists() for name in copied)


def test_packages_are_only_installed_by_their_hashes():
    installs = re.findall(r"pip install ([^\n\\]+)", read("Dockerfile").partition("# What the")[0])
    assert len(installs) == 2
    assert all("--require-hashes" in line or "--no-deps" in line for line in installs)


# --- ray up ---------------------------------------------------------------------------------------


def test_ray_takes_the_file_for_ray_up(up):
    validate_config(prepare_config(copy.deepcopy(up)))


def test_all_machines_of_ray_up_have_the_token_and_none_has_it_written_down(up):
    options = " ".join(up["docker"]["run_options"])
    assert "RAY_AUTH_MODE=token" in options
    assert "RAY_AUTH_TOKEN_PATH=/run/ray/auth_token" in options
    assert ":/run/ray/auth_token:ro" in options
    assert "RAY_AUTH_TOKEN=" not in options


def test_nobody_outside_reaches_the_dashboard(up, kube):
    assert any("--dashboard-host=127.0.0.1" in line for line in up["head_start_ray_commands"])
    assert kube.spec.headGroupSpec.rayStartParams["dashboard-host"] == "127.0.0.1"


def test_a_lost_machine_is_noticed_within_the_same_time_everywhere(up, kube):
    given = dict(
        option.removeprefix("--env ").split("=", 1)
        for option in up["docker"]["run_options"]
        if "health_check" in option
    )
    (head,) = kube.spec.headGroupSpec.template.spec.containers
    assert given == {each.name: each.value for each in head.env if "health_check" in each.name}
    assert set(given) == HEALTH


def test_ray_knows_the_health_checks():
    """A variable with a typing error is silently ignored, so look for it in Ray itself."""
    code = "import ray, sys; sys.stdout.write(ray.__file__)"
    ray_folder = Path(subprocess.check_output([sys.executable, "-c", code], text=True)).parent
    server = (ray_folder / "core/src/ray/gcs/gcs_server").read_bytes()
    assert {name for name in HEALTH if name.encode() in server} == HEALTH


# --- KubeRay --------------------------------------------------------------------------------------


def test_a_manifest_with_an_unknown_part_is_refused():
    wrong = yaml.safe_load(read("kuberay/raycluster.yaml"))
    wrong["spec"]["workerGroupSpecs"][0]["minReplica"] = 1
    with pytest.raises(ValidationError, match="minReplica"):
        RayCluster.model_validate(wrong)


def test_the_token_is_a_secret(kube):
    assert (kube.spec.authOptions.mode, kube.spec.authOptions.secretName) == (
        "token",
        "stageflow-token",
    )
    assert not any("TOKEN" in each.name for box in kube.spec.containers for each in box.env)


def test_worker_groups_can_be_asked_for_by_stages(kube):
    told = [group.labels for group in kube.spec.workerGroupSpecs]
    assert [dict(Placement(labels=labels).labels) for labels in told] == told
    assert len({tuple(sorted(labels.items())) for labels in told}) == len(told)


def test_the_group_with_gpus_is_labelled_so_and_has_them(kube):
    groups = {group.labels["stageflow/device"]: group for group in kube.spec.workerGroupSpecs}
    assert set(groups) == {"cpu", "gpu"}
    (gpu,) = groups["gpu"].template.spec.containers
    (cpu,) = groups["cpu"].template.spec.containers
    assert gpu.image.endswith("-gpu")
    assert gpu.resources.requests["nvidia.com/gpu"] == "1"
    assert "nvidia.com/gpu" not in cpu.resources.requests
    assert groups["gpu"].template.spec.tolerations


def test_pods_have_what_they_ask_for(kube):
    """Ray takes its CPUs and memory from the limits."""
    assert all(box.resources.requests == box.resources.limits for box in kube.spec.containers)
    for group in kube.spec.workerGroupSpecs:
        assert group.minReplicas <= group.replicas <= group.maxReplicas


def test_labels_of_the_files_are_the_same(up, kube):
    (line,) = [each for each in up["worker_start_ray_commands"] if "--labels" in each]
    labels = dict(pair.split("=") for pair in re.search('--labels="([^"]+)"', line)[1].split(","))
    assert labels in [group.labels for group in kube.spec.workerGroupSpecs]
