"""Config files of Serve, read more strictly: Serve passes over what it does not know."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel
from ray.serve.config import AutoscalingConfig
from ray.serve.schema import (
    DeploymentSchema,
    HTTPOptionsSchema,
    LoggingConfig,
    RayActorOptionsSchema,
    ServeApplicationSchema,
    ServeDeploySchema,
)

ROOT = Path(__file__).parents[2]
CONFIGS = ROOT / "serve" / "config"


def deployed(text: str) -> ServeDeploySchema:
    """What Serve makes of a file in which every key means something."""
    document = yaml.safe_load(text)
    check_keys(document, ServeDeploySchema)
    check_keys(document["http_options"], HTTPOptionsSchema)
    check_keys(document["logging_config"], LoggingConfig)
    for application in document["applications"]:
        check_keys(application, ServeApplicationSchema)
        for each in application["deployments"]:
            check_keys(each, DeploymentSchema)
            check_keys(each["ray_actor_options"], RayActorOptionsSchema)
            if "autoscaling_config" in each:
                check_keys(each["autoscaling_config"], AutoscalingConfig)
                each["autoscaling_config"] = AutoscalingConfig(**each["autoscaling_config"])
    return ServeDeploySchema.model_validate(document)


def check_keys(given: dict[str, Any], schema: type[BaseModel]) -> None:
    unknown = set(given) - set(schema.model_fields)
    assert not unknown, f"{schema.__name__} has no {unknown}"
