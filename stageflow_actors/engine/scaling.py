"""How many replicas a stage should have, by how much there is to do; and which is given work."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from stageflow_actors.model.policies.scaling import Autoscaling


class Load(NamedTuple):
    """What there is to do at one time, in seconds of one monotonic clock.

    ``ongoing`` counts what waits and what is executing, ``replicas`` those ready and starting.
    """

    at: float
    ongoing: int
    replicas: int


class Scaling(NamedTuple):
    """How many replicas there should be from now on, and why, for people."""

    target: int
    reason: str


class Scaler:
    """Follows the load of one stage. It goes up fast and down slowly, as the policy says.

    A number that it has asked for counts as if it were there: it does not ask for it again, nor go
    back because replicas take their time. Once it was there, what there is counts.
    """

    __slots__ = ("_above_since", "_below_since", "_most_wanted", "_pending", "_policy")

    def __init__(self, policy: Autoscaling) -> None:
        self._policy = policy
        self._pending: int | None = None
        self._above_since: float | None = None
        self._below_since: float | None = None
        self._most_wanted = 0  # since then

    def decide(self, load: Load) -> Scaling | None:
        """What is to change after this load, which is later than those before; mostly nothing."""
        if load.replicas == self._pending:
            self._pending = None
        current = load.replicas if self._pending is None else self._pending
        wanted = self._wanted(load.ongoing)
        if wanted > current:
            self._below_since = None
            return self._go_up(load, current, wanted)
        self._above_since = None
        if wanted < current:
            return self._go_down(load, current, wanted)
        self._below_since = None
        return None

    def _wanted(self, ongoing: int) -> int:
        policy = self._policy
        each = ongoing / policy.target_ongoing_requests
        if each >= policy.max_replicas:  # it may be too large to be rounded
            return policy.max_replicas
        return max(policy.min_replicas, math.ceil(each))

    def _go_up(self, load: Load, current: int, wanted: int) -> Scaling | None:
        if self._above_since is None:
            self._above_since = load.at
        held_s = load.at - self._above_since
        if held_s < self._policy.upscale_delay_s:
            return None
        return self._change(wanted, f"More than {current} were wanted for {held_s:.1f} s", load)

    def _go_down(self, load: Load, current: int, wanted: int) -> Scaling | None:
        if self._below_since is None or self._most_wanted >= current:
            self._below_since = load.at
            self._most_wanted = wanted
        else:
            self._most_wanted = max(self._most_wanted, wanted)
        held_s = load.at - self._below_since
        if held_s < self._policy.downscale_delay_s:
            return None
        most = self._most_wanted
        reason = f"No more than {most} of {current} were wanted for {held_s:.1f} s"
        return self._change(most, reason, load)

    def _change(self, target: int, reason: str, load: Load) -> Scaling:
        self._pending = target
        self._above_since = self._below_since = None
        policy = self._policy
        return Scaling(
            target,
            f"{reason}; {load.ongoing} are ongoing, {policy.target_ongoing_requests:g} for each, "
            f"with {policy.min_replicas} to {policy.max_replicas} replicas.",
        )


def least_loaded(loads: Sequence[int], limit: int | None) -> int | None:
    """The index of the smallest of ``loads``, the lowest of several.

    ``None`` if each has reached ``limit``, or there are none.
    """
    if not loads:
        return None
    least = min(loads)
    return None if limit is not None and least >= limit else loads.index(least)
