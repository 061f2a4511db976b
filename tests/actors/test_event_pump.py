"""What carries events to sinks keeps none that it has delivered."""

import threading
import weakref

import pytest

from stageflow_actors.actors.event_pump import EventPump
from stageflow_actors.actors.feed import TelemetryPump
from stageflow_actors.adapters.sinks import InMemoryEventSink
from stageflow_actors.model.events import Event
from stageflow_actors.telemetry.sink import TelemetrySink

LONG_S = 30.0


class Payload:
    """Of an event; a weak reference tells when nobody has it any more."""


@pytest.mark.parametrize(
    "make",
    [
        lambda: EventPump(InMemoryEventSink(max_events=1), max_queued=10),
        lambda: TelemetryPump(TelemetrySink(lambda: (), 10, lambda _story: None), max_queued=10),
    ],
    ids=["sink", "telemetry"],
)
def test_what_was_delivered_is_let_go_while_nothing_else_comes(make):
    pump, is_gone = make(), threading.Event()
    payload = Payload()
    seen = weakref.ref(payload, lambda _ref: is_gone.set())
    data = {"payload": payload}
    events = [Event("pipeline.started", 1, 1.0, None, None, data, None)]
    events += [Event("pipeline.started", 2, 1.0, None, None, {}, None)]
    pump.submit(lambda: {"pipeline_run_id": "a run"}, events)
    del payload, data, events
    assert pump.flush(LONG_S)
    assert is_gone.wait(LONG_S)
    assert seen() is None
    pump.close(LONG_S)
