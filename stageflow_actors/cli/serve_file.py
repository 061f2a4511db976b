"""``ServeFile``: the text of a config file for Ray Serve."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import yaml

_TEXT = """\
# For Ray Serve. `serve run FILE` starts it in the foreground; `serve deploy FILE` gives it to a Ray
# that is up, and again after a change of this file.
proxy_location: {proxies}
http_options:
  host: {host}
  port: {port}
  request_timeout_s: null # runs and streams last; deadlines are those that requests name
logging_config:
  enable_access_log: false # a line for each request costs more than most of them
applications:
  - name: {name}
    route_prefix: {route_prefix}
    import_path: stageflow_actors.serving.app:build_app
    # Every process of Serve imports what is named below. Code that no machine has is fetched from:
    # runtime_env: {{working_dir: "https://example.com/code.zip"}}
    args:
{args}\
      # settings: {{max_live_runs_per_tenant: 100}} # bounds of the door
      # runtime: {{max_hosts_per_deployment: 4}} # bounds of the runtime
    deployments:
      - name: Door
        num_replicas: {replicas} # or autoscaling_config: {{min_replicas: 2, max_replicas: 8}}
        max_ongoing_requests: {most_requests} # for each; most of them wait for a run, or for events
        graceful_shutdown_timeout_s: 20 # what a replica has to finish its answers when it goes
        ray_actor_options: {{num_cpus: {cpus}}} # of Ray's count; 0 leaves the cores to the stages
"""


@dataclass(frozen=True, slots=True)
class ServeFile:
    """One application behind one port. ``args`` are those of ``build_app``."""

    name: str
    route_prefix: str
    host: str
    port: int
    replicas: int
    most_requests: int
    is_for_this_machine: bool
    args: Mapping[str, Any]

    def text(self) -> str:
        """YAML that ``ServeDeploySchema`` takes, with comments."""
        return _TEXT.format(
            name=_scalar(self.name),
            route_prefix=_scalar(self.route_prefix),
            host=_scalar(self.host),
            port=self.port,
            replicas=self.replicas,
            most_requests=self.most_requests,
            proxies="HeadOnly" if self.is_for_this_machine else "EveryNode",
            cpus=0 if self.is_for_this_machine else 1,
            args=textwrap.indent(_dumped(dict(self.args)), " " * 6),
        )


def _scalar(value: str) -> str:
    return _dumped(value).removesuffix("...\n").strip()


def _dumped(value: Any) -> str:
    dumped: str = yaml.safe_dump(value, sort_keys=False, allow_unicode=True, width=math.inf)
    return dumped
