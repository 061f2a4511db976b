"""A Ray of its own for the figures that need one."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

import ray

from stageflow_actors.actors.forkserver.interpreter import forked_workers


@contextmanager
def local_ray(forks: bool = True) -> Iterator[None]:
    """Start Ray as ``RayRuntime`` does, and stop it."""
    with forked_workers() if forks else nullcontext():
        ray.init(
            address="local",
            include_dashboard=False,
            log_to_driver=False,
            logging_level=logging.WARNING,
            _system_config={"worker_niceness": 0},
        )
    try:
        yield
    finally:
        ray.shutdown()
