"""How far a process that hosts several stages may go on by itself, without asking.

When a stage has ended ok, its process may begin what waits for nothing else: the run would start it
next in any case. The receipt says so, and the run catches up.

A process that dies may have begun more than its run has heard of. So what must not be executed
twice is begun ahead only where, if what comes before it is lost, the run stops.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import NamedTuple

from stageflow_actors.model.plan import Plan, StagePlan


class Follower(NamedTuple):
    """A stage that may be begun ahead of its run, and by ``name`` what it reads.

    ``waits_for`` are all that have to have ended ok under the same lease before.
    """

    stage: int
    inputs: Mapping[str, int]
    waits_for: frozenset[int]


def followers_in(plan: Plan, stages: Collection[int]) -> dict[int, tuple[Follower, ...]]:
    """By stage, those of the same process that may follow it; only where there are any."""
    here = frozenset(stages)
    found: dict[int, list[Follower]] = {}
    for index in sorted(here):
        stage = plan.stages[index]
        waits_for = frozenset((*stage.dependencies, *stage.after))
        if waits_for and waits_for <= here and _may_follow(plan, stage, waits_for):
            inputs = {plan.stages[each].name: each for each in stage.dependencies}
            for before in waits_for:
                found.setdefault(before, []).append(Follower(index, inputs, waits_for))
    return {before: tuple(followers) for before, followers in found.items()}


def _may_follow(plan: Plan, stage: StagePlan, waits_for: Collection[int]) -> bool:
    if not _follows_freely(stage):
        return False
    # In a run that stops, finalizers start when all has ended that the run has started.
    if any(plan.stages[each].after_any for each in stage.dependents):
        return False
    may_be_repeated = stage.effects.allow_repeats
    return may_be_repeated or all(_stops_its_run(plan.stages[each]) for each in waits_for)


def _follows_freely(stage: StagePlan) -> bool:
    """Whether nothing but its data decides whether and how it is executed."""
    return not (
        stage.after_any
        or stage.conditional
        or stage.router is not None
        or stage.gates
        or stage.optional
        or stage.guard
        or stage.retry
        or stage.concurrency
        or stage.is_batching
        or stage.total_s is not None
    )


def _stops_its_run(stage: StagePlan) -> bool:
    """Whether nothing goes on once it is lost: it is not repeated, and nobody does without it."""
    retry = stage.retry
    is_repeated = stage.effects.allow_repeats or (
        retry is not None and (retry.covers_loss or retry.covers_timeout)
    )
    return not (is_repeated or stage.fallback is not None or stage.mode.is_tolerant)
