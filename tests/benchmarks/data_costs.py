"""What a snapshot costs: built, validated and written as JSON, next to stageflow-core."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from uuid import UUID, uuid4

import stageflow.context as core

import stageflow_actors
from tests.benchmarks.figures import Figure, Row, absolute_figure, timed_figure
from tests.benchmarks.local_runs import PEER
from tests.benchmarks.measure import Action, Effort, Rounds, compare, timed

_BATCH = 100
_SCALE = 1e6 / _BATCH
_MESSAGES = 20
_IDS = (
    "pipeline_run_id", "request_id", "session_id", "user_id", "org_id", "interaction_id",
)  # fmt: skip

Ids = dict[str, UUID]


async def rows(effort: Effort) -> AsyncIterator[Row]:
    """A lean snapshot, and one with a conversation."""
    yield await snapshot_build(Rounds(effort.pairs, turns=20))
    yield await conversation_build(Rounds(effort.pairs, turns=10))


async def snapshot_build(rounds: Rounds) -> Figure:
    """A snapshot with six ids and a line of text; its bar is a time."""
    ids = _make_ids()
    measured = await compare(
        timed(_often(lambda: _ours(ids, None)), _SCALE),
        timed(_often(lambda: _peer(ids, None)), _SCALE),
        rounds,
    )
    return absolute_figure("Snapshot, built and written as JSON", "us", PEER, measured, at_most=120)


async def conversation_build(rounds: Rounds) -> Figure:
    """The same with 20 messages, which are built and validated, too."""
    ids = _make_ids()
    measured = await compare(
        timed(_often(lambda: _ours(ids, _our_conversation())), _SCALE),
        timed(_often(lambda: _peer(ids, _peer_conversation())), _SCALE),
        rounds,
    )
    return timed_figure("... with 20 messages", "us", PEER, measured, at_most=1.2)


def _make_ids() -> Ids:
    return {name: uuid4() for name in _IDS}


def _ours(ids: Ids, conversation: stageflow_actors.Conversation | None) -> str:
    snapshot = stageflow_actors.ContextSnapshot(
        run_id=stageflow_actors.RunIdentity(**ids),
        conversation=conversation,
        topology="chat_fast",
        execution_mode="practice",
        input_text="Hello!",
    )
    return snapshot.to_json()


def _our_conversation() -> stageflow_actors.Conversation:
    said = [stageflow_actors.Message(role="user", content="Hello!") for _ in range(_MESSAGES)]
    return stageflow_actors.Conversation(messages=said)


def _peer(ids: Ids, conversation: core.Conversation | None) -> str:
    snapshot = core.ContextSnapshot(
        run_id=core.RunIdentity(**ids),
        conversation=conversation,
        topology="chat_fast",
        execution_mode="practice",
        input_text="Hello!",
    )
    return json.dumps(snapshot.to_dict())


def _peer_conversation() -> core.Conversation:
    said = [core.Message("user", "Hello!", datetime.now(UTC)) for _ in range(_MESSAGES)]
    return core.Conversation(messages=said)


def _often(work: Callable[[], object]) -> Action:
    async def run() -> None:
        for _ in range(_BATCH):
            work()

    return run
