"""The interceptors that come along, and those of them that are names of policies."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any, NamedTuple, final

from stageflow_actors.errors import PolicyError
from stageflow_actors.interceptors.chain import in_order
from stageflow_actors.interceptors.observers import (
    ChildTrackerMetricsInterceptor,
    LoggingInterceptor,
    MetricsInterceptor,
    TracingInterceptor,
)
from stageflow_actors.interceptors.protocol import BaseInterceptor, NeverCalled
from stageflow_actors.model.plan import make_plan
from stageflow_actors.model.policies.breaker import BreakerPolicy
from stageflow_actors.model.policies.idempotency import IdempotencyPolicy
from stageflow_actors.model.policies.timeouts import Timeouts
from stageflow_actors.model.stage import StageSpec


class PolicyDefaults(NamedTuple):
    """What a stage gets where it has no such policy of its own; ``None``: nothing."""

    idempotency: IdempotencyPolicy | None = None
    timeouts: Timeouts | None = None
    breaker: BreakerPolicy | None = None


class _PolicyName(NeverCalled):
    """Stands in a list of interceptors for a policy that the runtime keeps."""


@final
class IdempotencyInterceptor(_PolicyName):
    """Stages without an ``IdempotencyPolicy`` of their own get this one.

    Raises:
        PolicyError: it is no such policy.
    """

    name = "idempotency"
    priority = 4

    def __init__(self, policy: IdempotencyPolicy | None = None) -> None:
        self.policy = IdempotencyPolicy() if policy is None else policy
        _check(self, self.policy, IdempotencyPolicy)


@final
class TimeoutInterceptor(_PolicyName):
    """An attempt of a stage without limits of its own may take ``timeout_s`` seconds.

    Raises:
        PolicyError: it is no number of seconds.
    """

    name = "timeout"
    priority = 5

    def __init__(self, timeout_s: float = 30.0) -> None:
        self.policy = Timeouts(attempt=timeout_s)
        if timeout_s is None:
            raise PolicyError("TimeoutInterceptor has timeout_s=None.", hint="Leave it out.")


@final
class CircuitBreakerInterceptor(_PolicyName):
    """Stages without a ``BreakerPolicy`` of their own get this one.

    Raises:
        PolicyError: it is no such policy.
    """

    name = "circuit_breaker"
    priority = 10

    def __init__(self, policy: BreakerPolicy | None = None) -> None:
        self.policy = BreakerPolicy() if policy is None else policy
        _check(self, self.policy, BreakerPolicy)


def get_default_interceptors() -> list[BaseInterceptor]:
    """A new list of those that a pipeline has where none are given, in their order."""
    return [
        IdempotencyInterceptor(),
        TimeoutInterceptor(),
        CircuitBreakerInterceptor(),
        TracingInterceptor(),
        MetricsInterceptor(),
        ChildTrackerMetricsInterceptor(),
        LoggingInterceptor(),
    ]


def split(
    interceptors: Iterable[BaseInterceptor],
) -> tuple[PolicyDefaults, tuple[BaseInterceptor, ...]]:
    """The policies that are named, the last listed of each kind; and those that run, in order.

    Raises:
        StageDefinitionError: one of them is no interceptor.
    """
    listed = list(interceptors)
    in_order(listed)
    policies = PolicyDefaults()
    for each in listed:
        if isinstance(each, IdempotencyInterceptor):
            policies = policies._replace(idempotency=each.policy)
        elif isinstance(each, TimeoutInterceptor):
            policies = policies._replace(timeouts=each.policy)
        elif isinstance(each, CircuitBreakerInterceptor):
            policies = policies._replace(breaker=each.policy)
    return policies, in_order(each for each in listed if not isinstance(each, _PolicyName))


def with_defaults(
    pipeline: str, specs: Iterable[StageSpec], defaults: PolicyDefaults
) -> list[StageSpec]:
    """The stages, each with the policies that it has not got itself.

    What a guard may have repeated gets no idempotency: it would give the rejected answer again.
    """
    given = list(specs)
    repeated = _repeatable(pipeline, given)
    return [_completed(spec, defaults, spec.name in repeated) for spec in given]


def _completed(spec: StageSpec, defaults: PolicyDefaults, is_repeated: bool) -> StageSpec:
    missing: dict[str, Any] = {}
    if spec.timeout is None and defaults.timeouts is not None:
        missing["timeout"] = defaults.timeouts
    if spec.breaker is None and defaults.breaker is not None:
        missing["breaker"] = defaults.breaker
    if spec.idempotency is None and defaults.idempotency is not None and not is_repeated:
        missing["idempotency"] = defaults.idempotency
    return replace(spec, **missing) if missing else spec


def _repeatable(pipeline: str, specs: Sequence[StageSpec]) -> set[str]:
    if not any(spec.guard_retry for spec in specs):
        return set()
    plan = make_plan(pipeline, specs)[0]
    regions = (stage.guard.region for stage in plan.stages if stage.guard is not None)
    return {plan.stages[index].name for region in regions for index in region}


def _check(interceptor: BaseInterceptor, policy: object, kind: type) -> None:
    if not isinstance(policy, kind):
        raise PolicyError(
            f"{type(interceptor).__name__} has the policy {policy!r:.80}.",
            hint=f"Give an instance of {kind.__name__}.",
        )
