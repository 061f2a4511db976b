"""``Hiring``: starts the processes of hosts, where there is room for what they need."""

from __future__ import annotations

from collections.abc import Sequence

from stageflow_actors.actors.codec import Payload
from stageflow_actors.actors.control import actor_class
from stageflow_actors.actors.placing import place_actor, settled
from stageflow_actors.actors.posts import Post
from stageflow_actors.actors.process_watch import Answered, Watch
from stageflow_actors.actors.ray_line import Parent
from stageflow_actors.actors.spares import Spares
from stageflow_actors.actors.stage_actor import StageActor
from stageflow_actors.actors.stage_process import StageProcess
from stageflow_actors.model.settings import Settings


class Hiring:
    """``code`` are the stages of the plan, ``parent`` is what they need to have children.

    ``spares`` are processes without a stage, which host any that asks for nothing.
    """

    def __init__(
        self,
        code: Sequence[Payload],
        settings: Settings,
        parent: Parent | None,
        answered: Answered,
    ) -> None:
        self._code = code
        self._settings = settings
        self._parent = parent
        self._answered = answered
        self._actor_class = actor_class(StageActor, settings.max_pending_calls)
        self.spares = Spares(
            lambda: self._actor_class.remote(settings, parent), settings.spare_processes
        )

    def stand_by(self) -> None:
        """Have spares before anything has died, where they are wanted."""
        if self._settings.spares_at_start:
            self.spares.fill()

    async def settle(self, post: Post) -> None:
        """Have the post ask for what it gets in this cluster."""
        if post.host.placement is not None:
            placement = await settled(post.host.placement)
            post.host = post.host._replace(placement=placement)

    def hire(self, post: Post, watch: Watch) -> StageProcess:
        """One more process with the stages of the post; ``watch`` is told when it is ready."""
        post.epoch += 1
        settings, placement = self._settings, post.host.placement
        actor = None if placement else self.spares.take()
        if actor is None:
            place = {} if placement is None else place_actor(placement)
            actor = self._actor_class.options(**place).remote(settings, self._parent)
        code = {index: self._code[index] for index in post.stages}
        process = StageProcess(
            actor,
            post.stages,
            placement,
            post.epoch,
            code,
            post.followers,
            settings,
            watch,
            self._answered,
        )
        post.take_up(process)
        return process
