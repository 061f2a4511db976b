"""What goes on in a deployment, in numbers: what there is now, and what there has been so far.

Counts of what has been never go down, whichever process dies or leaves. Only those of a deployment
whose supervisor was lost begin anew with the next one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RunStats:
    """Runs that go on and that wait for their turn now, the latter with so many bytes of input;
    and how many were refused so far.
    """

    running: int
    waiting: int
    waiting_bytes: int
    refused: int


@dataclass(frozen=True, slots=True)
class BatchStats:
    """``batches`` with ``items`` in all, ``largest`` of them in one, and how often one that raised
    was halved.
    """

    batches: int = 0
    items: int = 0
    largest: int = 0
    splits: int = 0


@dataclass(frozen=True, slots=True)
class StageStats:
    """One stage. ``replicas`` are its processes that take work now; ``waiting`` executions have
    none, ``executing`` ones were given to one and have not come back.

    So far: ``executions`` have ended, however; for ``busy_s`` seconds a process of it had at least
    one, for ``ready_s`` it could have had, both summed over its processes. ``sent_bytes`` and
    ``received_bytes`` are about what travelled between it and the supervisor; big outputs, which
    others take from where they are, do not. ``batches`` of a stage that takes none is ``None``.
    """

    name: str
    replicas: int
    waiting: int
    executing: int
    executions: int
    busy_s: float
    ready_s: float
    sent_bytes: int
    received_bytes: int
    batches: BatchStats | None = None

    @property
    def load(self) -> dict[str, int]:
        """What goes on now, as descriptions tell it."""
        return {
            "replicas": self.replicas,
            "waiting": self.waiting,
            "in_flight": self.executing,
        }

    @property
    def utilisation(self) -> float:
        """Which part of the time its processes had something to execute: from 0 to 1."""
        return self.busy_s / self.ready_s if self.ready_s else 0.0


@dataclass(frozen=True, slots=True)
class DeploymentStats:
    """One deployment; ``stages`` by name, in the order of the pipeline.

    The counts of calls are those of Ray; ``asked_again`` were made once more as nobody answered.
    """

    pipeline: str
    runs: RunStats
    stages: Mapping[str, StageStats]
    calls_to_stages: int = 0
    calls_to_supervisor: int = 0
    asked_again: int = 0
