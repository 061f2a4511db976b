"""Pipelines of AI stages on supervised actors.

Everything public is here. What runs them is loaded on first use, so that this import stays light
and never brings in Ray.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from stageflow_actors.errors import (
    AdmissionRefusedError,
    AmbiguousInputError,
    AuthenticationError,
    CircuitBreakerOpenError,
    CleanupClosedError,
    ConfigurationError,
    ConfigurationProblem,
    ContractErrorInfo,
    CriticalInterceptorError,
    CycleDetectedError,
    DeploymentClosedError,
    DeploymentError,
    EscalationError,
    FrozenDataError,
    IdempotencyParamMismatch,
    InterceptorRejectedError,
    InterceptorReturnTypeError,
    InvalidRunInputError,
    MaxDepthExceededError,
    MissingInputError,
    PipelineCancelled,
    PipelineValidationError,
    PlacementError,
    PoisonedInputError,
    PolicyError,
    RateLimitError,
    RayStartError,
    RemoteStageError,
    RemoteTraceback,
    RoutingError,
    RuntimeFault,
    RunTimeoutError,
    ServiceUnavailableError,
    SnapshotError,
    SpawnRefusedError,
    StageAbandonedError,
    StageCancellationRequested,
    StageContractError,
    StageDefinitionError,
    StageDownError,
    StageExecutionError,
    StageFailedError,
    StageflowError,
    StageLostError,
    StageOutputError,
    StageReturnTypeError,
    StageTimeoutError,
    StreamError,
    SupervisorLostError,
    TenantAccessDeniedError,
    TransientError,
    UndeclaredDependencyError,
    UnknownPipelineError,
)
from stageflow_actors.model.ancestry import (
    Ancestry,
)
from stageflow_actors.model.cleanup import CleanupFailure
from stageflow_actors.model.context import RunContext
from stageflow_actors.model.conversation import Conversation, ConversationRouting, Message
from stageflow_actors.model.core_ports import CorePorts
from stageflow_actors.model.declaration import StageOptions, stage
from stageflow_actors.model.enrichments import (
    DocumentEnrichment,
    Enrichments,
    MemoryEnrichment,
    ProfileEnrichment,
)
from stageflow_actors.model.events import Event
from stageflow_actors.model.extensions import ExtensionBundle
from stageflow_actors.model.identity import RunIdentity
from stageflow_actors.model.inputs import (
    MissingInput,
    StageInputs,
)
from stageflow_actors.model.kind import StageKind
from stageflow_actors.model.output import (
    StageArtifact,
    StageEvent,
    StageOutput,
    StageReturn,
    StageStatus,
)
from stageflow_actors.model.pipeline_context import PipelineContext
from stageflow_actors.model.policies.batching import (
    Batching,
)
from stageflow_actors.model.policies.breaker import (
    BreakerPolicy,
)
from stageflow_actors.model.policies.effects import (
    Effects,
)
from stageflow_actors.model.policies.execution import (
    ExecutionConfig,
    ExecutionMode,
)
from stageflow_actors.model.policies.guard import (
    GuardFeedback,
    GuardRetryPolicy,
)
from stageflow_actors.model.policies.idempotency import (
    IdempotencyPolicy,
)
from stageflow_actors.model.policies.placement import (
    Placement,
)
from stageflow_actors.model.policies.restart import (
    Restart,
)
from stageflow_actors.model.policies.retry import (
    BackoffStrategy,
    JitterStrategy,
    RetryPolicy,
)
from stageflow_actors.model.policies.scaling import (
    Autoscaling,
)
from stageflow_actors.model.policies.timeouts import (
    Timeouts,
)
from stageflow_actors.model.priority import RunPriority
from stageflow_actors.model.results import (
    PipelineResults,
    RunResult,
    RunStatus,
    StageCancellation,
    StageFailure,
    StageTiming,
)
from stageflow_actors.model.routing import RoutingDecision
from stageflow_actors.model.snapshot import ContextSnapshot
from stageflow_actors.model.stage import Stage, StageSpec
from stageflow_actors.model.stage_context import StageContext
from stageflow_actors.model.stats import BatchStats, DeploymentStats, RunStats, StageStats
from stageflow_actors.model.streaming import Audience, StreamPiece
from stageflow_actors.model.subpipeline import (
    SubpipelineResult,
)
from stageflow_actors.model.timer import PipelineTimer
from stageflow_actors.pipeline import Pipeline, StageGraph, run_stage
from stageflow_actors.ports import (
    EventSink,
    IdempotencyStore,
    SelectiveEventSink,
)

if TYPE_CHECKING:
    from stageflow_actors.actors.deployment import Deployment
    from stageflow_actors.actors.handle import RunHandle
    from stageflow_actors.actors.hints import (
        hash_retry_payload,
    )
    from stageflow_actors.actors.local import LocalRuntime
    from stageflow_actors.actors.observation import (
        clear_event_sink,
        event_statistics,
        flush_events,
        get_event_sink,
        set_event_sink,
    )
    from stageflow_actors.actors.ray_runtime import RayRuntime
    from stageflow_actors.actors.registry import (
        PipelineRegistry,
    )
    from stageflow_actors.actors.runtime import Runtime
    from stageflow_actors.adapters.bounded import BackpressureAwareEventSink
    from stageflow_actors.adapters.event_queue import BackpressureMetrics
    from stageflow_actors.adapters.event_table import StoredEvent
    from stageflow_actors.adapters.idempotency.memory import (
        InMemoryIdempotencyStore,
    )
    from stageflow_actors.adapters.idempotency.sqlite import (
        SQLiteIdempotencyStore,
    )
    from stageflow_actors.adapters.jsonl import JSONLEventSink
    from stageflow_actors.adapters.routing import FanOutEventSink, FilteringEventSink
    from stageflow_actors.adapters.sinks import InMemoryEventSink, LoggingEventSink, NoOpEventSink
    from stageflow_actors.adapters.sqlite import SQLiteEventSink
    from stageflow_actors.contracts import (
        ContractCompatibilityReport,
        ContractMetadata,
        ContractRegistry,
        TypedStageOutput,
        timestamp_version,
    )
    from stageflow_actors.engine.child_runs import (
        ChildRunMetrics,
        ChildRunTracker,
    )
    from stageflow_actors.interceptors import (
        AttemptEnd,
        BaseInterceptor,
        ChildTrackerMetricsInterceptor,
        CircuitBreakerInterceptor,
        ErrorAction,
        ErrorDecision,
        IdempotencyInterceptor,
        InterceptorResult,
        LoggingInterceptor,
        MetricsInterceptor,
        TimeoutInterceptor,
        TracingInterceptor,
        get_default_interceptors,
    )
    from stageflow_actors.model.payloads import (
        StagePayloadResult,
        cancel_output,
        fail_output,
        ok_output,
        payload_from_inputs,
        payload_from_results,
        summary_from_output,
    )
    from stageflow_actors.model.settings import Settings
    from stageflow_actors.pipeline_files import load_pipelines
    from stageflow_actors.providers import (
        Cost,
        EmbeddingResponse,
        GeneratedImage,
        ImageResponse,
        LLMResponse,
        ProviderResponse,
        RateLimit,
        RerankResponse,
        RerankResult,
        SearchResponse,
        SearchResult,
        STTResponse,
        TTSResponse,
        Usage,
    )
    from stageflow_actors.security import (
        ApiKeyRecord,
        ApiKeyVerifier,
        AuthContext,
        AuthInterceptor,
        FirstOf,
        JwksDocument,
        JwksUrl,
        JwtVerifier,
        NewApiKey,
        OrgEnforcementInterceptor,
        TokenVerifier,
        new_api_key,
    )

_LAZY = {
    "ApiKeyRecord": "stageflow_actors.security",
    "ApiKeyVerifier": "stageflow_actors.security",
    "AttemptEnd": "stageflow_actors.interceptors",
    "AuthContext": "stageflow_actors.security",
    "AuthInterceptor": "stageflow_actors.security",
    "BackpressureAwareEventSink": "stageflow_actors.adapters.bounded",
    "BackpressureMetrics": "stageflow_actors.adapters.event_queue",
    "BaseInterceptor": "stageflow_actors.interceptors",
    "ChildRunMetrics": "stageflow_actors.engine.child_runs",
    "ChildRunTracker": "stageflow_actors.engine.child_runs",
    "ChildTrackerMetricsInterceptor": "stageflow_actors.interceptors",
    "CircuitBreakerInterceptor": "stageflow_actors.interceptors",
    "ContractCompatibilityReport": "stageflow_actors.contracts",
    "ContractMetadata": "stageflow_actors.contracts",
    "ContractRegistry": "stageflow_actors.contracts",
    "Cost": "stageflow_actors.providers",
    "Deployment": "stageflow_actors.actors.deployment",
    "EmbeddingResponse": "stageflow_actors.providers",
    "ErrorAction": "stageflow_actors.interceptors",
    "ErrorDecision": "stageflow_actors.interceptors",
    "FanOutEventSink": "stageflow_actors.adapters.routing",
    "FilteringEventSink": "stageflow_actors.adapters.routing",
    "FirstOf": "stageflow_actors.security",
    "GeneratedImage": "stageflow_actors.providers",
    "IdempotencyInterceptor": "stageflow_actors.interceptors",
    "ImageResponse": "stageflow_actors.providers",
    "InMemoryEventSink": "stageflow_actors.adapters.sinks",
    "InMemoryIdempotencyStore": "stageflow_actors.adapters.idempotency.memory",
    "InterceptorResult": "stageflow_actors.interceptors",
    "JSONLEventSink": "stageflow_actors.adapters.jsonl",
    "JwksDocument": "stageflow_actors.security",
    "JwksUrl": "stageflow_actors.security",
    "JwtVerifier": "stageflow_actors.security",
    "LLMResponse": "stageflow_actors.providers",
    "LocalRuntime": "stageflow_actors.actors.local",
    "LoggingEventSink": "stageflow_actors.adapters.sinks",
    "LoggingInterceptor": "stageflow_actors.interceptors",
    "MetricsInterceptor": "stageflow_actors.interceptors",
    "NewApiKey": "stageflow_actors.security",
    "NoOpEventSink": "stageflow_actors.adapters.sinks",
    "OrgEnforcementInterceptor": "stageflow_actors.security",
    "PipelineRegistry": "stageflow_actors.actors.registry",
    "ProviderResponse": "stageflow_actors.providers",
    "RateLimit": "stageflow_actors.providers",
    "RayRuntime": "stageflow_actors.actors.ray_runtime",
    "RerankResponse": "stageflow_actors.providers",
    "RerankResult": "stageflow_actors.providers",
    "RunHandle": "stageflow_actors.actors.handle",
    "Runtime": "stageflow_actors.actors.runtime",
    "SQLiteEventSink": "stageflow_actors.adapters.sqlite",
    "SQLiteIdempotencyStore": "stageflow_actors.adapters.idempotency.sqlite",
    "STTResponse": "stageflow_actors.providers",
    "SearchResponse": "stageflow_actors.providers",
    "SearchResult": "stageflow_actors.providers",
    "Settings": "stageflow_actors.model.settings",
    "StagePayloadResult": "stageflow_actors.model.payloads",
    "StoredEvent": "stageflow_actors.adapters.event_table",
    "TTSResponse": "stageflow_actors.providers",
    "TimeoutInterceptor": "stageflow_actors.interceptors",
    "TokenVerifier": "stageflow_actors.security",
    "TracingInterceptor": "stageflow_actors.interceptors",
    "TypedStageOutput": "stageflow_actors.contracts",
    "Usage": "stageflow_actors.providers",
    "cancel_output": "stageflow_actors.model.payloads",
    "clear_event_sink": "stageflow_actors.actors.observation",
    "event_statistics": "stageflow_actors.actors.observation",
    "fail_output": "stageflow_actors.model.payloads",
    "flush_events": "stageflow_actors.actors.observation",
    "get_default_interceptors": "stageflow_actors.interceptors",
    "get_event_sink": "stageflow_actors.actors.observation",
    "hash_retry_payload": "stageflow_actors.actors.hints",
    "load_pipelines": "stageflow_actors.pipeline_files",
    "new_api_key": "stageflow_actors.security",
    "ok_output": "stageflow_actors.model.payloads",
    "payload_from_inputs": "stageflow_actors.model.payloads",
    "payload_from_results": "stageflow_actors.model.payloads",
    "set_event_sink": "stageflow_actors.actors.observation",
    "summary_from_output": "stageflow_actors.model.payloads",
    "timestamp_version": "stageflow_actors.contracts",
}


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        return version("stageflow-actors")
    try:
        module = _LAZY[name]
    except KeyError:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}") from None
    return getattr(importlib.import_module(module), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_LAZY})


__all__ = [
    "AdmissionRefusedError",
    "AmbiguousInputError",
    "Ancestry",
    "ApiKeyRecord",
    "ApiKeyVerifier",
    "AttemptEnd",
    "Audience",
    "AuthContext",
    "AuthInterceptor",
    "AuthenticationError",
    "Autoscaling",
    "BackoffStrategy",
    "BackpressureAwareEventSink",
    "BackpressureMetrics",
    "BaseInterceptor",
    "BatchStats",
    "Batching",
    "BreakerPolicy",
    "ChildRunMetrics",
    "ChildRunTracker",
    "ChildTrackerMetricsInterceptor",
    "CircuitBreakerInterceptor",
    "CircuitBreakerOpenError",
    "CleanupClosedError",
    "CleanupFailure",
    "ConfigurationError",
    "ConfigurationProblem",
    "ContextSnapshot",
    "ContractCompatibilityReport",
    "ContractErrorInfo",
    "ContractMetadata",
    "ContractRegistry",
    "Conversation",
    "ConversationRouting",
    "CorePorts",
    "Cost",
    "CriticalInterceptorError",
    "CycleDetectedError",
    "Deployment",
    "DeploymentClosedError",
    "DeploymentError",
    "DeploymentStats",
    "DocumentEnrichment",
    "Effects",
    "EmbeddingResponse",
    "Enrichments",
    "ErrorAction",
    "ErrorDecision",
    "EscalationError",
    "Event",
    "EventSink",
    "ExecutionConfig",
    "ExecutionMode",
    "ExtensionBundle",
    "FanOutEventSink",
    "FilteringEventSink",
    "FirstOf",
    "FrozenDataError",
    "GeneratedImage",
    "GuardFeedback",
    "GuardRetryPolicy",
    "IdempotencyInterceptor",
    "IdempotencyParamMismatch",
    "IdempotencyPolicy",
    "IdempotencyStore",
    "ImageResponse",
    "InMemoryEventSink",
    "InMemoryIdempotencyStore",
    "InterceptorRejectedError",
    "InterceptorResult",
    "InterceptorReturnTypeError",
    "InvalidRunInputError",
    "JSONLEventSink",
    "JitterStrategy",
    "JwksDocument",
    "JwksUrl",
    "JwtVerifier",
    "LLMResponse",
    "LocalRuntime",
    "LoggingEventSink",
    "LoggingInterceptor",
    "MaxDepthExceededError",
    "MemoryEnrichment",
    "Message",
    "MetricsInterceptor",
    "MissingInput",
    "MissingInputError",
    "NewApiKey",
    "NoOpEventSink",
    "OrgEnforcementInterceptor",
    "Pipeline",
    "PipelineCancelled",
    "PipelineContext",
    "PipelineRegistry",
    "PipelineResults",
    "PipelineTimer",
    "PipelineValidationError",
    "Placement",
    "PlacementError",
    "PoisonedInputError",
    "PolicyError",
    "ProfileEnrichment",
    "ProviderResponse",
    "RateLimit",
    "RateLimitError",
    "RayRuntime",
    "RayStartError",
    "RemoteStageError",
    "RemoteTraceback",
    "RerankResponse",
    "RerankResult",
    "Restart",
    "RetryPolicy",
    "RoutingDecision",
    "RoutingError",
    "RunContext",
    "RunHandle",
    "RunIdentity",
    "RunPriority",
    "RunResult",
    "RunStats",
    "RunStatus",
    "RunTimeoutError",
    "Runtime",
    "RuntimeFault",
    "SQLiteEventSink",
    "SQLiteIdempotencyStore",
    "STTResponse",
    "SearchResponse",
    "SearchResult",
    "SelectiveEventSink",
    "ServiceUnavailableError",
    "Settings",
    "SnapshotError",
    "SpawnRefusedError",
    "Stage",
    "StageAbandonedError",
    "StageArtifact",
    "StageCancellation",
    "StageCancellationRequested",
    "StageContext",
    "StageContractError",
    "StageDefinitionError",
    "StageDownError",
    "StageEvent",
    "StageExecutionError",
    "StageFailedError",
    "StageFailure",
    "StageGraph",
    "StageInputs",
    "StageKind",
    "StageLostError",
    "StageOptions",
    "StageOutput",
    "StageOutputError",
    "StagePayloadResult",
    "StageReturn",
    "StageReturnTypeError",
    "StageSpec",
    "StageStats",
    "StageStatus",
    "StageTimeoutError",
    "StageTiming",
    "StageflowError",
    "StoredEvent",
    "StreamError",
    "StreamPiece",
    "SubpipelineResult",
    "SupervisorLostError",
    "TTSResponse",
    "TenantAccessDeniedError",
    "TimeoutInterceptor",
    "Timeouts",
    "TokenVerifier",
    "TracingInterceptor",
    "TransientError",
    "TypedStageOutput",
    "UndeclaredDependencyError",
    "UnknownPipelineError",
    "Usage",
    "cancel_output",
    "clear_event_sink",
    "event_statistics",
    "fail_output",
    "flush_events",
    "get_default_interceptors",
    "get_event_sink",
    "hash_retry_payload",
    "load_pipelines",
    "new_api_key",
    "ok_output",
    "payload_from_inputs",
    "payload_from_results",
    "run_stage",
    "set_event_sink",
    "stage",
    "summary_from_output",
    "timestamp_version",
]
