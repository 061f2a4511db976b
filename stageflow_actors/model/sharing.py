"""Stages that share one process: what they have to agree in, and what they need together."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import fields, replace
from typing import Any, Protocol

from stageflow_actors.errors import PolicyError
from stageflow_actors.model.policies.placement import Placement
from stageflow_actors.model.policies.restart import Restart
from stageflow_actors.model.policies.scaling import Autoscaling


class Placed(Protocol):
    """What of a stage concerns its process, declared or planned."""

    @property
    def name(self) -> str:
        """Of the stage."""

    @property
    def placement(self) -> Placement | None:
        """What its process needs of the machine."""

    @property
    def restart(self) -> Restart:
        """Whether its process is replaced."""

    @property
    def replicas(self) -> int:
        """How many processes it has."""

    @property
    def autoscaling(self) -> Autoscaling | None:
        """How many it has, by how much there is to do."""


def check_shares(stages: Iterable[Placed]) -> None:
    """Stages that share agree in all that they say of their process. Linear.

    Raises:
        PolicyError: two of them do not; it names both.
    """
    said: dict[tuple[str, str], tuple[str, object]] = {}
    for stage in stages:
        if stage.placement is None or stage.placement.share is None:
            continue
        share = stage.placement.share
        for option, value in _options_of(stage, stage.placement):
            other, agreed = said.setdefault((share, option), (stage.name, value))
            if value != agreed:
                raise PolicyError(
                    f"Stages '{other}' and '{stage.name}' share the process {share!r:.80}, and "
                    f"differ in {option}.",
                    hint=f"Give both the same {option}=, or each a share of its own.",
                )


def joint_placement(placements: Sequence[Placement]) -> Placement:
    """What one process for all of them needs; they agree, as ``check_shares`` has seen."""
    said = {name: value for each in placements for name, value in set_fields(each)}
    alternatives = said.pop("fallbacks", ())
    bare = Placement(**said)
    return replace(bare, fallbacks=[replace(bare, labels=each.labels) for each in alternatives])


def set_fields(placement: Placement) -> Iterator[tuple[str, Any]]:
    """Names and values of the fields that say something."""
    for each in fields(placement):
        value = getattr(placement, each.name)
        if value:
            yield each.name, value


def _options_of(stage: Placed, placement: Placement) -> Iterator[tuple[str, object]]:
    yield from (
        ("restart", stage.restart),
        ("replicas", stage.replicas),
        ("autoscaling", stage.autoscaling),
    )
    for name, value in set_fields(placement):
        # A fallback repeats the amounts of its placement; what it says itself are its labels.
        yield name, [each.labels for each in value] if name == "fallbacks" else value
