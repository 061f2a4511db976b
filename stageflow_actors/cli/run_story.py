"""``Listener``: shows the events of a run as they come, and keeps the story that they tell."""

from __future__ import annotations

from datetime import UTC, datetime

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
        data = {
            **event.data,
            "seq": event.seq,
            "timestamp": datetime.fromtimestamp(event.at, UTC).isoformat(),
        }
        if event.stage is not None:
            data["stage"], data["attempt"] = event.stage, event.attempt
        self.story.take(event.type, data)
