"""Interceptors: code of the user around each attempt of a stage, and the ones that come along."""

from stageflow_actors.errors.security import (
    CriticalInterceptorError,
    InterceptorRejectedError,
    InterceptorReturnTypeError,
)
from stageflow_actors.interceptors.chain import Intercepted, InterceptorChain
from stageflow_actors.interceptors.defaults import (
    CircuitBreakerInterceptor,
    IdempotencyInterceptor,
    PolicyDefaults,
    TimeoutInterceptor,
    get_default_interceptors,
    split,
)
from stageflow_actors.interceptors.observers import (
    ChildTrackerMetricsInterceptor,
    LoggingInterceptor,
    MetricsInterceptor,
    TracingInterceptor,
)
from stageflow_actors.interceptors.protocol import (
    AttemptEnd,
    BaseInterceptor,
    ErrorAction,
    ErrorDecision,
    InterceptorResult,
)

__all__ = (
    "AttemptEnd",
    "BaseInterceptor",
    "ChildTrackerMetricsInterceptor",
    "CircuitBreakerInterceptor",
    "CriticalInterceptorError",
    "ErrorAction",
    "ErrorDecision",
    "IdempotencyInterceptor",
    "Intercepted",
    "InterceptorChain",
    "InterceptorRejectedError",
    "InterceptorResult",
    "InterceptorReturnTypeError",
    "LoggingInterceptor",
    "MetricsInterceptor",
    "PolicyDefaults",
    "TimeoutInterceptor",
    "TracingInterceptor",
    "get_default_interceptors",
    "split",
)
