"""The runtime of ``pipeline.run`` where none is named: one ``RayRuntime`` for this process."""

from __future__ import annotations

import asyncio
import atexit
import threading

from stageflow_actors.actors.ray_runtime import RayRuntime


class DefaultRuntime:
    """Created on first use. At exit its warm deployments get to run their teardowns."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._runtime: RayRuntime | None = None

    def get(self) -> RayRuntime:
        """The runtime."""
        with self._lock:
            if self._runtime is None:
                self._runtime = RayRuntime()
                # Ray's own exit hook is older than this one, so it runs after it.
                atexit.register(self._close)
            return self._runtime

    def _close(self) -> None:
        import ray

        if self._runtime is not None and ray.is_initialized():
            asyncio.run(self._runtime.close())


DEFAULT_RUNTIME = DefaultRuntime()
