"""What is redacted for those who watch, and reaches a stage as it was said."""

from __future__ import annotations

from stageflow_actors import (
    GuardRetryPolicy,
    LocalRuntime,
    Pipeline,
    PipelineContext,
    StageCancellationRequested,
    StageOutput,
)
from stageflow_actors.actors.sealing import plain_event
from stageflow_actors.model.output import StageEvent
from stageflow_actors.model.redaction.redactor import Redactor

SAID = "a question that somebody has asked"


class Long:
    def __repr__(self) -> str:
        return "x" * 190 + "abcdefgh12345678"


def test_a_secret_at_the_end_of_what_is_kept_of_a_repr_is_not_cut_in_two():
    _type, _at, data = plain_event(StageEvent("e", {"o": Long()}), Redactor(["abcdefgh12345678"]))
    assert data["o"] == "x" * 190 + "[redacted]"


async def test_a_guard_is_heard_by_the_stage_in_its_own_words_and_redacted_by_others():
    heard = []

    async def write(ctx):
        heard.append(ctx.feedback and ctx.feedback.reason)
        return {"n": len(heard)}

    async def check(ctx):
        is_good = ctx.inputs.get("n") > 1
        return StageOutput.ok() if is_good else StageOutput.fail(f"no answer to {SAID}")

    policy = GuardRetryPolicy("write")
    pipeline = (
        Pipeline()
        .with_stage("write", write, "work")
        .with_stage("check", check, "guard", dependencies="write", guard_retry=policy)
    )
    async with LocalRuntime().deploy(pipeline) as app:
        run = await app.start(input_text=SAID)
        told = repr([event async for event in run.events()])
        assert (await run.result()).ok
    assert heard == [None, f"no answer to {SAID}"]
    assert "no answer to [content]" in told
    assert SAID not in told


async def result_with(hook):
    async def work(ctx):
        return None

    context = PipelineContext.create(input_text=SAID, data={"password": "a-password-of-it"})
    context.add_before_stage_start_hook(hook)
    async with LocalRuntime().deploy(Pipeline().with_stage("work", work, "work")) as app:
        return await (await app.start(context)).result()


async def test_what_a_hook_says_is_redacted_as_what_a_stage_says():
    def refuse(stage, kind, context):
        raise ValueError(f"{context.snapshot.input_text}: {context.data['password']}")

    def cancel(stage, kind, context):
        raise StageCancellationRequested(context.snapshot.input_text)

    assert (await result_with(refuse)).failures["work"].message == "[content]: [redacted]"
    assert (await result_with(cancel)).reason == "[content]"


async def test_what_a_cleanup_of_a_run_says_is_redacted_with_what_the_run_was_given():
    async def work(ctx):
        return None

    def clean_up():
        raise OSError(f"{SAID}: a-password-of-it")

    context = PipelineContext.create(input_text=SAID, data={"password": "a-password-of-it"})
    context.on_cleanup(clean_up)
    async with LocalRuntime().deploy(Pipeline().with_stage("work", work, "work")) as app:
        result = await (await app.start(context)).result()
    assert [each.message for each in result.cleanup_failures] == ["[content]: [redacted]"]
