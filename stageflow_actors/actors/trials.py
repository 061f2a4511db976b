"""``Trials``: the quarantines of a deployment, each opened when its post has the first suspect."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from stageflow_actors.actors.departures import Departures
from stageflow_actors.actors.hiring import Hiring
from stageflow_actors.actors.posts import Post
from stageflow_actors.actors.process_watch import Watch
from stageflow_actors.actors.quarantine import Quarantine
from stageflow_actors.actors.ray_errors import CallFault
from stageflow_actors.actors.stage_process import StageProcess


class Trials:
    """``changed`` is called when a process for a suspect came or went, ``died`` with why it did."""

    def __init__(
        self,
        hiring: Hiring,
        departures: Departures,
        changed: Callable[[], None],
        died: Callable[[StageProcess, str], None],
    ) -> None:
        self._hiring = hiring
        self._departures = departures
        self._changed = changed
        self._died = died

    def of(self, post: Post) -> Quarantine:
        """Where the suspects of this post are tried."""
        if post.quarantine is None:
            post.quarantine = Quarantine(
                partial(self._hire, post), partial(self._departures.see_off, post)
            )
        return post.quarantine

    def _hire(self, post: Post, watch: Watch) -> StageProcess:
        def started(process: StageProcess) -> None:
            self._changed()
            watch.started(process)

        def died(process: StageProcess, fault: CallFault) -> None:
            self._lose(process, fault.text or fault.error_type)
            watch.died(process, fault)

        def stuck(process: StageProcess) -> None:
            self._lose(process, "its event loop did not turn any more")
            watch.stuck(process)

        return self._hiring.hire(post, Watch(started, died, stuck))

    def _lose(self, process: StageProcess, why: str) -> None:
        self._died(process, why)
        self._changed()
