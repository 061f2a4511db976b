"""Random pipelines: every kind of edge and every policy, through the declarations of users."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from random import Random
from typing import Any

from stageflow_actors.errors import CycleDetectedError, PolicyError, StageLostError
from stageflow_actors.model.kind import StageKind
from stageflow_actors.model.plan import Plan, make_plan
from stageflow_actors.model.policies.effects import Effects
from stageflow_actors.model.policies.execution import ExecutionConfig, ExecutionMode
from stageflow_actors.model.policies.guard import GuardRetryPolicy
from stageflow_actors.model.policies.retry import (
    TRANSIENT,
    BackoffStrategy,
    JitterStrategy,
    RetryPolicy,
)
from stageflow_actors.model.policies.timeouts import Timeouts
from stageflow_actors.model.settings import Settings
from stageflow_actors.model.stage import StageSpec
from stageflow_actors.model.stage_context import StageContext

ROUTES = ("left", "right", "straight")
_EDGES = ("dependency", "dependency", "after", "after_any")
_PLAIN_EDGES = ("dependency", "dependency", "after")


def random_plan(random: Random, most: int = 18) -> Plan:
    """A plan of seven to ``most`` stages, declared in an order of their own."""
    while True:
        specs = random_specs(random, random.randint(7, most))
        try:
            execution = _random_execution(random, specs)
            plan = make_plan("simulated", specs, execution)[0]
            return make_plan("simulated", _without_once_only(plan, specs), execution)[0]
        except (CycleDetectedError, PolicyError):
            continue  # its guards wait for each other; such a pipeline is refused


def _without_once_only(plan: Plan, specs: list[StageSpec]) -> list[StageSpec]:
    """No guard has a stage repeated that may act once only: that would be a contradiction."""
    repeated = {
        plan.stages[index].name
        for stage in plan.stages
        if stage.guard is not None
        for index in stage.guard.region
    }
    return [
        replace(spec, effects=Effects.UNKNOWN)
        if spec.name in repeated and spec.effects is Effects.ONCE_ONLY
        else spec
        for spec in specs
    ]


def random_specs(random: Random, count: int) -> list[StageSpec]:
    """``count`` stages with edges among them, at least seven; some of them may be a plain chain.

    That may wait for those before it; one stage may wait for everything.
    """
    upstream: dict[str, set[str]] = {}
    links, last = min(random.choice((0, 5, 6, 6)), count - 2), count - 1
    specs = [_random_spec(random, f"s{index}", upstream) for index in range(last - links)]
    behind = upstream if random.random() < 0.3 else {}
    specs += [_plain_spec(random, f"c{index}", behind, index) for index in range(links)]
    upstream = {**upstream, **behind} if random.random() < 0.5 else upstream
    specs.append(_random_spec(random, f"s{last}", upstream))
    random.shuffle(specs)
    return specs


def random_settings(random: Random) -> Settings:
    """Bounds so low that runs meet them."""
    return Settings(
        grace_s=0.25,
        stop_timeout_s=random.choice((0.5, 1.0)),
        max_retries_per_run=random.choice((1, 2, 4, 100)),
        max_losses_per_stage=random.choice((1, 2)),
    )


async def _body(ctx: StageContext) -> None:
    """Never called: what the bodies of a simulation do is drawn by chance."""


def _random_spec(random: Random, name: str, upstream: dict[str, set[str]]) -> StageSpec:
    """A stage after those in ``upstream``, which maps each to all before it; it is added."""
    edges = _random_edges(random, upstream, _EDGES)
    reads = edges["dependency"]
    upstream[name] = before = _all_before(edges, upstream)
    options: dict[str, Any] = _random_routes(random, reads)
    if before and random.random() < 0.5:
        options["guard_retry"] = _random_guard(random, sorted(before))
    return StageSpec(
        name,
        _body,
        StageKind.GUARD if "guard_retry" in options else StageKind.WORK,
        tuple(reads),
        timeout=_random_timeout(random),
        after=tuple(edges["after"]),
        after_any=tuple(edges["after_any"]),
        conditional=random.random() < 0.1,
        optional=tuple(each for each in reads if random.random() < 0.4),
        fallback={"rows": []} if random.random() < 0.15 else None,
        retry=_random_retry(random) if random.random() < 0.6 else None,
        effects=random.choice(list(Effects)),
        **options,
    )


def _plain_spec(random: Random, name: str, upstream: dict[str, set[str]], links: int) -> StageSpec:
    """One that nothing but its data decides on: its process may begin it ahead of the run.

    It follows one of the last two of so many ``links``.
    """
    edges = _random_edges(random, upstream, _PLAIN_EDGES)
    if links and not any(edges.values()):
        edges[random.choice(_PLAIN_EDGES)].append(f"c{max(0, links - random.choice((1, 2)))}")
    upstream[name] = _all_before(edges, upstream)
    return StageSpec(
        name,
        _body,
        StageKind.WORK,
        tuple(edges["dependency"]),
        timeout=random.choice((None, 0.25, 0.25, 0.5)),
        after=tuple(edges["after"]),
        fallback={"rows": []} if random.random() < 0.1 else None,
        effects=random.choice((*Effects, *[Effects.KEYED] * 3)),
    )


def _random_edges(
    random: Random, upstream: dict[str, set[str]], kinds: Sequence[str]
) -> dict[str, list[str]]:
    edges: dict[str, list[str]] = {kind: [] for kind in _EDGES}
    density = random.choice((0.1, 0.2, 0.4, 0.6))
    for earlier in upstream:
        if random.random() < density:
            edges[random.choice(kinds)].append(earlier)
    return edges


def _all_before(edges: dict[str, list[str]], upstream: dict[str, set[str]]) -> set[str]:
    before = {each for kind in edges.values() for each in kind}
    return before.union(*(upstream[each] for each in before))


def _random_routes(random: Random, reads: list[str]) -> dict[str, Any]:
    if not reads or random.random() >= 0.15:
        return {}
    routes = random.sample(ROUTES, random.randint(1, 2))
    return {"route": tuple(routes), "router": random.choice(reads)}


def _random_guard(random: Random, before: list[str]) -> GuardRetryPolicy:
    return GuardRetryPolicy(
        random.choice(before),
        max_attempts=random.randint(1, 3),
        stagnation_limit=random.randint(1, 3),
        timeout_s=random.choice((None, None, 1.0, 4.0)),
    )


def _random_timeout(random: Random) -> Timeouts | None:
    if random.random() < 0.6:
        return None
    return Timeouts(
        attempt=random.choice((None, 0.5, 1.0, 2.0)),
        total=random.choice((None, None, 1.0, 2.0, 4.0)),
    )


def _random_retry(random: Random) -> RetryPolicy:
    return RetryPolicy(
        max_attempts=random.randint(1, 4),
        initial_delay_s=random.choice((0.0, 0.25, 0.5, 1.0)),
        max_delay_s=random.choice((0.5, 1.0, 2.0)),
        backoff=random.choice(list(BackoffStrategy)),
        jitter=random.choice(list(JitterStrategy)),
        retry_on=(*TRANSIENT, StageLostError) if random.random() < 0.5 else TRANSIENT,
        never_on=(TimeoutError,) if random.random() < 0.3 else (),
        max_retry_after_s=8.0,
    )


def _random_execution(random: Random, specs: list[StageSpec]) -> ExecutionConfig:
    modes = (*ExecutionMode, *[ExecutionMode.CONTINUE_ON_ERROR] * 4)
    return ExecutionConfig(
        mode=random.choice(modes),
        on_stage_error=_hear_nothing,
        error_policy={each.name: random.choice(modes) for each in specs if random.random() < 0.4},
    )


def _hear_nothing(stage: str, error: BaseException) -> None:
    """What modes with a callback ask for."""
