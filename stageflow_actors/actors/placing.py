"""What a stage asks of a cluster in Ray's words, and what the cluster lacks of it."""

from __future__ import annotations

import asyncio
from typing import Any

import ray

from stageflow_actors.errors import PlacementError
from stageflow_actors.model.policies.placement import Placement


def place_actor(placement: Placement) -> dict[str, Any]:
    """The options of an actor that needs what ``placement`` says."""
    options: dict[str, Any] = {"num_cpus": placement.num_cpus, "num_gpus": placement.num_gpus}
    if placement.memory:
        options["memory"] = placement.memory
    if placement.resources:
        options["resources"] = dict(placement.resources)
    return options


async def no_room_error(stage: str, placement: Placement, limit_s: float) -> PlacementError:
    """The error of a stage that no node had room for; it says what is missing."""
    wanted = placement.wanted
    nodes = await asyncio.to_thread(_node_totals)
    fitting = [node for node in nodes if _covers(node, wanted)]
    asked = _told(wanted)
    if fitting:
        what = f"the {len(fitting)} that could take it had no room for {limit_s:g} s"
        hint = "Wait for others to end, ask for less, or raise Settings.placement_timeout_s."
    else:
        most = {name: max((node.get(name, 0.0) for node in nodes), default=0.0) for name in wanted}
        lacking = [name for name, amount in wanted.items() if most[name] < amount]
        together = ", ".join(lacking) or "all of it together"
        what = f"none of the {len(nodes)} nodes has {together} (the most on one: {_told(most)})"
        hint = "Ask for less, or add a node that has it."
    return PlacementError(f"Stage '{stage}' asks for {asked}, and {what}.", stage=stage, hint=hint)


def _node_totals() -> list[dict[str, float]]:
    nodes = ray.nodes()  # type: ignore[no-untyped-call]
    return [node["Resources"] for node in nodes if node["Alive"]]


def _covers(node: dict[str, float], wanted: dict[str, float]) -> bool:
    return all(node.get(name, 0.0) >= amount for name, amount in wanted.items())


def _told(amounts: dict[str, float]) -> str:
    return ", ".join(f"{name}={amount:g}" for name, amount in amounts.items())
