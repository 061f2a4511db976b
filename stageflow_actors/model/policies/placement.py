"""``Placement``: what the process of a stage needs of the machine that it runs on."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from stageflow_actors.errors import PolicyError
from stageflow_actors.model.frozen import FrozenDict


@dataclass(frozen=True, slots=True)
class Placement:
    """Resources that a node must have free for the process of a stage, as long as it lives.

    ``num_cpus`` and ``num_gpus`` may be fractions; more than one GPU only whole ones. ``memory`` is
    in bytes. ``resources`` are custom ones of the cluster, by name. What is 0 is not asked for.
    ``LocalRuntime`` has one process, and asks for nothing.

    Raises:
        PolicyError: a number is none, or is negative.
    """

    num_cpus: float = 0
    num_gpus: float = 0
    memory: int = 0
    resources: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
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
        object.__setattr__(self, "resources", FrozenDict(self.resources))

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


def _check_amount(name: str, amount: object) -> None:
    is_number = isinstance(amount, (int, float)) and not isinstance(amount, bool)
    if not is_number or not (math.isfinite(amount) and amount >= 0):  # type: ignore[arg-type,operator]
        raise PolicyError(
            f"Placement has {name}={amount!r:.80}.", hint="Give an amount that is at least 0."
        )
