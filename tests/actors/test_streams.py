"""Streams on Ray: what becomes of them when the process of a stage dies."""

from __future__ import annotations

import pytest

from stageflow_actors import Effects, Pipeline, RayRuntime
from tests.actors.stream_stages import DiesAtFirst
from tests.conformance.crossing import Gate

pytestmark = pytest.mark.ray


async def test_a_killed_process_leaves_its_pieces_and_the_next_attempt_goes_on(
    ray_session, tmp_path
):
    pipeline = Pipeline().with_stage(
        "talk", DiesAtFirst, config={"folder": tmp_path}, effects=Effects.NONE
    )
    async with RayRuntime().deploy(pipeline) as app:
        run = await app.start()
        heard = []
        async for piece in run.stream():
            heard.append((piece.seq, piece.attempt, piece.data))
            Gate(tmp_path, "heard").open()
        result = await run.result()
        streams = (await app.describe())["streams"]
    assert heard == [(1, 1, "attempt 1"), (2, 2, "attempt 2"), (3, 2, "done")]
    assert (result.ok, result.attempts) == (True, {"talk": 2})
    assert streams == {"open": 0, "pieces": 3, "dropped": 0}
