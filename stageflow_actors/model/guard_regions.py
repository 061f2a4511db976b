"""Which stages run again when a guard rejects, and which have to wait until it has let pass.

The *region* of a guard is its producer, itself and all that lies between. It runs again as a whole.
A stage outside that waits for one inside would else work on what is rejected later: the guard is
its *gate*.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from stageflow_actors.errors import PolicyError
from stageflow_actors.model.policies.effects import Effects
from stageflow_actors.model.stage import StageSpec


class GuardPlan(NamedTuple):
    """A guard's retry policy as plain data; stages are indices, ``region`` in their order."""

    producer: int
    region: tuple[int, ...]
    max_attempts: int
    stagnation_limit: int
    timeout_s: float | None


class GuardPlacement(NamedTuple):
    """Names: the region of each guard, and the gates that stages have; ``any_gates`` belong to
    those that only want what lies inside to be over.
    """

    regions: dict[str, set[str]]
    gates: dict[str, tuple[str, ...]]
    any_gates: dict[str, tuple[str, ...]]


def place_guards(
    by_name: Mapping[str, StageSpec], waits: dict[str, tuple[str, ...]]
) -> GuardPlacement:
    """The regions and gates; ``waits``, what each stage waits for, gets the gates added.

    Guards are placed in the order of their declaration, but each behind those upstream of it: their
    gates may put more stages between it and its producer. One whose producer has a guard already
    comes behind that, and rejects for both.

    Raises:
        PolicyError: a guard names a producer that is not upstream of it (``POLICY-GUARD``).
    """
    placement = GuardPlacement({}, {}, {})
    producers = {
        guard: spec.guard_retry.retry_stage
        for guard, spec in by_name.items()
        if spec.guard_retry is not None
    }
    postponed: list[str] = []
    while producers:
        guard = postponed.pop() if postponed else next(iter(producers))
        before = _reachable(guard, waits)
        first = next(
            (
                other
                for other in producers
                if other in before and other != guard and other not in postponed
            ),
            None,
        )
        if first is not None:
            postponed += [guard, first]
            continue
        region = _region(guard, producers.pop(guard), before, waits)
        placement.regions[guard] = region
        _check_repeatable(guard, region, by_name)
        _add_gates(guard, region, by_name, waits, placement)
    return placement


def _check_repeatable(guard: str, region: set[str], by_name: Mapping[str, StageSpec]) -> None:
    for stage in sorted(region):
        spec = by_name[stage]
        if spec.idempotency is not None or spec.effects is Effects.ONCE_ONLY:
            what = "idempotent" if spec.idempotency is not None else "once_only"
            raise PolicyError(
                f"Stage '{stage}' is {what}, and guard '{guard}' may have it repeated.",
                hint="Remove one of the two, or have the guard repeat what comes after it.",
                code="POLICY-GUARD",
            )


def _add_gates(
    guard: str,
    region: set[str],
    by_name: Mapping[str, StageSpec],
    waits: dict[str, tuple[str, ...]],
    placement: GuardPlacement,
) -> None:
    for stage, before in waits.items():
        if stage in region or guard in before or region.isdisjoint(before):
            continue
        own = by_name[stage]
        strict = (*own.dependencies, *own.after, *placement.gates.get(stage, ()))
        gates = placement.any_gates if region.isdisjoint(strict) else placement.gates
        gates[stage] = (*gates.get(stage, ()), guard)
        waits[stage] = (*before, guard)


def _region(
    guard: str, producer: str, before: set[str], waits: Mapping[str, tuple[str, ...]]
) -> set[str]:
    if producer not in before or producer == guard:
        hint = f"Add '{producer}' to the dependencies of '{guard}'."
        if producer == guard:
            hint = f"Add what it judges to the dependencies of '{guard}', and name that."
        raise PolicyError(
            f"Stage '{guard}' would have '{producer}' repeated, which is not upstream of it.",
            hint=hint,
            code="POLICY-GUARD",
        )
    behind: dict[str, list[str]] = {}
    for stage in (*before, guard):
        for other in waits[stage]:
            behind.setdefault(other, []).append(stage)
    return {producer, *_reachable(producer, behind)}


def _reachable(stage: str, edges: Mapping[str, Sequence[str]]) -> set[str]:
    found: set[str] = set()
    open_ = [stage]
    while open_:
        for other in edges.get(open_.pop(), ()):
            if other not in found:
                found.add(other)
                open_.append(other)
    return found
