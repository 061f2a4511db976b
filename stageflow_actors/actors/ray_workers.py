"""Whether the machines of a cluster can run what this process sends to them."""

from __future__ import annotations

import logging
from importlib import import_module
from importlib.metadata import version
from typing import Any

import ray
from ray.exceptions import RayError, RayTaskError, RuntimeEnvSetupError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from stageflow_actors.errors import DeploymentError, describe_exception

logger = logging.getLogger("stageflow_actors")

_LIMIT_S = 30.0


def check_workers() -> None:
    """Ask a process of each machine for its version of this library.

    A machine that does not answer in 30 seconds is not waited for: it may be on its way out.

    Raises:
        DeploymentError: one of them lacks the library, has another version of it, or cannot set up
            the code that this job carries.
    """
    machines = {_ask(node["NodeID"]): node["NodeManagerAddress"] for node in _live_nodes()}
    calls = list(machines)
    answered, silent = ray.wait(calls, num_returns=len(calls), timeout=_LIMIT_S)
    for call in silent:
        logger.warning(
            "The machine %s did not say within %g s whether it has stageflow_actors.",
            machines[call],
            _LIMIT_S,
        )
        ray.cancel(call)
    for call in answered:
        _judge(machines[call], call)


def _live_nodes() -> list[dict[str, Any]]:
    return [node for node in ray.nodes() if node["Alive"]]  # type: ignore[no-untyped-call]


def _ask(node_id: str) -> Any:
    # Defined in here, it travels by value: a machine without the library can call it.
    def tell_version() -> str:
        return str(import_module("stageflow_actors").__version__)

    there = NodeAffinitySchedulingStrategy(node_id, soft=False)
    call = ray.remote(num_cpus=0, max_retries=0)(tell_version)
    return call.options(scheduling_strategy=there).remote()


def _judge(machine: str, call: Any) -> None:
    try:
        there = ray.get(call)
    except RuntimeEnvSetupError as error:
        raise DeploymentError(
            f"The machine {machine} of the Ray cluster cannot set up the code of this job: "
            f"{describe_exception(error)}",
            hint="See what code= names, and that the machine has room on its disk.",
        ) from error
    except ImportError as error:
        raise _other_library(machine, "has no stageflow_actors that can be imported") from error
    except RayTaskError as error:
        raise _other_library(machine, "has a stageflow_actors that cannot be used") from error
    except RayError as error:
        logger.warning("The machine %s was not asked: %s.", machine, type(error).__name__)
    else:
        if there != _version_here():
            raise _other_library(machine, f"has stageflow_actors {there}")


def _other_library(machine: str, what: str) -> DeploymentError:
    here = _version_here()
    return DeploymentError(
        f"The machine {machine} of the Ray cluster {what}; this process has {here}.",
        hint=f"Install stageflow-actors=={here} in the environment of every machine.",
    )


def _version_here() -> str:
    return version("stageflow-actors")
