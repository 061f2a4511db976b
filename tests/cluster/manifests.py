"""The parts of a RayCluster, a RayService and a pod that ours use; others are typing errors."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class Part(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class Variable(Part):
    name: str
    value: str


class Port(Part):
    containerPort: int
    name: str = Field(max_length=15)


class Resources(Part):
    requests: dict[str, str]
    limits: dict[str, str]


class Container(Part):
    name: str
    image: str
    env: list[Variable] = []
    ports: list[Port] = []
    resources: Resources


class Toleration(Part):
    key: str
    operator: Literal["Exists", "Equal"]
    effect: Literal["NoSchedule", "NoExecute", "PreferNoSchedule"]


class PodSpec(Part):
    containers: list[Container]
    tolerations: list[Toleration] = []
    terminationGracePeriodSeconds: int = 30


class Template(Part):
    spec: PodSpec


class HeadGroup(Part):
    rayStartParams: dict[str, str]
    template: Template


class WorkerGroup(Part):
    groupName: str
    replicas: int
    minReplicas: int
    maxReplicas: int
    labels: dict[str, str]
    rayStartParams: dict[str, str]
    template: Template


class Auth(Part):
    mode: Literal["token", "disabled"]
    secretName: str


class Autoscaler(Part):
    version: Literal["v1", "v2"]
    idleTimeoutSeconds: int
    upscalingMode: Literal["Default", "Aggressive", "Conservative"]


class ClusterSpec(Part):
    rayVersion: str
    authOptions: Auth
    enableInTreeAutoscaling: bool
    autoscalerOptions: Autoscaler
    headGroupSpec: HeadGroup
    workerGroupSpecs: list[WorkerGroup]

    @property
    def containers(self):
        groups = [self.headGroupSpec, *self.workerGroupSpecs]
        return [container for group in groups for container in group.template.spec.containers]


class Metadata(Part):
    name: str


class RayCluster(Part):
    apiVersion: Literal["ray.io/v1"]
    kind: Literal["RayCluster"]
    metadata: Metadata
    spec: ClusterSpec


class ServiceSpec(Part):
    rayClusterDeletionDelaySeconds: int
    excludeHeadPodFromServeSvc: bool
    serveConfigV2: str
    rayClusterConfig: ClusterSpec


class RayService(Part):
    apiVersion: Literal["ray.io/v1"]
    kind: Literal["RayService"]
    metadata: Metadata
    spec: ServiceSpec
