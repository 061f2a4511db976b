"""Two values of everything that a stage may be declared with."""

from __future__ import annotations

from pydantic import BaseModel

from stageflow_actors import (
    Autoscaling,
    Batching,
    BreakerPolicy,
    GuardRetryPolicy,
    IdempotencyPolicy,
    Placement,
    RetryPolicy,
    StageKind,
)
from tests.model.runners import WORK, AsyncStage


class Batched:
    """Takes what any of the attributes asks of a runner."""

    def __init__(self, *, size):
        self.size = size

    async def execute_batch(self, ctxs):
        return [{} for _ in ctxs]


class Model(BaseModel):
    n: int


class OtherModel(BaseModel):
    n: int


SAME = {
    "runner": Batched,
    "kind": WORK,
    "dependencies": ("x", "y"),
    "after": ("z",),
    "after_any": ("v",),
    "conditional": True,
    "route": ("fast",),
    "router": "x",
    "config": {"size": 1},
    "timeout": 2,
    "input_model": {"x": Model},
    "output_model": Model,
    "optional": ("x",),
    "fallback": {"x": 1},
    "retry": RetryPolicy(),
    "effects": "none",
    "guard_retry": GuardRetryPolicy("x"),
    "breaker": BreakerPolicy(),
    "idempotency": IdempotencyPolicy(),
    "restart": "permanent",
    "placement": None,
    "replicas": 1,
    "autoscaling": None,
    "concurrency": None,
    "batching": None,
}
"""Every attribute of a stage but its name, as one stage has it."""
DIFFERENT = {
    "runner": AsyncStage,
    "kind": StageKind.AGENT,
    "dependencies": ("y", "x"),
    "after": ("w",),
    "after_any": ("w",),
    "conditional": False,
    "route": ("slow",),
    "router": "y",
    "config": {"size": 2},
    "timeout": 3,
    "input_model": None,
    "output_model": OtherModel,
    "optional": ("y",),
    "fallback": {"x": 2},
    "retry": RetryPolicy(max_attempts=2),
    "effects": "keyed",
    "guard_retry": GuardRetryPolicy("y"),
    "breaker": BreakerPolicy(failure_threshold=2),
    "idempotency": IdempotencyPolicy(ttl_s=1.0),
    "restart": "temporary",
    "placement": Placement(num_cpus=1),
    "replicas": 2,
    "autoscaling": Autoscaling(max_replicas=2),
    "concurrency": 4,
    "batching": Batching(),
}
"""For each attribute another value: a stage that has it is another stage."""
