"""The last frame of a stream that cannot go on."""

from __future__ import annotations

import asyncio
from contextlib import nullcontext
from types import SimpleNamespace
from uuid import uuid4

import pytest

from stageflow_actors.serving import ServingSettings
from stageflow_actors.serving.desk import Entries, Entry
from stageflow_actors.serving.event_stream import EventStream
from stageflow_actors.serving.faults import Fault, ProblemError
from stageflow_actors.serving.sse import closing_frame, frame
from tests.serving.desks import reading


async def connected():
    """A client that stays."""
    await asyncio.Event().wait()


@pytest.mark.parametrize("patience_s", [60.0, 1e-9], ids=["fast", "slow"])
async def test_a_client_is_told_where_it_was_however_fast_it_reads(patience_s):
    """Of one that is slow it is asked what it has not read."""
    sent = []

    async def send(message):
        sent.append(message)

    async def gone(_reading):
        raise ProblemError(Fault.RUN_EXPIRED)

    service = SimpleNamespace(
        settings=ServingSettings(patience_s=patience_s),
        streaming=lambda _tenant: nullcontext(),
        read=gone,
    )
    first = Entry(1, "run.started", b"{}")
    found = Entries((first,), 1, 0, is_over=False)
    run = SimpleNamespace(run_id=uuid4())
    await EventStream(service, reading(run), found)({}, connected, send)
    assert [each.get("status") for each in sent] == [200, None, None, None]
    assert [each["body"] for each in sent[1:]] == [frame(first), closing_frame(1), b""]
