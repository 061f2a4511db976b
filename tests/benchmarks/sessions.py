"""The Ray of the figures that need one. They share it: to start one takes seconds."""

from __future__ import annotations

import logging
import sys
from contextlib import nullcontext

_OURS = "benchmarks"
"""The namespace by which it is known: a Ray that somebody else has started is left alone."""


def start_ray(forks: bool = True) -> None:
    """Start one as ``RayRuntime`` does, unless it is up; without ``forks``, as Ray alone does."""
    import ray

    from stageflow_actors.actors.forkserver.interpreter import forked_workers

    if ray.is_initialized():
        return
    with forked_workers() if forks else nullcontext():
        ray.init(
            address="local",
            namespace=_OURS,
            include_dashboard=False,
            log_to_driver=False,
            logging_level=logging.WARNING,
            _system_config={"worker_niceness": 0},
        )


def end_ray() -> None:
    """Stop it with all that is left in it, if it is up; whoever needs one next has a new one."""
    if "ray" not in sys.modules:
        return
    import ray

    if ray.is_initialized() and ray.get_runtime_context().namespace == _OURS:
        ray.shutdown()
