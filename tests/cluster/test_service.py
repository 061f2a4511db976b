"""``kuberay/rayservice.yaml``: the cluster of ``raycluster.yaml``, and what is served on it."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from pydantic import ValidationError

from stageflow_actors.configuration.imports import imported
from stageflow_actors.serving.app import Door, build_app
from stageflow_actors.serving.replicas.served_app import ServedApp
from tests.cluster.manifests import RayCluster, RayService
from tests.serve.configs import deployed

FOLDER = Path(__file__).parents[2] / "cluster"


def read(name):
    return yaml.safe_load((FOLDER / "kuberay" / name).read_text(encoding="utf-8"))


@pytest.fixture
def service():
    return RayService.model_validate(read("rayservice.yaml")).spec


@pytest.fixture
def cluster():
    return RayCluster.model_validate(read("raycluster.yaml")).spec


@pytest.fixture
def served(service):
    """What the operator hands to Serve."""
    return deployed(service.serveConfigV2)


def test_a_manifest_with_an_unknown_part_is_refused():
    wrong = read("rayservice.yaml")
    wrong["spec"]["serveConfig"] = wrong["spec"].pop("serveConfigV2")
    with pytest.raises(ValidationError, match="serveConfigV2"):
        RayService.model_validate(wrong)


def test_what_is_served_is_built_by_this_library(served):
    (application,) = served.applications
    assert imported(application.import_path) is build_app
    assert [each.name for each in application.deployments] == [Door.name]
    app = ServedApp.model_validate(application.args)
    assert app.verifier is not None
    assert not app.insecure_loopback


def test_its_pipelines_are_where_the_image_may_have_them(served):
    """The image has no stages until its commented lines, or others, bring them."""
    dockerfile = (FOLDER / "Dockerfile").read_text(encoding="utf-8")
    args = ServedApp.model_validate(served.applications[0].args)
    for each in (*args.targets(), args.verifier):
        assert f" {each.partition('.')[0]} " in dockerfile


def test_requests_reach_every_machine_with_a_replica(service, served):
    assert served.http_options.host == "0.0.0.0"
    assert served.proxy_location == "EveryNode"
    for box in service.rayClusterConfig.containers:
        ports = {each.name: each.containerPort for each in box.ports}
        assert ports["serve"] == served.http_options.port


def test_a_machine_may_be_lost(service, served):
    (door,) = served.applications[0].deployments
    group = next(
        each for each in service.rayClusterConfig.workerGroupSpecs if each.groupName == "cpu"
    )
    assert door.autoscaling_config.min_replicas >= 2
    assert group.minReplicas >= 2


def test_pods_go_after_the_replicas_have_finished(service, served):
    (door,) = served.applications[0].deployments
    settings = ServedApp.model_validate(served.applications[0].args).settings
    assert door.graceful_shutdown_timeout_s >= settings.drain_s
    assert service.rayClusterDeletionDelaySeconds > settings.drain_s
    for group in service.rayClusterConfig.workerGroupSpecs:
        patience_s = group.template.spec.terminationGracePeriodSeconds
        assert patience_s > door.graceful_shutdown_timeout_s


def test_the_operator_reaches_the_dashboard_with_the_token_alone(service):
    """It deploys what is served through the dashboard; the loopback interface would shut it out."""
    config = service.rayClusterConfig
    assert config.headGroupSpec.rayStartParams["dashboard-host"] == "0.0.0.0"
    assert config.authOptions.mode == "token"
    assert not any("TOKEN" in each.name for box in config.containers for each in box.env)


def test_the_cluster_is_that_of_the_other_manifest(service, cluster):
    """But for what serving needs: a port, replicas on two machines, and the dashboard."""
    ours = service.rayClusterConfig.model_dump()
    ours["headGroupSpec"]["rayStartParams"]["dashboard-host"] = "127.0.0.1"
    for group in (ours["headGroupSpec"], *ours["workerGroupSpecs"]):
        group["template"]["spec"]["terminationGracePeriodSeconds"] = 30
        for box in group["template"]["spec"]["containers"]:
            box["ports"] = [each for each in box["ports"] if each["name"] != "serve"]
    cpu = ours["workerGroupSpecs"][0]
    assert (cpu["replicas"], cpu["minReplicas"]) == (2, 2)
    cpu["replicas"] = cpu["minReplicas"] = 1
    assert ours == cluster.model_dump()
