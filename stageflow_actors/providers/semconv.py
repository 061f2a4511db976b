"""Every attribute and operation name that records and spans use, in this one place.

The ``gen_ai`` names follow the OpenTelemetry GenAI conventions, schema
https://opentelemetry.io/schemas/gen-ai/1.42.0, as they stood in ``docs/gen-ai/client-inference.md``
at commit ac48b1f9df15fdf281b96cccf15eb707e1fc1868 of
https://github.com/open-telemetry/semantic-conventions-genai. Their status is Development: they may
be renamed, and then change here and nowhere else. What has no standard name is under ``stageflow``.
"""

from __future__ import annotations

# --- the call ---
GEN_AI_OPERATION_NAME = "gen_ai.operation.name"
GEN_AI_PROVIDER_NAME = "gen_ai.provider.name"
GEN_AI_REQUEST_MODEL = "gen_ai.request.model"
GEN_AI_CONVERSATION_ID = "gen_ai.conversation.id"
GEN_AI_OUTPUT_TYPE = "gen_ai.output.type"
GEN_AI_OUTPUT_MESSAGES = "gen_ai.output.messages"
GEN_AI_RESPONSE_ID = "gen_ai.response.id"
GEN_AI_RESPONSE_MODEL = "gen_ai.response.model"
GEN_AI_RESPONSE_FINISH_REASONS = "gen_ai.response.finish_reasons"
GEN_AI_RESPONSE_TIME_TO_FIRST_CHUNK = "gen_ai.response.time_to_first_chunk"
GEN_AI_EMBEDDINGS_DIMENSION_COUNT = "gen_ai.embeddings.dimension.count"

# --- a run of a pipeline ---
GEN_AI_WORKFLOW_NAME = "gen_ai.workflow.name"
ERROR_TYPE = "error.type"
SESSION_ID = "session.id"

# --- tokens ---
GEN_AI_USAGE_INPUT_TOKENS = "gen_ai.usage.input_tokens"
GEN_AI_USAGE_OUTPUT_TOKENS = "gen_ai.usage.output_tokens"
GEN_AI_USAGE_CACHE_READ_INPUT_TOKENS = "gen_ai.usage.cache_read.input_tokens"
GEN_AI_USAGE_CACHE_WRITE_INPUT_TOKENS = "gen_ai.usage.cache_write.input_tokens"
GEN_AI_USAGE_REASONING_OUTPUT_TOKENS = "gen_ai.usage.reasoning.output_tokens"
GEN_AI_USAGE_TEXT_INPUT_TOKENS = "gen_ai.usage.text.input_tokens"
GEN_AI_USAGE_TEXT_OUTPUT_TOKENS = "gen_ai.usage.text.output_tokens"
GEN_AI_USAGE_TEXT_CACHE_READ_INPUT_TOKENS = "gen_ai.usage.text.cache_read.input_tokens"
GEN_AI_USAGE_AUDIO_INPUT_TOKENS = "gen_ai.usage.audio.input_tokens"
GEN_AI_USAGE_AUDIO_OUTPUT_TOKENS = "gen_ai.usage.audio.output_tokens"
GEN_AI_USAGE_AUDIO_CACHE_READ_INPUT_TOKENS = "gen_ai.usage.audio.cache_read.input_tokens"
GEN_AI_USAGE_IMAGE_INPUT_TOKENS = "gen_ai.usage.image.input_tokens"
GEN_AI_USAGE_IMAGE_OUTPUT_TOKENS = "gen_ai.usage.image.output_tokens"
GEN_AI_USAGE_IMAGE_CACHE_READ_INPUT_TOKENS = "gen_ai.usage.image.cache_read.input_tokens"

# --- without a standard name ---
STAGEFLOW_PROVIDER_LATENCY_MS = "stageflow.provider.latency_ms"
STAGEFLOW_PROVIDER_REQUEST_ID = "stageflow.provider.request_id"
STAGEFLOW_PROVIDER_COST_AMOUNT = "stageflow.provider.cost.amount"
STAGEFLOW_PROVIDER_COST_CURRENCY = "stageflow.provider.cost.currency"
STAGEFLOW_PROVIDER_RATE_LIMIT_LIMIT = "stageflow.provider.rate_limit.limit"
STAGEFLOW_PROVIDER_RATE_LIMIT_REMAINING = "stageflow.provider.rate_limit.remaining"
STAGEFLOW_PROVIDER_RATE_LIMIT_RESET_MS = "stageflow.provider.rate_limit.reset_ms"
STAGEFLOW_PROVIDER_RESULT_COUNT = "stageflow.provider.result.count"
STAGEFLOW_PROVIDER_TOOL_CALL_COUNT = "stageflow.provider.tool_call.count"
STAGEFLOW_USAGE_CHARACTERS = "stageflow.usage.characters"
STAGEFLOW_USAGE_AUDIO_SECONDS = "stageflow.usage.audio_seconds"
STAGEFLOW_USAGE_IMAGES = "stageflow.usage.images"
STAGEFLOW_USAGE_SEARCHES = "stageflow.usage.searches"
STAGEFLOW_AUDIO_BYTE_COUNT = "stageflow.audio.byte_count"
STAGEFLOW_AUDIO_CHANNELS = "stageflow.audio.channels"
STAGEFLOW_AUDIO_DURATION_MS = "stageflow.audio.duration_ms"
STAGEFLOW_AUDIO_FORMAT = "stageflow.audio.format"
STAGEFLOW_AUDIO_SAMPLE_RATE = "stageflow.audio.sample_rate"
STAGEFLOW_SPEECH_CONFIDENCE = "stageflow.speech.confidence"
STAGEFLOW_SPEECH_IS_FINAL = "stageflow.speech.is_final"
STAGEFLOW_SPEECH_LANGUAGE = "stageflow.speech.language"
STAGEFLOW_SPEECH_VOICE = "stageflow.speech.voice"

# --- metrics ---
GEN_AI_CLIENT_OPERATION_DURATION = "gen_ai.client.operation.duration"
GEN_AI_CLIENT_OPERATION_TIME_TO_FIRST_CHUNK = "gen_ai.client.operation.time_to_first_chunk"
GEN_AI_CLIENT_TOKEN_USAGE = "gen_ai.client.token.usage"  # noqa: S105 - no secret
GEN_AI_INVOKE_WORKFLOW_DURATION = "gen_ai.invoke_workflow.duration"
GEN_AI_TOKEN_TYPE = "gen_ai.token.type"  # noqa: S105 - no secret

# --- operations ---
OPERATION_INVOKE_WORKFLOW = "invoke_workflow"
OPERATION_CHAT = "chat"
OPERATION_EMBEDDINGS = "embeddings"
OPERATION_GENERATE_CONTENT = "generate_content"
OPERATION_RETRIEVAL = "retrieval"
# Proposed to the conventions and not accepted yet.
OPERATION_RERANK = "rerank"
OPERATION_SPEECH_TO_TEXT = "speech_to_text"
OPERATION_TEXT_TO_SPEECH = "text_to_speech"

# --- output types ---
OUTPUT_TYPE_IMAGE = "image"
OUTPUT_TYPE_SPEECH = "speech"
