"""What a stage asks of a cluster in Ray's words, and what the cluster lacks of it."""

from __future__ import annotations

import asyncio
import copy
import logging
from collections.abc import Awaitable, Mapping, Sequence
from typing import Any, NamedTuple

import ray

from stageflow_actors.errors import PlacementError
from stageflow_actors.model.policies.labels import is_met
from stageflow_actors.model.policies.placement import Placement
from stageflow_actors.model.settings import Settings

logger = logging.getLogger("stageflow_actors")


def place_actor(placement: Placement) -> dict[str, Any]:
    """The options of an actor that needs what ``placement`` says."""
    options: dict[str, Any] = {"num_cpus": placement.num_cpus, "num_gpus": placement.num_gpus}
    if placement.memory:
        options["memory"] = placement.memory
    if placement.resources:
        options["resources"] = dict(placement.resources)
    if placement.labels:
        options["label_selector"] = dict(placement.labels)
    if placement.fallbacks:
        options["fallback_strategy"] = [
            {"label_selector": dict(fallback.labels)} for fallback in placement.fallbacks
        ]
    if placement.runtime_env:
        options["runtime_env"] = copy.deepcopy(placement.runtime_env)
    return options


async def settled(placement: Placement) -> Placement:
    """What is asked for in this cluster: with ``cpu_fallback``, no GPU where no node has any.

    What comes back is settled for good: asked again, it stays as it is, and the log says no more.
    """
    if not placement.cpu_fallback or not placement.num_gpus:
        return placement
    nodes = await asyncio.to_thread(_alive_nodes)
    if any(node.amounts.get("GPU", 0.0) > 0 for node in nodes):
        return placement
    logger.warning(
        "None of the %d nodes has a GPU: what asks for %g, and has a cpu_fallback, does without.",
        len(nodes),
        placement.num_gpus,
    )
    return placement.without_gpus


async def find_room(
    hello: Awaitable[None], stage: str, placement: Placement, settings: Settings
) -> None:
    """Wait until the process of ``stage`` has found room, and says ``hello``.

    Raises:
        PlacementError: it found none in time.
    """
    limit_s = settings.placement_timeout_s
    try:
        async with asyncio.timeout(limit_s):
            await hello
    except TimeoutError:
        raise await no_room_error(stage, placement, limit_s) from None


async def no_room_error(stage: str, placement: Placement, limit_s: float) -> PlacementError:
    """The error of a stage that no node had room for; it says what is missing."""
    nodes = await asyncio.to_thread(_alive_nodes)
    wanted = placement.wanted
    fitting = [node for node in nodes if _covers(node, wanted) and _is_labelled(node, placement)]
    if fitting:
        what = f"the {len(fitting)} that could take it had no room for {limit_s:g} s"
        hint = "Wait for others to end, ask for less, or raise Settings.placement_timeout_s."
    else:
        what = f"none of the {len(nodes)} nodes has {_lacking(nodes, placement)}"
        hint = "Ask for less, or add a node that has it."
    message = f"Stage '{stage}' asks for {_asked(placement)}, and {what}."
    return PlacementError(message, stage=stage, hint=hint)


class _Node(NamedTuple):
    """One node of the cluster: all that it has, free or not."""

    amounts: Mapping[str, float]
    labels: Mapping[str, str]


def _alive_nodes() -> list[_Node]:
    nodes = ray.nodes()  # type: ignore[no-untyped-call]
    return [_Node(node["Resources"], node.get("Labels", {})) for node in nodes if node["Alive"]]


def _covers(node: _Node, wanted: Mapping[str, float]) -> bool:
    return all(node.amounts.get(name, 0.0) >= amount for name, amount in wanted.items())


def _is_labelled(node: _Node, placement: Placement) -> bool:
    return any(_has_labels(node, labels) for labels in placement.label_choices)


def _has_labels(node: _Node, labels: Mapping[str, str]) -> bool:
    return all(is_met(value, node.labels.get(name)) for name, value in labels.items())


def _lacking(nodes: Sequence[_Node], placement: Placement) -> str:
    """What not one node has; where each thing is somewhere, that no node has all of it."""
    wanted = placement.wanted
    most = {
        name: max((node.amounts.get(name, 0.0) for node in nodes), default=0.0) for name in wanted
    }
    amounts = [name for name, amount in wanted.items() if most[name] < amount]
    labels = dict.fromkeys(
        _told_label(name, value)
        for choice in placement.label_choices
        for name, value in choice.items()
        if not any(is_met(value, node.labels.get(name)) for node in nodes)
    )
    is_labelled_somewhere = any(_is_labelled(node, placement) for node in nodes)
    lacking = [*amounts, *(() if is_labelled_somewhere else labels)]
    told = ", ".join(lacking) or "all of it together"
    if amounts or (most and not lacking):
        told += f" (the most on one: {_told(most)})"
    return told


def _asked(placement: Placement) -> str:
    choices = [
        " and ".join(_told_label(name, value) for name, value in labels.items()) or "any label"
        for labels in placement.label_choices
    ]
    parts = [_told(placement.wanted)] if placement.wanted else []
    if placement.labels:
        parts.append(f"a node with {', or else '.join(choices)}")
    return ", ".join(parts) or "a process"


def _told(amounts: Mapping[str, float]) -> str:
    return ", ".join(f"{name}={amount:g}" for name, amount in amounts.items())


def _told_label(name: str, wanted: str) -> str:
    return f"{name}={wanted}"
