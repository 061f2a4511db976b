"""``Scaling``: has as many processes of a stage as its ``Scaler`` wants, and says why."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

from stageflow_actors.actors.posts import Post
from stageflow_actors.actors.stage_process import StageProcess
from stageflow_actors.engine.scaling import Load, Scaler
from stageflow_actors.model.settings import Settings

logger = logging.getLogger("stageflow_actors")

_MOST_DECISIONS = 100


class Scaling:
    """``staff`` starts one more process of a host, ``dismiss`` lets one go once it has no work."""

    def __init__(
        self,
        posts: Sequence[Post],
        staff: Callable[[Post], None],
        dismiss: Callable[[Post, StageProcess], None],
        settings: Settings,
    ) -> None:
        self._scalers = {
            post: Scaler(post.host.autoscaling) for post in posts if post.host.autoscaling
        }
        self._staff = staff
        self._dismiss = dismiss
        self._interval_s = settings.scaling_interval_s
        self._decisions: deque[dict[str, Any]] = deque(maxlen=_MOST_DECISIONS)
        self._watching: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Look from now on, if there is anything to scale."""
        if self._scalers:
            self._watching = asyncio.ensure_future(self._watch())

    def stop(self) -> None:
        """Leave it as it is."""
        if self._watching is not None:
            self._watching.cancel()

    def describe(self) -> list[dict[str, Any]]:
        """The last decisions, with their reasons. Times are seconds since the Unix epoch."""
        return list(self._decisions)

    def does_without(self, post: Post, why: str) -> bool:
        """Whether so few processes will do, as there is no room for the one that was left out.

        If so, they are looked at anew: more of them may be tried again.
        """
        policy, replicas = post.host.autoscaling, len(post.staff)
        if policy is None or replicas < policy.min_replicas:
            return False
        self._scalers[post] = Scaler(policy)
        self._decide(post, replicas + 1, replicas, why)
        return True

    async def _watch(self) -> None:
        while True:
            for post in self._scalers:
                self._look(post)
            await asyncio.sleep(self._interval_s)

    def _look(self, post: Post) -> None:
        if post.why_down:
            return
        load = Load(time.monotonic(), post.ongoing, len(post.staff))
        decision = self._scalers[post].decide(load)
        if decision is None:
            return
        self._decide(post, load.replicas, decision.target, decision.reason)
        for _more in range(post.wanted - len(post.staff)):
            self._staff(post)
        for process in post.spare_staff():
            self._dismiss(post, process)

    def _decide(self, post: Post, replicas: int, target: int, reason: str) -> None:
        stages = ", ".join(stage.name for stage in post.stages.values())
        logger.info("Stage '%s': %d replicas. %s", stages, target, reason)
        told = {"stage": stages, "from": replicas, "to": target}
        self._decisions.append({**told, "reason": reason, "at": time.time()})
        post.wanted = target
