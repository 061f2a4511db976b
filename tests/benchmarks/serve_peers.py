"""The same four stages by hand, as deployments of Ray Serve; and an ingress that does nothing."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from ray import serve
from starlette.requests import Request
from starlette.responses import JSONResponse, StreamingResponse

CHUNKS = 200
MOST_REQUESTS = 1_000


@serve.deployment(max_ongoing_requests=MOST_REQUESTS, ray_actor_options={"num_cpus": 0})
class Nothing:
    """The least that an ingress can do."""

    async def __call__(self, request: Request) -> JSONResponse:
        await request.json()
        return JSONResponse({"text": "said"})


class Work:
    """A stage."""

    async def __call__(self, given: dict[str, Any]) -> dict[str, Any]:
        return {"text": "said"}


class Streaming:
    """A stage that hands on what comes in, piece by piece; the last one makes the pieces."""

    def __init__(self, before: Any = None) -> None:
        self._before = None if before is None else before.options(stream=True)

    async def __call__(self, given: dict[str, Any]) -> AsyncIterator[str]:
        if self._before is None:
            for number in range(CHUNKS):
                yield f"piece {number}"
        else:
            async for piece in self._before.remote(given):
                yield piece


@serve.deployment(max_ongoing_requests=MOST_REQUESTS, ray_actor_options={"num_cpus": 0})
class ByHand:
    """Calls the four one after the other, as people write it."""

    def __init__(self, stages: list[Any], streaming: Any) -> None:
        self._stages = stages
        self._streaming = streaming.options(stream=True)

    async def __call__(self, request: Request) -> JSONResponse | StreamingResponse:
        given = await request.json()
        if given.get("stream"):
            return StreamingResponse(self._pieces(given), media_type="text/event-stream")
        for stage in self._stages:
            given = await stage.remote(given)
        return JSONResponse(given)

    async def _pieces(self, given: dict[str, Any]) -> AsyncIterator[str]:
        async for piece in self._streaming.remote(given):
            yield f"data: {piece}\n\n"


def by_hand(stages: int) -> Any:
    """The application: as many deployments, and as many that stream, each with one replica."""
    options = {"max_ongoing_requests": MOST_REQUESTS, "ray_actor_options": {"num_cpus": 0}}
    plain = serve.deployment(**options)(Work)  # type: ignore[call-overload]
    streaming = serve.deployment(**options)(Streaming)  # type: ignore[call-overload]
    chain = streaming.options(name="Streaming0").bind()
    for number in range(1, stages):
        chain = streaming.options(name=f"Streaming{number}").bind(chain)
    works = [plain.options(name=f"Work{number}").bind() for number in range(stages)]
    return ByHand.bind(works, chain)
