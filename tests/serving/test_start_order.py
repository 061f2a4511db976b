"""When the body of a run is asked for: where a server fetches it as soon as it has its turn."""

from __future__ import annotations

import asyncio

from stageflow_actors import InMemoryEventSink, LocalRuntime
from stageflow_actors.serving import ServingSettings, build_app
from tests.serving import flows

SCOPE = {
    "type": "http",
    "method": "POST",
    "path": "/v1/pipelines/plain/runs",
    "query_string": b"",
    "headers": [
        (b"host", b"127.0.0.1"),
        (b"content-type", b"application/json"),
    ],
    "client": ("127.0.0.1", 1),
}


async def course_of(app):
    """What happens to a request, in its order; the server has fetched its body in one turn."""
    course = []
    gone = asyncio.Event()

    async def fetch():
        course.append("fetched")

    async def receive():
        if "wanted" in course:
            await gone.wait()
        course.append("wanted")
        return {"type": "http.request", "body": b"{}"}

    async def send(message):
        if message["type"] == "http.response.start":
            course.append(message["status"])

    fetching = asyncio.create_task(fetch())
    await app(dict(SCOPE), receive, send)
    await fetching
    return course


async def test_the_body_is_on_its_way_before_it_is_wanted_and_not_where_the_run_is_refused():
    runtime = LocalRuntime(event_sink=InMemoryEventSink())
    bounds = ServingSettings(max_runs_per_s_per_tenant=0.001)
    app = build_app([flows.plain()], runtime=runtime, settings=bounds, insecure_loopback=True)
    async with app.router.lifespan_context(app):
        assert await course_of(app) == ["fetched", "wanted", 200]
        assert await course_of(app) == [429, "fetched"]
