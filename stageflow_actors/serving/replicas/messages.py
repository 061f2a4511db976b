"""What travels between a replica and a keeper."""

from __future__ import annotations

from typing import Any, NamedTuple

from stageflow_actors.serving.faults import Fault, ProblemError


class Ask(NamedTuple):
    """A call of the desk's method of that name."""

    number: int
    method: str
    arguments: tuple[Any, ...]


class Leave(NamedTuple):
    """Nobody waits for the answer of that call any more."""

    number: int


class Answer(NamedTuple):
    """What came of a call: a value, or a problem; neither, where it was left."""

    number: int
    value: Any
    problem: tuple[Any, ...] | None = None


def reader_at(replica: str, reader: str | None) -> str | None:
    """A reader that a replica speaks for, as the keeper knows it."""
    return None if reader is None else f"{replica}:{reader}"


def replica_of(reader: str) -> str:
    """Who speaks for that reader."""
    return reader.partition(":")[0]


def problem_to_wire(problem: ProblemError) -> tuple[Any, ...]:
    """A problem as plain data."""
    return (
        problem.fault.name,
        problem.detail,
        problem.run_id,
        problem.retry_after_s,
        problem.headers,
        problem.parts,
    )


def problem_of_wire(told: tuple[Any, ...]) -> ProblemError:
    """The problem that ``told`` was made of."""
    fault, detail, run_id, retry_after_s, headers, parts = told
    return ProblemError(
        Fault[fault],
        detail,
        run_id=run_id,
        retry_after_s=retry_after_s,
        headers=headers,
        **parts,
    )
