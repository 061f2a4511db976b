"""Which stages live in one process. Each has its own, as long as there are few enough of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from itertools import accumulate
from typing import Any, NamedTuple

from stageflow_actors.model.plan import Plan, StagePlan
from stageflow_actors.model.policies.placement import Placement
from stageflow_actors.model.policies.restart import Restart
from stageflow_actors.model.policies.scaling import Autoscaling
from stageflow_actors.model.sharing import joint_placement, set_fields


class HostPlan(NamedTuple):
    """One process, or ``replicas`` alike, and the ``stages`` in it: indices into ``Plan.stages``.

    ``share`` is the name that users gave it, ``placement`` what it needs, ``None`` if nothing.
    ``replicas`` counts those at first; with ``autoscaling`` there may be others later.
    """

    stages: tuple[int, ...]
    share: str | None
    placement: Placement | None
    restart: Restart
    replicas: int
    autoscaling: Autoscaling | None


def plan_hosts(plan: Plan, budget: int) -> tuple[HostPlan, ...]:
    """The processes of a pipeline, ordered by their first stage; each stage is in one of them.

    Stages that name the same share are one. Are there more than ``budget``, plain stages are packed
    together, neighbours with each other, about as many in each; all others keep their own, even if
    these alone are too many. Linear, but for sorting.
    """
    shared: dict[str, list[int]] = {}
    plain: list[int] = []
    groups: list[list[int]] = []
    for index, stage in enumerate(plan.stages):
        share = _share_of(stage)
        if share is not None:
            shared.setdefault(share, []).append(index)
        elif _is_plain(stage):
            plain.append(index)
        else:
            groups.append([index])
    groups += shared.values()
    room = max(1, budget - len(groups))
    if len(plain) <= room:
        groups += ([index] for index in plain)
    else:
        groups += _packed(plan, plain, room)
    return tuple(_host(plan, sorted(group)) for group in sorted(groups, key=min))


def most_together(stages: int, hosts: int) -> int:
    """How many of so many plain stages one of so many processes has at most."""
    even = -(-stages // hosts)
    return even + max(1, even // 4) if stages > hosts else even


def describe_hosts(hosts: Sequence[HostPlan], plan: Plan) -> list[dict[str, Any]]:
    """The processes as plain data. Of a ``runtime_env``, which may hold secrets, the fields."""
    return [
        {
            "stages": [plan.stages[index].name for index in host.stages],
            "share": host.share,
            "placement": None if host.placement is None else _told(host.placement),
            "restart": host.restart.value,
            "replicas": host.replicas,
            "autoscaling": None if host.autoscaling is None else asdict(host.autoscaling),
        }
        for host in hosts
    ]


def _told(placement: Placement) -> dict[str, Any]:
    told: dict[str, Any] = {}
    for name, value in set_fields(placement):
        if name == "fallbacks":
            told[name] = [dict(fallback.labels) for fallback in value]
        elif name == "runtime_env":
            told[name] = sorted(value)
        else:
            told[name] = dict(value) if isinstance(value, dict) else value
    return told


def _share_of(stage: StagePlan) -> str | None:
    return None if stage.placement is None else stage.placement.share


def _is_plain(stage: StagePlan) -> bool:
    """Whether it may live with any other: nothing is said of its process."""
    return (
        stage.placement is None
        and stage.restart is Restart.PERMANENT
        and stage.replicas == 1
        and stage.autoscaling is None
        and stage.concurrency is None
        and not stage.is_batching
    )


def _host(plan: Plan, group: Sequence[int]) -> HostPlan:
    """Of stages that agree: the first one speaks for all, but for what they need together."""
    stages = [plan.stages[index] for index in group]
    asked = [stage.placement for stage in stages if stage.placement is not None]
    placement = asked[0] if len(asked) == 1 else joint_placement(asked) if asked else None
    share = None if placement is None else placement.share
    if share is not None and placement == Placement(share=share):
        placement = None  # nothing but who lives there
    first = stages[0]
    scaling = first.autoscaling
    replicas = first.replicas if scaling is None else scaling.first_replicas
    return HostPlan(tuple(group), share, placement, first.restart, replicas, scaling)


def _packed(plan: Plan, plain: Sequence[int], hosts: int) -> list[list[int]]:
    """``plain`` cut into so many parts, of about the same length, where few neighbours part."""
    may_move = set(plain)
    line = [index for index in _followed(plan) if index in may_move]
    parting = _parting(plan, line)
    most = most_together(len(line), hosts)
    parts: list[list[int]] = []
    start = 0
    for left in range(hosts, 0, -1):
        end = _best_end(parting, start, left, most)
        parts.append(line[start:end])
        start = end
    return parts


def _best_end(parting: Sequence[int], start: int, left: int, most: int) -> int:
    """Where a part that begins at ``start`` ends, if ``left`` parts are still to be made.

    Near an even share of the rest, and so that the others hold the rest and have one stage each.
    """
    rest = len(parting) - 1 - start
    even = -(-rest // left)
    slack = max(1, even // 4)
    longest = min(most, even + slack, rest - (left - 1))
    shortest = max(1, even - slack, rest - (left - 1) * most)
    lengths = range(shortest, longest + 1)
    return start + min(lengths, key=lambda length: (parting[start + length], abs(length - even)))


def _parting(plan: Plan, line: Sequence[int]) -> list[int]:
    """For each place in ``line``, how many neighbours a cut before it would part."""
    place = {index: at for at, index in enumerate(line)}
    change = [0] * (len(line) + 2)
    for at, index in enumerate(line):
        for dependent in plan.stages[index].dependents:
            if dependent in place:
                change[at + 1] += 1
                change[place[dependent] + 1] -= 1
    return list(accumulate(change))[: len(line) + 1]


def _followed(plan: Plan) -> list[int]:
    """All stages, each after what it waits for, and if it can be, right after the last of that."""
    waits_for = [0] * len(plan.stages)
    for stage in plan.stages:
        for dependent in stage.dependents:
            waits_for[dependent] += 1
    ready = [index for index, count in enumerate(waits_for) if not count][::-1]
    line: list[int] = []
    while ready:
        line.append(ready.pop())
        for dependent in reversed(plan.stages[line[-1]].dependents):
            waits_for[dependent] -= 1
            if not waits_for[dependent]:
                ready.append(dependent)
    return line
