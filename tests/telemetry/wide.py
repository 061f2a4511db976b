"""What the tests of wide events share: runs that have them, and how to find those."""

from __future__ import annotations

from stageflow_actors import LocalRuntime, Settings

WIDE = Settings(wide_events=True)


async def events_of(pipeline, settings=WIDE, registry=None, **parts):
    runtime = LocalRuntime(settings=settings, registry=registry)
    async with runtime, runtime.deploy(pipeline) as app:
        run = await app.start(**parts)
        events = [event async for event in run.events()]
        return events, await run.result()


def wide_of(events):
    return {event.stage: event.data for event in events if event.type == "stage.wide"}


def the_run(events):
    [event] = [event for event in events if event.type == "pipeline.wide"]
    return event.data
