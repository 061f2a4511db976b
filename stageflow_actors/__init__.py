"""Pipelines of AI stages on supervised actors.

Everything public is here. What runs them is loaded on first use, so that this import stays light
and never brings in Ray.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from stageflow_actors.errors import (
    AmbiguousInputError,
    CleanupClosedError,
    ContractErrorInfo,
    CycleDetectedError,
    DeploymentClosedError,
    DeploymentError,
    FrozenDataError,
    InvalidRunInputError,
    PipelineCancelled,
    PipelineValidationError,
    RayStartError,
    RemoteStageError,
    RemoteTraceback,
    RoutingError,
    RuntimeFault,
    SnapshotError,
    StageCancellationRequested,
    StageContractError,
    StageDefinitionError,
    StageExecutionError,
    StageFailedError,
    StageflowError,
    StageLostError,
    StageOutputError,
    StageReturnTypeError,
    StageTimeoutError,
    SupervisorLostError,
    UndeclaredDependencyError,
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
from stageflow_actors.model.inputs import StageInputs
from stageflow_actors.model.kind import StageKind
from stageflow_actors.model.output import (
    StageArtifact,
    StageEvent,
    StageOutput,
    StageReturn,
    StageStatus,
)
from stageflow_actors.model.pipeline_context import PipelineContext
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
from stageflow_actors.model.timer import PipelineTimer
from stageflow_actors.pipeline import Pipeline, StageGraph, run_stage
from stageflow_actors.ports import EventSink, SelectiveEventSink

if TYPE_CHECKING:
    from stageflow_actors.actors.deployment import Deployment
    from stageflow_actors.actors.handle import RunHandle
    from stageflow_actors.actors.local import LocalRuntime
    from stageflow_actors.actors.observation import (
        clear_event_sink,
        event_statistics,
        flush_events,
        get_event_sink,
        set_event_sink,
    )
    from stageflow_actors.actors.ray_runtime import RayRuntime
    from stageflow_actors.actors.runtime import Runtime
    from stageflow_actors.adapters.bounded import BackpressureAwareEventSink
    from stageflow_actors.adapters.event_queue import BackpressureMetrics
    from stageflow_actors.adapters.event_table import StoredEvent
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

_LAZY = {
    "BackpressureAwareEventSink": "stageflow_actors.adapters.bounded",
    "BackpressureMetrics": "stageflow_actors.adapters.event_queue",
    "ContractCompatibilityReport": "stageflow_actors.contracts",
    "ContractMetadata": "stageflow_actors.contracts",
    "ContractRegistry": "stageflow_actors.contracts",
    "Cost": "stageflow_actors.providers",
    "Deployment": "stageflow_actors.actors.deployment",
    "EmbeddingResponse": "stageflow_actors.providers",
    "FanOutEventSink": "stageflow_actors.adapters.routing",
    "FilteringEventSink": "stageflow_actors.adapters.routing",
    "GeneratedImage": "stageflow_actors.providers",
    "ImageResponse": "stageflow_actors.providers",
    "InMemoryEventSink": "stageflow_actors.adapters.sinks",
    "JSONLEventSink": "stageflow_actors.adapters.jsonl",
    "LLMResponse": "stageflow_actors.providers",
    "LocalRuntime": "stageflow_actors.actors.local",
    "LoggingEventSink": "stageflow_actors.adapters.sinks",
    "NoOpEventSink": "stageflow_actors.adapters.sinks",
    "ProviderResponse": "stageflow_actors.providers",
    "RateLimit": "stageflow_actors.providers",
    "RayRuntime": "stageflow_actors.actors.ray_runtime",
    "RerankResponse": "stageflow_actors.providers",
    "RerankResult": "stageflow_actors.providers",
    "RunHandle": "stageflow_actors.actors.handle",
    "Runtime": "stageflow_actors.actors.runtime",
    "SQLiteEventSink": "stageflow_actors.adapters.sqlite",
    "STTResponse": "stageflow_actors.providers",
    "SearchResponse": "stageflow_actors.providers",
    "SearchResult": "stageflow_actors.providers",
    "Settings": "stageflow_actors.model.settings",
    "StagePayloadResult": "stageflow_actors.model.payloads",
    "StoredEvent": "stageflow_actors.adapters.event_table",
    "TTSResponse": "stageflow_actors.providers",
    "TypedStageOutput": "stageflow_actors.contracts",
    "Usage": "stageflow_actors.providers",
    "cancel_output": "stageflow_actors.model.payloads",
    "clear_event_sink": "stageflow_actors.actors.observation",
    "event_statistics": "stageflow_actors.actors.observation",
    "fail_output": "stageflow_actors.model.payloads",
    "flush_events": "stageflow_actors.actors.observation",
    "get_event_sink": "stageflow_actors.actors.observation",
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
    "AmbiguousInputError",
    "BackpressureAwareEventSink",
    "BackpressureMetrics",
    "CleanupClosedError",
    "CleanupFailure",
    "ContextSnapshot",
    "ContractCompatibilityReport",
    "ContractErrorInfo",
    "ContractMetadata",
    "ContractRegistry",
    "Conversation",
    "ConversationRouting",
    "CorePorts",
    "Cost",
    "CycleDetectedError",
    "Deployment",
    "DeploymentClosedError",
    "DeploymentError",
    "DocumentEnrichment",
    "EmbeddingResponse",
    "Enrichments",
    "Event",
    "EventSink",
    "ExtensionBundle",
    "FanOutEventSink",
    "FilteringEventSink",
    "FrozenDataError",
    "GeneratedImage",
    "ImageResponse",
    "InMemoryEventSink",
    "InvalidRunInputError",
    "JSONLEventSink",
    "LLMResponse",
    "LocalRuntime",
    "LoggingEventSink",
    "MemoryEnrichment",
    "Message",
    "NoOpEventSink",
    "Pipeline",
    "PipelineCancelled",
    "PipelineContext",
    "PipelineResults",
    "PipelineTimer",
    "PipelineValidationError",
    "ProfileEnrichment",
    "ProviderResponse",
    "RateLimit",
    "RayRuntime",
    "RayStartError",
    "RemoteStageError",
    "RemoteTraceback",
    "RerankResponse",
    "RerankResult",
    "RoutingDecision",
    "RoutingError",
    "RunContext",
    "RunHandle",
    "RunIdentity",
    "RunResult",
    "RunStatus",
    "Runtime",
    "RuntimeFault",
    "SQLiteEventSink",
    "STTResponse",
    "SearchResponse",
    "SearchResult",
    "SelectiveEventSink",
    "Settings",
    "SnapshotError",
    "Stage",
    "StageArtifact",
    "StageCancellation",
    "StageCancellationRequested",
    "StageContext",
    "StageContractError",
    "StageDefinitionError",
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
    "StageStatus",
    "StageTimeoutError",
    "StageTiming",
    "StageflowError",
    "StoredEvent",
    "SupervisorLostError",
    "TTSResponse",
    "TypedStageOutput",
    "UndeclaredDependencyError",
    "Usage",
    "cancel_output",
    "clear_event_sink",
    "event_statistics",
    "fail_output",
    "flush_events",
    "get_event_sink",
    "ok_output",
    "payload_from_inputs",
    "payload_from_results",
    "run_stage",
    "set_event_sink",
    "stage",
    "summary_from_output",
    "timestamp_version",
]
