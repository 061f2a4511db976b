"""What makes a ``StageSpec`` usable. Loaded where stages are declared, and not where they run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from stageflow_actors.model import stage_checks
from stageflow_actors.model.frozen import FrozenDict, freeze
from stageflow_actors.model.policies.breaker import BreakerPolicy
from stageflow_actors.model.policies.effects import Effects
from stageflow_actors.model.policies.guard import GuardRetryPolicy
from stageflow_actors.model.policies.idempotency import IdempotencyPolicy
from stageflow_actors.model.policies.placement import Placement
from stageflow_actors.model.policies.restart import Restart
from stageflow_actors.model.policies.retry import RetryPolicy
from stageflow_actors.model.policies.scaling import Autoscaling

if TYPE_CHECKING:
    from stageflow_actors.model.stage import StageSpec


def checked_fields(spec: StageSpec) -> dict[str, Any]:
    """Those fields of ``spec`` that are kept in another form than they may be given in.

    Raises:
        StageDefinitionError: a field is unusable; the message says which.
    """
    name = spec.name
    stage_checks.check_name(name)
    stage_checks.check_runner(name, spec.runner)
    stage_checks.to_kind(spec.kind, name)
    for names in (spec.dependencies, spec.after, spec.after_any, spec.route, spec.optional):
        stage_checks.check_names(name, names)
    stage_checks.check_config(name, spec.runner, spec.config)
    stage_checks.check_timeout(name, spec.timeout)
    stage_checks.check_input_model(name, spec.input_model, spec.dependencies)
    stage_checks.check_output_model(name, spec.output_model)
    stage_checks.check_optional(name, spec.optional, spec.dependencies)
    stage_checks.check_fallback(name, spec.fallback)
    _check_policies(spec)
    stage_checks.check_scaling(name, spec.replicas, spec.autoscaling, spec.concurrency)
    checked: dict[str, Any] = {
        "effects": stage_checks.to_choice(Effects, "effects", spec.effects, name),
        "restart": stage_checks.to_choice(Restart, "restart", spec.restart, name),
        "router": stage_checks.router_of(name, spec.route, spec.router, spec.dependencies),
    }
    if spec.config is not None:
        checked["config"] = FrozenDict(spec.config)
    if isinstance(spec.input_model, Mapping):
        checked["input_model"] = FrozenDict(spec.input_model)
    if spec.fallback is not None:
        checked["fallback"] = freeze(dict(spec.fallback))[0]
    return checked


def _check_policies(spec: StageSpec) -> None:
    name = spec.name
    stage_checks.check_policy(name, "retry", spec.retry, RetryPolicy)
    stage_checks.check_policy(name, "guard_retry", spec.guard_retry, GuardRetryPolicy)
    stage_checks.check_policy(name, "breaker", spec.breaker, BreakerPolicy)
    stage_checks.check_policy(name, "idempotency", spec.idempotency, IdempotencyPolicy)
    stage_checks.check_policy(name, "placement", spec.placement, Placement)
    stage_checks.check_policy(name, "autoscaling", spec.autoscaling, Autoscaling)
    stage_checks.check_batching(name, spec.runner, spec.batching)
