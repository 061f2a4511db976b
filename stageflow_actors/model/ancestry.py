"""``Ancestry``: which run, and which stage of it, a child run comes from."""

from __future__ import annotations

from typing import NamedTuple
from uuid import UUID


class Ancestry(NamedTuple):
    """Where a child run comes from. ``depth`` is 1 for the child of a run that nobody spawned.

    ``root_run_id`` is that run, at the top of the line; for its own children it is the parent, too.
    """

    root_run_id: UUID
    parent_run_id: UUID
    parent_stage: str
    depth: int


def below(parent: Ancestry | None, run_id: UUID, stage: str) -> Ancestry:
    """The ancestry of a child that ``stage`` of the run ``run_id``, itself of ``parent``, starts.

    ``parent`` is ``None`` for a run that nobody spawned.
    """
    root = run_id if parent is None else parent.root_run_id
    return Ancestry(root, run_id, stage, depth_of(parent) + 1)


def depth_of(ancestry: Ancestry | None) -> int:
    """How many runs are above the run of this ancestry: 0 for one that nobody spawned."""
    return 0 if ancestry is None else ancestry.depth
