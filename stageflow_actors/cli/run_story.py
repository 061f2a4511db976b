"""``Listener``: shows the events of a run as they come, and keeps the story that they tell."""

from __future__ import annotations

from stageflow_actors.cli.display import Display
from stageflow_actors.model.events import Event
from stageflow_actors.story.story import RunStory


class Listener:
    """Passes each event on to ``display``; ``story`` is of the one run that they are of."""

    def __init__(self, display: Display, pipeline: str) -> None:
        self._display = display
        self.story = RunStory("")
        self.story.labels = {"topology": pipeline}

    def note(self, event: Event) -> None:
        """Take an event in."""
        self._display.note(event)
        type_, seq, at, stage, attempt, data, _origin = event
        self.story.tell(type_, seq, at, stage, attempt, data, self.story.labels)
