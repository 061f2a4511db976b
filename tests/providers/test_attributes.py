"""Attributes: the standard names, no empty values, and nothing that anybody said."""

from __future__ import annotations

import ast
import inspect
import re

import pytest

from stageflow_actors import providers
from stageflow_actors.providers import (
    EmbeddingResponse,
    LLMResponse,
    ProviderResponse,
    TTSResponse,
    Usage,
    semconv,
)
from stageflow_actors.providers.measures import USAGE_ATTRIBUTES
from tests.providers.samples import RECORDS, SAID, kind_of

NAMES = {
    "GEN_AI_CONVERSATION_ID": "gen_ai.conversation.id",
    "GEN_AI_EMBEDDINGS_DIMENSION_COUNT": "gen_ai.embeddings.dimension.count",
    "GEN_AI_OPERATION_NAME": "gen_ai.operation.name",
    "GEN_AI_OUTPUT_MESSAGES": "gen_ai.output.messages",
    "GEN_AI_OUTPUT_TYPE": "gen_ai.output.type",
    "GEN_AI_PROVIDER_NAME": "gen_ai.provider.name",
    "GEN_AI_REQUEST_MODEL": "gen_ai.request.model",
    "GEN_AI_RESPONSE_FINISH_REASONS": "gen_ai.response.finish_reasons",
    "GEN_AI_RESPONSE_ID": "gen_ai.response.id",
    "GEN_AI_RESPONSE_MODEL": "gen_ai.response.model",
    "GEN_AI_RESPONSE_TIME_TO_FIRST_CHUNK": "gen_ai.response.time_to_first_chunk",
    "GEN_AI_USAGE_AUDIO_CACHE_READ_INPUT_TOKENS": "gen_ai.usage.audio.cache_read.input_tokens",
    "GEN_AI_USAGE_AUDIO_INPUT_TOKENS": "gen_ai.usage.audio.input_tokens",
    "GEN_AI_USAGE_AUDIO_OUTPUT_TOKENS": "gen_ai.usage.audio.output_tokens",
    "GEN_AI_USAGE_CACHE_READ_INPUT_TOKENS": "gen_ai.usage.cache_read.input_tokens",
    "GEN_AI_USAGE_CACHE_WRITE_INPUT_TOKENS": "gen_ai.usage.cache_write.input_tokens",
    "GEN_AI_USAGE_IMAGE_CACHE_READ_INPUT_TOKENS": "gen_ai.usage.image.cache_read.input_tokens",
    "GEN_AI_USAGE_IMAGE_INPUT_TOKENS": "gen_ai.usage.image.input_tokens",
    "GEN_AI_USAGE_IMAGE_OUTPUT_TOKENS": "gen_ai.usage.image.output_tokens",
    "GEN_AI_USAGE_INPUT_TOKENS": "gen_ai.usage.input_tokens",
    "GEN_AI_USAGE_OUTPUT_TOKENS": "gen_ai.usage.output_tokens",
    "GEN_AI_USAGE_REASONING_OUTPUT_TOKENS": "gen_ai.usage.reasoning.output_tokens",
    "GEN_AI_USAGE_TEXT_CACHE_READ_INPUT_TOKENS": "gen_ai.usage.text.cache_read.input_tokens",
    "GEN_AI_USAGE_TEXT_INPUT_TOKENS": "gen_ai.usage.text.input_tokens",
    "GEN_AI_USAGE_TEXT_OUTPUT_TOKENS": "gen_ai.usage.text.output_tokens",
    "STAGEFLOW_AUDIO_BYTE_COUNT": "stageflow.audio.byte_count",
    "STAGEFLOW_AUDIO_CHANNELS": "stageflow.audio.channels",
    "STAGEFLOW_AUDIO_DURATION_MS": "stageflow.audio.duration_ms",
    "STAGEFLOW_AUDIO_FORMAT": "stageflow.audio.format",
    "STAGEFLOW_AUDIO_SAMPLE_RATE": "stageflow.audio.sample_rate",
    "STAGEFLOW_PROVIDER_COST_AMOUNT": "stageflow.provider.cost.amount",
    "STAGEFLOW_PROVIDER_COST_CURRENCY": "stageflow.provider.cost.currency",
    "STAGEFLOW_PROVIDER_LATENCY_MS": "stageflow.provider.latency_ms",
    "STAGEFLOW_PROVIDER_RATE_LIMIT_LIMIT": "stageflow.provider.rate_limit.limit",
    "STAGEFLOW_PROVIDER_RATE_LIMIT_REMAINING": "stageflow.provider.rate_limit.remaining",
    "STAGEFLOW_PROVIDER_RATE_LIMIT_RESET_MS": "stageflow.provider.rate_limit.reset_ms",
    "STAGEFLOW_PROVIDER_REQUEST_ID": "stageflow.provider.request_id",
    "STAGEFLOW_PROVIDER_RESULT_COUNT": "stageflow.provider.result.count",
    "STAGEFLOW_PROVIDER_TOOL_CALL_COUNT": "stageflow.provider.tool_call.count",
    "STAGEFLOW_SPEECH_CONFIDENCE": "stageflow.speech.confidence",
    "STAGEFLOW_SPEECH_IS_FINAL": "stageflow.speech.is_final",
    "STAGEFLOW_SPEECH_LANGUAGE": "stageflow.speech.language",
    "STAGEFLOW_SPEECH_VOICE": "stageflow.speech.voice",
    "STAGEFLOW_USAGE_AUDIO_SECONDS": "stageflow.usage.audio_seconds",
    "STAGEFLOW_USAGE_CHARACTERS": "stageflow.usage.characters",
    "STAGEFLOW_USAGE_IMAGES": "stageflow.usage.images",
    "STAGEFLOW_USAGE_SEARCHES": "stageflow.usage.searches",
}
OF_RUNS = {
    "ERROR_TYPE": "error.type",
    "GEN_AI_CLIENT_OPERATION_DURATION": "gen_ai.client.operation.duration",
    "GEN_AI_CLIENT_OPERATION_TIME_TO_FIRST_CHUNK": "gen_ai.client.operation.time_to_first_chunk",
    "GEN_AI_CLIENT_TOKEN_USAGE": "gen_ai.client.token.usage",
    "GEN_AI_INVOKE_WORKFLOW_DURATION": "gen_ai.invoke_workflow.duration",
    "GEN_AI_TOKEN_TYPE": "gen_ai.token.type",
    "GEN_AI_WORKFLOW_NAME": "gen_ai.workflow.name",
    "SESSION_ID": "session.id",
}
"""What spans and metrics of runs have, and no record."""
VALUES = {
    "OPERATION_CHAT": "chat",
    "OPERATION_EMBEDDINGS": "embeddings",
    "OPERATION_GENERATE_CONTENT": "generate_content",
    "OPERATION_INVOKE_WORKFLOW": "invoke_workflow",
    "OPERATION_RERANK": "rerank",
    "OPERATION_RETRIEVAL": "retrieval",
    "OPERATION_SPEECH_TO_TEXT": "speech_to_text",
    "OPERATION_TEXT_TO_SPEECH": "text_to_speech",
    "OUTPUT_TYPE_IMAGE": "image",
    "OUTPUT_TYPE_SPEECH": "speech",
}
OPERATIONS = {
    "EmbeddingResponse": "embeddings",
    "ImageResponse": "generate_content",
    "LLMResponse": "chat",
    "ProviderResponse": "moderation",
    "RerankResponse": "rerank",
    "STTResponse": "speech_to_text",
    "SearchResponse": "retrieval",
    "TTSResponse": "text_to_speech",
}


def modules():
    return [module for module in vars(providers).values() if inspect.ismodule(module)]


def test_names_are_those_of_the_conventions_byte_for_byte():
    constants = {name: value for name, value in vars(semconv).items() if name.isupper()}
    assert constants == NAMES | OF_RUNS | VALUES


def test_names_say_which_conventions_they_follow():
    assert "https://opentelemetry.io/schemas/gen-ai/1.42.0" in semconv.__doc__
    assert re.search(r"\b[0-9a-f]{40}\b", semconv.__doc__)


def test_names_stand_in_one_module_only():
    assert len(modules()) > 5
    for module in modules():
        if module is semconv:
            continue
        for node in ast.walk(ast.parse(inspect.getsource(module))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                assert not re.match(r"(gen_ai|stageflow)\.[a-z]", node.value), module.__name__
                assert node.value not in VALUES.values()


def test_all_names_are_used_by_some_record():
    used = {name for each in RECORDS for name in (*each.to_otel_attributes(), *each.contents())}
    assert used == set(NAMES.values())


def test_every_count_has_an_attribute():
    assert [field for field, _ in USAGE_ATTRIBUTES] == list(Usage.model_fields)
    assert len({name for _, name in USAGE_ATTRIBUTES}) == len(USAGE_ATTRIBUTES)


def test_attributes_of_a_language_model_call():
    record = next(record for record in RECORDS if type(record) is LLMResponse)
    attributes = record.to_otel_attributes()
    assert {name: value for name, value in attributes.items() if ".usage." not in name} == {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "acme",
        "gen_ai.request.model": "acme-1",
        "gen_ai.response.model": "acme-1-0613",
        "gen_ai.response.id": "resp-1",
        "gen_ai.conversation.id": "conv-1",
        "gen_ai.response.finish_reasons": ["stop"],
        "gen_ai.response.time_to_first_chunk": 0.25,
        "stageflow.provider.latency_ms": 1500.0,
        "stageflow.provider.request_id": "req-1",
        "stageflow.provider.cost.amount": 0.0021,
        "stageflow.provider.cost.currency": "USD",
        "stageflow.provider.rate_limit.limit": 100,
        "stageflow.provider.rate_limit.remaining": 99,
        "stageflow.provider.rate_limit.reset_ms": 60000.0,
        "stageflow.provider.tool_call.count": 1,
    }


def test_usage_is_told_by_modality():
    usage = Usage(
        input_tokens=9, output_tokens=8, cached_tokens=7, cache_write_tokens=6, reasoning_tokens=5,
        audio_input_tokens=4, image_output_tokens=3, text_cached_tokens=2,
    )  # fmt: skip
    response = ProviderResponse(provider="p", operation="o", usage=usage)
    assert response.to_otel_attributes() == {
        "gen_ai.operation.name": "o",
        "gen_ai.provider.name": "p",
        "gen_ai.usage.input_tokens": 9,
        "gen_ai.usage.output_tokens": 8,
        "gen_ai.usage.cache_read.input_tokens": 7,
        "gen_ai.usage.cache_write.input_tokens": 6,
        "gen_ai.usage.reasoning.output_tokens": 5,
        "gen_ai.usage.audio.input_tokens": 4,
        "gen_ai.usage.image.output_tokens": 3,
        "gen_ai.usage.text.cache_read.input_tokens": 2,
    }


def test_what_is_not_known_is_left_out_and_zero_is_not():
    response = LLMResponse(
        content="x", model="m", provider="p", input_tokens=0, time_to_first_output_ms=0.0
    )
    assert response.to_otel_attributes() == {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "p",
        "gen_ai.request.model": "m",
        "gen_ai.response.time_to_first_chunk": 0.0,
        "gen_ai.usage.input_tokens": 0,
    }


@pytest.mark.parametrize("record", RECORDS, ids=kind_of)
def test_operation_is_that_of_the_kind(record):
    assert record.to_otel_attributes()["gen_ai.operation.name"] == OPERATIONS[kind_of(record)]


def test_operation_may_be_named_otherwise():
    response = LLMResponse(content="", model="m", provider="p", operation="text_completion")
    assert response.to_otel_attributes()["gen_ai.operation.name"] == "text_completion"


@pytest.mark.parametrize("record", RECORDS, ids=kind_of)
def test_nothing_that_was_said_is_among_the_attributes(record):
    assert kind_of(record) in {"ProviderResponse", "TTSResponse", "EmbeddingResponse"} or (
        SAID in repr(record.to_dict())
    )
    assert SAID not in repr(record.to_otel_attributes())


@pytest.mark.parametrize("record", RECORDS, ids=kind_of)
def test_values_are_what_opentelemetry_accepts(record):
    for value in record.to_otel_attributes().values():
        if type(value) is list:
            assert {type(item) for item in value} == {str}
        else:
            assert type(value) in {str, bool, int, float}


def test_attributes_of_speech_and_vectors_say_how_much_there_was():
    spoken = TTSResponse(audio=b"abcd", provider="p", sample_rate=8000).to_otel_attributes()
    assert spoken["stageflow.audio.byte_count"] == 4
    assert spoken["stageflow.audio.sample_rate"] == 8000
    assert spoken["gen_ai.output.type"] == "speech"
    found = EmbeddingResponse(vectors=[[1.0, 2.0]] * 3, provider="p").to_otel_attributes()
    assert found["gen_ai.embeddings.dimension.count"] == 2
    assert found["stageflow.provider.result.count"] == 3


@pytest.mark.parametrize("record", RECORDS, ids=kind_of)
def test_records_that_hold_results_say_how_many(record):
    counts = {"EmbeddingResponse": 2, "RerankResponse": 2, "SearchResponse": 1, "ImageResponse": 1}
    attributes = record.to_otel_attributes()
    assert attributes.get("stageflow.provider.result.count") == counts.get(kind_of(record))


def test_attributes_are_the_callers_own():
    record = RECORDS[1]
    record.to_otel_attributes()["gen_ai.response.finish_reasons"].append("changed")
    assert record.to_otel_attributes()["gen_ai.response.finish_reasons"] == ["stop"]
