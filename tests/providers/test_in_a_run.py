"""Records pass through the stages of a run, as plain data and as themselves."""

from __future__ import annotations

import threading

import pytest

from stageflow_actors import LocalRuntime, Pipeline, StageContext, StageOutput, stage
from stageflow_actors.providers import LLMResponse, TTSResponse
from tests.providers.samples import RECORDS, kind_of


async def answer(ctx: StageContext) -> StageOutput:
    llm = LLMResponse(
        content="Hello!",
        model="gpt-4",
        provider="openai",
        input_tokens=123,
        output_tokens=456,
        tool_calls=[{"name": "find", "arguments": {"words": ["a"]}}],
        raw_response=threading.Lock(),
    )
    return StageOutput.ok(
        message=llm.content, llm=llm.to_dict(), llm_attrs=llm.to_otel_attributes(), record=llm
    )


@stage(kind="work", dependencies="answer")
async def read(ctx: StageContext) -> StageOutput:
    llm = ctx.inputs.require_from("answer", "llm")
    record = ctx.inputs.require_from("answer", "record")
    return StageOutput.ok(
        total=llm["total_tokens"],
        same=LLMResponse.from_dict(llm) == record,
        raw=record.raw_response,
    )


def test_a_record_crosses_stages_as_plain_data_and_as_itself_without_its_raw_response():
    pipeline = Pipeline("ask").with_stage("answer", answer, "work").with_stages(read)
    results = pipeline.run_sync(runtime=LocalRuntime())
    assert results["answer"].data["message"] == "Hello!"
    assert results["answer"].data["llm_attrs"]["gen_ai.usage.input_tokens"] == 123
    assert results["read"].data == {"total": 579, "same": True, "raw": None}


@pytest.mark.parametrize("record", [*RECORDS, TTSResponse(audio=b"abc", provider="p")], ids=kind_of)
def test_a_record_of_every_kind_is_equal_after_a_run(record):
    async def give(ctx: StageContext) -> StageOutput:
        return StageOutput.ok(record=record)

    results = Pipeline("give").with_stage("give", give, "work").run_sync(runtime=LocalRuntime())
    assert results["give"].data["record"] == record
    assert type(results["give"].data["record"]) is type(record)
