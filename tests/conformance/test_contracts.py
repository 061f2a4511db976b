"""Contracts hold inside a run: a violation fails whoever made the data, and no reader runs."""

from __future__ import annotations

import pytest

from stageflow_actors import (
    Pipeline,
    RunStatus,
    StageContractError,
    StageKind,
    StageOutput,
    TypedStageOutput,
)
from tests.conformance.contracts_stages import Profile, Question, Read, Transcript
from tests.conformance.crossing import Journal

RIGHT = {"words": [{"text": "hi", "start": 0.5}]}
WRONG = {"words": [{"text": "hi", "start": 0.5}, {"text": "you", "start": "later"}]}


def making(data):
    async def hear(ctx):
        return data

    return hear


def hear_and_read(folder, data, *, of_hear=None, of_read=None):
    return (
        Pipeline()
        .with_stage("hear", making(data), StageKind.TRANSFORM, output_model=of_hear)
        .with_stage("read", Read, None, "hear", config={"folder": folder}, input_model=of_read)
    )


@pytest.mark.parametrize("models", [{"of_hear": Transcript}, {"of_read": Transcript}, {}], ids=str)
async def test_data_that_keeps_its_contracts_is_read(run, tmp_path, models):
    result = await run(hear_and_read(tmp_path, RIGHT, **models))
    assert result.ok
    assert result.outputs["hear"].data == RIGHT  # checked, and not changed
    assert result.outputs["read"].data == {"words": 1}


@pytest.mark.parametrize(
    ("models", "code", "named"),
    [
        ({"of_hear": Transcript}, "CONTRACT-OUTPUT", "'hear'"),
        ({"of_read": Transcript}, "CONTRACT-INPUT", "'read'"),
    ],
    ids=["output", "input"],
)
async def test_violation_fails_the_producer_and_the_reader_never_runs(
    run, tmp_path, models, code, named
):
    result = await run(hear_and_read(tmp_path, WRONG, **models))
    assert (result.status, result.stage) == (RunStatus.FAILED, "hear")
    failure = result.failures["hear"]
    assert failure.code == code
    assert isinstance(failure.original, StageContractError)
    assert failure.original.path == "words.1.start"
    assert "number" in failure.original.expected
    assert "later" in failure.original.got
    assert named in failure.message
    assert Journal(tmp_path).lines == []


async def test_each_dependency_has_a_contract_of_its_own(run):
    async def greet(ctx):
        return {"text": ctx.inputs.get_typed("who", Profile).name}

    def with_profile(profile):
        return (
            Pipeline()
            .with_stage("hear", making(RIGHT), StageKind.TRANSFORM)
            .with_stage("who", making(profile), StageKind.ENRICH)
            .with_stage(
                "greet",
                greet,
                StageKind.WORK,
                ["hear", "who"],
                input_model={"hear": Transcript, "who": Profile},
            )
        )

    assert (await run(with_profile({"name": "Ana"}))).outputs["greet"].data == {"text": "Ana"}
    refused = await run(with_profile({"name": 7, "token": "s3cr3t"}))
    assert refused.stage == "who"
    assert "s3cr3t" not in str(refused.failures["who"].original)


async def test_only_ok_outputs_are_checked(run):
    async def skip(ctx):
        return StageOutput.skip("silence")

    pipeline = Pipeline().with_stage("hear", skip, StageKind.TRANSFORM, output_model=Transcript)
    assert (await run(pipeline)).skipped == {"hear": "silence"}


async def test_data_is_read_as_a_model_or_refused_with_its_path(run, tmp_path):
    result = await run(hear_and_read(tmp_path, WRONG))
    assert result.stage == "read"
    original = result.failures["read"].original
    assert (original.code, original.path) == ("CONTRACT-INPUT", "words.1.start")


async def test_input_of_a_run_keeps_the_contract_of_its_first_stages(runtime):
    async def ask(ctx):
        return {"top": ctx.data.get("top"), "text": ctx.snapshot.input_text}

    pipeline = Pipeline().with_stage("ask", ask, StageKind.WORK, input_model=Question)
    async with runtime.deploy(pipeline) as app:
        assert (await app.run(input_text="why?", data={"top": 2}))["ask"].data["top"] == 2
        with pytest.raises(StageContractError) as refused:
            await app.start(input_text="why?", data={"top": "two"})
        assert (refused.value.code, refused.value.path) == ("CONTRACT-INPUT", "top")
        with pytest.raises(StageContractError, match="input_text"):
            await app.run()
        assert (await app.run(input_text="still here"))["ask"].data["text"] == "still here"


async def test_schemas_of_a_pipeline_follow_from_its_models():
    pipeline = (
        Pipeline()
        .with_stage("ask", making({}), StageKind.WORK, input_model=Question)
        .with_stage("hear", making(RIGHT), StageKind.WORK, "ask", output_model=Transcript)
    )
    assert pipeline.input_schema()["required"] == ["input_text"]
    assert set(pipeline.output_schema()["properties"]) == {"hear"}


async def test_typed_output_carries_its_version(run):
    typed = TypedStageOutput(Transcript, default_version="transcript/v1")

    async def hear(ctx):
        return typed.ok(RIGHT)

    output = (await run(Pipeline().with_stage("hear", hear, StageKind.WORK))).outputs["hear"]
    assert output.version == "transcript/v1"
    assert output.data["language"] == "en"
