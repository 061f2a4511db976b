"""``Census``: what the processes of a deployment do, and what those did that have left."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from stageflow_actors.actors.posts import Post
from stageflow_actors.actors.stage_process import StageProcess
from stageflow_actors.actors.waiting_room import WaitingRoom
from stageflow_actors.model.plan import Plan
from stageflow_actors.model.stats import DeploymentStats


class Census:
    """Of all ``posts``. What a process has counted when it leaves is kept."""

    def __init__(self, plan: Plan, posts: Sequence[Post]) -> None:
        self._plan = plan
        self._posts = posts
        self._calls_of_the_dead = self._asked_of_the_dead = 0

    def processes(self) -> list[StageProcess]:
        """All that there are now."""
        return [process for post in self._posts for process in post.processes()]

    def pids(self) -> list[int]:
        """Theirs, where they are known."""
        return [process.pid for process in self.processes() if process.pid is not None]

    def forget(self, process: StageProcess) -> None:
        """It leaves: take over its counts of calls. Does no harm when it is done twice."""
        calls, repeated = process.take_counts()
        self._calls_of_the_dead += calls
        self._asked_of_the_dead += repeated

    def describe(self) -> dict[str, Any]:
        """The stages with their processes, and calls to them."""
        now = asyncio.get_running_loop().time()
        told = {each["name"]: each for post in self._posts for each in post.describe(now)}
        calls, repeated = self._calls()
        return {
            "stages": [told[stage.name] for stage in self._plan.stages],
            "calls_to_stages": calls,
            "asked_again": repeated,
        }

    async def stats(self, room: WaitingRoom[Any]) -> DeploymentStats:
        """All in numbers, with the runs of ``room``; calls to the supervisor are not known here."""
        await self._count_batches()
        now, (calls, repeated) = asyncio.get_running_loop().time(), self._calls()
        found = {name: each for post in self._posts for name, each in post.stats(now).items()}
        return DeploymentStats(
            self._plan.name,
            room.stats(),
            {stage.name: found[stage.name] for stage in self._plan.stages},
            calls_to_stages=calls,
            asked_again=repeated,
        )

    def _calls(self) -> tuple[int, int]:
        counts = [process.counts for process in self.processes()]
        return (
            self._calls_of_the_dead + sum(calls for calls, _repeated in counts),
            self._asked_of_the_dead + sum(repeated for _calls, repeated in counts),
        )

    async def _count_batches(self) -> None:
        """Only the processes themselves know of these."""
        asked = [
            process.count_batches()
            for post in self._posts
            if any(stage.is_batching for stage in post.stages.values())
            for process in post.processes()
            if process.is_ready
        ]
        await asyncio.gather(*asked)
