"""``Placement``: what the process of a stage needs of the machine that it runs on."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from stageflow_actors.errors import PolicyError
from stageflow_actors.model.amounts import is_number
from stageflow_actors.model.frozen import FrozenDict
from stageflow_actors.model.policies.labels import checked_labels
from stageflow_actors.model.policies.numbers import refuse
from stageflow_actors.model.policies.process_environment import frozen_environment

_AMOUNTS = ("num_cpus", "num_gpus", "memory", "resources")
_OF_GPUS = ("ray.io/accelerator-type", "accelerator_type:")
"""How labels and resources begin that only a node with GPUs has."""


@dataclass(frozen=True, slots=True)
class Placement:
    """Resources that a node must have free for the process of a stage, as long as it lives.

    ``num_cpus`` and ``num_gpus`` may be fractions; more than one GPU only whole ones. ``memory`` is
    in bytes. ``resources`` are custom ones of the cluster, by name. What is 0 is not asked for.

    ``labels`` are those that the node must have: ``x``, ``!x``, ``in(x,y)`` or ``!in(x,y)``. Where
    no node has them, those of the ``fallbacks`` will do, in this order; these differ in nothing
    else. With ``cpu_fallback`` the stage does without GPUs where no node has any.

    ``runtime_env`` is Ray's: ``env_vars``, ``pip`` and so on, plain data. Stages of one deployment
    that name the same ``share`` live in one process; what one of them leaves unset is as the others
    say. ``LocalRuntime`` has one process, and asks for nothing.

    Raises:
        PolicyError: a part cannot be used.
    """

    num_cpus: float = 0
    num_gpus: float = 0
    memory: int = 0
    resources: Mapping[str, float] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    fallbacks: Sequence[Placement] = ()
    cpu_fallback: bool = False
    runtime_env: Mapping[str, Any] | None = field(default=None, repr=False)
    share: str | None = None

    def __post_init__(self) -> None:
        self._check_amounts()
        labels = checked_labels("Placement", self.labels)
        if not isinstance(self.cpu_fallback, bool):
            refuse("Placement", "cpu_fallback", self.cpu_fallback, "Give True or False.")
        if self.share is not None and (not isinstance(self.share, str) or not self.share.strip()):
            refuse("Placement", "share", self.share, "Give a name, the same to all that share.")
        runtime_env = frozen_environment("Placement", self.runtime_env)
        object.__setattr__(self, "resources", FrozenDict(self.resources))
        object.__setattr__(self, "labels", labels)
        object.__setattr__(self, "runtime_env", runtime_env)
        _check_fallbacks(self)
        object.__setattr__(self, "fallbacks", tuple(self.fallbacks))

    def _check_amounts(self) -> None:
        for name in ("num_cpus", "num_gpus", "memory"):
            _check_amount(name, getattr(self, name))
        if self.num_gpus > 1 and self.num_gpus != int(self.num_gpus):
            raise PolicyError(
                f"Placement has num_gpus={self.num_gpus!r}.",
                hint="More than one GPU can only be asked for whole.",
            )
        if not isinstance(self.resources, Mapping):
            raise PolicyError(
                f"Placement has resources={self.resources!r:.80}.",
                hint="Give a mapping of names to amounts, as in {'scanner': 1}.",
            )
        for name, amount in self.resources.items():
            if not isinstance(name, str) or not name:
                raise PolicyError(f"Placement has a resource named {name!r:.80}.")
            if name in ("CPU", "GPU", "memory"):
                raise PolicyError(
                    f"Placement has resources={{{name!r}: ...}}.",
                    hint="Use num_cpus=, num_gpus= or memory=.",
                )
            _check_amount(f"resources[{name!r:.80}]", amount)

    @property
    def wanted(self) -> dict[str, float]:
        """Amounts by name, as a cluster counts them; only what is asked for."""
        named = {
            "CPU": self.num_cpus,
            "GPU": self.num_gpus,
            "memory": self.memory,
            **self.resources,
        }
        return {name: amount for name, amount in named.items() if amount}

    @property
    def label_choices(self) -> tuple[Mapping[str, str], ...]:
        """The labels that will do, the best first."""
        return (self.labels, *(fallback.labels for fallback in self.fallbacks))

    @property
    def without_gpus(self) -> Placement:
        """The same on a node that has no GPU, so without what only a node with GPUs has."""
        resources, labels = (
            _without_those_of_gpus(self.resources),
            _without_those_of_gpus(self.labels),
        )
        bare = replace(
            self, num_gpus=0, resources=resources, labels={}, fallbacks=(), cpu_fallback=False
        )
        if not labels:  # any node will do, so nothing is left to fall back from
            return bare
        fallbacks = [
            replace(bare, labels=_without_those_of_gpus(fallback.labels))
            for fallback in self.fallbacks
        ]
        return replace(bare, labels=labels, fallbacks=fallbacks)


def _without_those_of_gpus(named: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in named.items() if not name.startswith(_OF_GPUS)}


def _check_fallbacks(placement: Placement) -> None:
    """Ray falls back on other labels, and on nothing else."""
    fallbacks: object = placement.fallbacks
    if isinstance(fallbacks, str) or not isinstance(fallbacks, Sequence):
        refuse("Placement", "fallbacks", fallbacks, "Give a list of Placements.")
    if fallbacks and not placement.labels:
        refuse(
            "Placement", "fallbacks", fallbacks, "Give labels=: without any, every node will do."
        )
    for fallback in fallbacks:
        if not isinstance(fallback, Placement):
            refuse("Placement", "a fallback", fallback, "Give a list of Placements.")
        if fallback.fallbacks:
            hint = "A fallback has none of its own: give them one after the other."
            refuse("Placement", "a fallback with fallbacks", fallback.fallbacks, hint)
        for name in (*_AMOUNTS, "cpu_fallback", "runtime_env", "share"):
            own, other = getattr(placement, name), getattr(fallback, name)
            may_be_unset = name not in _AMOUNTS and not other
            if other != own and not may_be_unset:
                shown = "another runtime_env" if name == "runtime_env" else f"{name}={other!r:.80}"
                raise PolicyError(
                    f"Placement has a fallback with {shown}, and is not like that itself.",
                    hint=f"A fallback may differ in labels only: give both the same {name}=. "
                    "To do without a GPU where there is none, give cpu_fallback=True.",
                )


def _check_amount(name: str, amount: object) -> None:
    if not is_number(amount) or not (math.isfinite(amount) and amount >= 0):
        raise PolicyError(
            f"Placement has {name}={amount!r:.80}.", hint="Give an amount that is at least 0."
        )
