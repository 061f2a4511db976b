"""Everything a snapshot holds arrives in every stage, and no stage changes it for another."""

from __future__ import annotations

import pytest

from stageflow_actors import (
    ContextSnapshot,
    Conversation,
    DocumentEnrichment,
    Enrichments,
    FrozenDataError,
    MemoryEnrichment,
    Message,
    Pipeline,
    PipelineContext,
    ProfileEnrichment,
    StageKind,
)
from tests.conformance.snapshots_stages import Learner, look, relay

FULL = ContextSnapshot(
    conversation=Conversation(messages=(Message(role="user", content="Hi", metadata={"n": [1]}),)),
    enrichments=Enrichments(
        profile=ProfileEnrichment(display_name="Ana", preferences={"theme": "dark"}),
        memory=MemoryEnrichment(key_facts=("likes tea",)),
        documents=(DocumentEnrichment(document_id="d", blocks=({"type": "text"},)),),
        web_results=({"url": "u"},),
    ),
    extensions=Learner(level=3, skills=["listening"]),
    input_text="Hi",
    input_audio_duration_ms=700,
    execution_mode="practice",
    topology="chat",
    metadata={"k": [1]},
)


async def test_a_full_snapshot_arrives_in_every_stage_as_it_was(run):
    pipeline = (
        Pipeline("chat")
        .with_stage("relay", relay, StageKind.WORK)
        .with_stage("look", look, StageKind.WORK, after="relay")
    )
    outputs = (await run(pipeline, FULL)).outputs
    assert outputs["look"].data["skills"] == ["listening"]
    assert outputs["look"].data["json"] == FULL.to_json()
    back = ContextSnapshot.from_json(outputs["look"].data["json"], {"Learner": Learner})
    assert back == FULL


@pytest.mark.parametrize(
    "containers",
    [
        lambda s: s.metadata,
        lambda s: s.messages[0].metadata,
        lambda s: s.profile.preferences,
        lambda s: s.documents[0].blocks[0],
        lambda s: s.web_results[0],
    ],
    ids=["metadata", "message", "preferences", "block", "web_result"],
)
async def test_no_container_of_a_snapshot_can_be_written_to(run, containers):
    async def write(ctx):
        try:
            containers(ctx.snapshot)["mine"] = 1
        except FrozenDataError as error:
            return {"code": error.code}

    plain = FULL.with_extensions({"level": 3})
    result = await run(Pipeline().with_stage("write", write, StageKind.WORK), plain)
    assert result.outputs["write"].data == {"code": "DATA-FROZEN"}


async def test_parts_of_a_context_make_the_snapshot(run):
    async def look_around(ctx):
        said = ctx.snapshot.conversation.last_user_message.content
        return {"said": said, "ms": ctx.snapshot.input_audio_duration_ms}

    pipeline = Pipeline().with_stage("look", look_around, StageKind.WORK)
    parts = {"conversation": FULL.conversation, "input_audio_duration_ms": 700}
    expected = {"said": "Hi", "ms": 700}
    assert (await run(pipeline, **parts)).outputs["look"].data == expected
    context = PipelineContext.create(**parts)
    assert (await run(pipeline, context)).outputs["look"].data == expected
