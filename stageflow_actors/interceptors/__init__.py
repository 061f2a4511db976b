"""Interceptors: code of the user around each attempt of a stage, and the ones that come along.

Each name is loaded on first use: a running stage needs few of them.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
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

_MODULES = (
    (
        "errors.security",
        ("CriticalInterceptorError", "InterceptorRejectedError", "InterceptorReturnTypeError"),
    ),
    ("interceptors.chain", ("Intercepted", "InterceptorChain")),
    (
        "interceptors.defaults",
        (
            "CircuitBreakerInterceptor",
            "IdempotencyInterceptor",
            "PolicyDefaults",
            "TimeoutInterceptor",
            "get_default_interceptors",
            "split",
        ),
    ),
    (
        "interceptors.observers",
        (
            "ChildTrackerMetricsInterceptor",
            "LoggingInterceptor",
            "MetricsInterceptor",
            "TracingInterceptor",
        ),
    ),
    (
        "interceptors.protocol",
        ("AttemptEnd", "BaseInterceptor", "ErrorAction", "ErrorDecision", "InterceptorResult"),
    ),
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


def __getattr__(name: str) -> Any:
    for module, names in _MODULES:
        if name in names:
            return getattr(importlib.import_module(f"stageflow_actors.{module}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
