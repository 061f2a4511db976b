"""When those who have started runs hear of them."""

from __future__ import annotations

import asyncio

from stageflow_actors import InMemoryEventSink, LocalRuntime, Pipeline
from stageflow_actors.actors.callers import Callers
from stageflow_actors.actors.codec import Payload
from stageflow_actors.actors.event_log import EventLog
from stageflow_actors.actors.messages import RunRequest
from stageflow_actors.actors.outlets import Outlets
from stageflow_actors.actors.run_wire import request_to_wire
from stageflow_actors.model.settings import Settings


class NotedExchange:
    """Keeps what a caller is told."""

    is_behind = False

    def __init__(self):
        self.told = []
        self.due = 0

    def tell(self, message, size, **_more):
        self.told.append(message)


async def test_events_are_told_when_the_interval_is_over_for_the_first_time(monkeypatch):
    loop, due = asyncio.get_running_loop(), []
    monkeypatch.setattr(loop, "call_later", lambda delay_s, call: due.append((delay_s, call)))
    exchange, settings = NotedExchange(), Settings(event_flush_interval_s=5)
    callers = Callers(lambda request: None, Outlets((), lambda *_read: None, settings), settings)
    request = RunRequest("a run", Payload(b""), 0, None, None, {}, has_hooks=False)
    callers._take_message(exchange, request_to_wire(request))
    log = EventLog(10)
    callers.follow("a run", log)
    log.append("stage.a.started", 0.0, "a", 1, {})
    [(delay_s, sweep)] = due
    assert delay_s == 5
    assert exchange.told == []
    sweep()
    assert len(exchange.told) == 1
    assert [delay_s for delay_s, _call in due] == [5, 5]


async def test_so_are_those_of_a_run_in_this_process():
    began, may_end = asyncio.Event(), asyncio.Event()

    async def waits(ctx):
        began.set()
        await may_end.wait()

    sink, settings = InMemoryEventSink(), Settings(event_flush_interval_s=3600)
    runtime = LocalRuntime(event_sink=sink, settings=settings)
    pipeline = Pipeline().with_stage("waits", waits, "work")
    async with runtime, runtime.deploy(pipeline) as app:
        run = await app.start()
        await began.wait()
        app._sweep()
        await runtime.flush_events()
        assert "stage.waits.started" in [event.type for event in sink.events]
        may_end.set()
        await run.result()
