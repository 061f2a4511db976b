"""Pipelines of AI stages on supervised actors.

Everything public is here. What runs them is loaded on first use, so that this import stays light
and never brings in Ray.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from stageflow_actors.errors import (
    AmbiguousInputError,
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
    RuntimeFault,
    StageCancellationRequested,
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
from stageflow_actors.model.context import PipelineContext, PipelineTimer, StageContext
from stageflow_actors.model.events import Event
from stageflow_actors.model.identity import RunIdentity
from stageflow_actors.model.inputs import StageInputs
from stageflow_actors.model.output import (
    StageArtifact,
    StageEvent,
    StageOutput,
    StageReturn,
    StageStatus,
)
from stageflow_actors.model.results import (
    PipelineResults,
    RunResult,
    RunStatus,
    StageCancellation,
    StageFailure,
    StageTiming,
)
from stageflow_actors.model.snapshot import ContextSnapshot
from stageflow_actors.model.stage import Stage, StageKind, StageSpec, stage
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
    "StoredEvent": "stageflow_actors.adapters.event_table",
    "TTSResponse": "stageflow_actors.providers",
    "Usage": "stageflow_actors.providers",
    "clear_event_sink": "stageflow_actors.actors.observation",
    "event_statistics": "stageflow_actors.actors.observation",
    "flush_events": "stageflow_actors.actors.observation",
    "get_event_sink": "stageflow_actors.actors.observation",
    "set_event_sink": "stageflow_actors.actors.observation",
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
    "ContextSnapshot",
    "ContractErrorInfo",
    "Cost",
    "CycleDetectedError",
    "Deployment",
    "DeploymentClosedError",
    "DeploymentError",
    "EmbeddingResponse",
    "Event",
    "EventSink",
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
    "NoOpEventSink",
    "Pipeline",
    "PipelineCancelled",
    "PipelineContext",
    "PipelineResults",
    "PipelineTimer",
    "PipelineValidationError",
    "ProviderResponse",
    "RateLimit",
    "RayRuntime",
    "RayStartError",
    "RemoteStageError",
    "RemoteTraceback",
    "RerankResponse",
    "RerankResult",
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
    "Stage",
    "StageArtifact",
    "StageCancellation",
    "StageCancellationRequested",
    "StageContext",
    "StageDefinitionError",
    "StageEvent",
    "StageExecutionError",
    "StageFailedError",
    "StageFailure",
    "StageGraph",
    "StageInputs",
    "StageKind",
    "StageLostError",
    "StageOutput",
    "StageOutputError",
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
    "UndeclaredDependencyError",
    "Usage",
    "clear_event_sink",
    "event_statistics",
    "flush_events",
    "get_event_sink",
    "run_stage",
    "set_event_sink",
    "stage",
]
