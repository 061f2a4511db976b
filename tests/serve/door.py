"""An application on Serve, as a test sees it."""

from __future__ import annotations

import httpx

from stageflow_actors import Settings
from stageflow_actors.serving import ServingSettings
from tests.serving.live import PATIENCE_S, until

SOON = ServingSettings(
    keeper_left_s=0.2,
    keeper_lost_s=3,
    drain_s=5,
    heartbeat_s=0.5,
    max_live_runs_per_tenant=20,
    sweep_s=0.5,
)
ONE_PROCESS = Settings(max_hosts_per_deployment=1)


class Door:
    """Served under a path of its own, so that several stand side by side."""

    def __init__(self, url: httpx.URL, name: str) -> None:
        self.name = name
        self.url = f"{url}/{name}"

    def deploy(self, *, replicas: int = 1, settings: ServingSettings = SOON, **args) -> None:
        """Serve, or serve anew; comes back once every replica of this version answers."""
        from ray import serve

        from stageflow_actors.serving.app import build_app
        from stageflow_actors.serving.replicas.served_app import ServedApp

        args.setdefault("verifier", "tests.serve.flows:Tokens")
        served = ServedApp(settings=settings, runtime=ONE_PROCESS, **args)
        application = build_app(served)
        application._bound_deployment._deployment_config.num_replicas = replicas
        serve.run(application, name=self.name, route_prefix=f"/{self.name}")

    def delete(self) -> None:
        """Serve no more, and leave nothing behind."""
        from ray import serve

        serve.delete(self.name)
        until(lambda: not self.keepers(), "the end of the keepers")

    def client(self, token: str = "ada") -> httpx.Client:
        headers = {"Authorization": f"Bearer {token}"}
        return httpx.Client(base_url=self.url, headers=headers, timeout=PATIENCE_S)

    def keepers(self) -> list[str]:
        """The names of its keepers."""
        return [name for name in _named("stageflow_actors") if name.startswith(f"{self.name}/")]

    def replicas(self) -> list[str]:
        """The names of its replicas."""
        return [name for name in _named("serve") if f"REPLICA::{self.name}#" in name]

    def kill_replica(self) -> None:
        """End one replica, whatever it does."""
        import ray

        name = self.replicas()[0]
        ray.kill(ray.get_actor(name, namespace="serve"))
        until(lambda: name not in self.replicas(), "the death of a replica")

    def kill_keeper(self, pipeline: str) -> None:
        """End a keeper, whatever it does."""
        import ray

        name = next(each for each in self.keepers() if f"/{pipeline}/" in each)
        ray.kill(ray.get_actor(name, namespace="stageflow_actors"))


def _named(namespace: str) -> list[str]:
    from ray.util import list_named_actors

    listed = list_named_actors(all_namespaces=True)
    return [each["name"] for each in listed if each["namespace"] == namespace]
