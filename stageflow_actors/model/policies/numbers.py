"""Numbers of a policy: refused where they cannot mean anything, with what was given."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NoReturn

from stageflow_actors.errors import PolicyError
from stageflow_actors.model.amounts import is_count, is_number

LONGEST_S = 366 * 24 * 3600.0


def check_seconds(policy: str, values: Mapping[str, object], *, may_be_zero: bool = False) -> None:
    """Each is a number of seconds, greater than 0 and at most a year.

    Raises:
        PolicyError: one of them is not.
    """
    for name, value in values.items():
        is_enough = is_number(value) and (value > 0 or (may_be_zero and value == 0))
        if not is_enough or not value <= LONGEST_S:  # type: ignore[operator]
            least = "at least 0" if may_be_zero else "greater than 0"
            refuse(policy, name, value, f"Give seconds, {least} and at most a year.")


def check_count(policy: str, values: Mapping[str, object]) -> None:
    """Each is a whole number, at least 1.

    Raises:
        PolicyError: one of them is not.
    """
    for name, value in values.items():
        if not is_count(value):
            refuse(policy, name, value, "Give a whole number, at least 1.")


def refuse(policy: str, name: str, value: object, hint: str) -> NoReturn:
    """Say that ``policy`` cannot have ``value`` as its ``name``.

    Raises:
        PolicyError: always.
    """
    try:
        shown = f"{value!r:.80}"
    except Exception:  # a user's repr, or a number too long to write
        shown = f"a {type(value).__name__}"
    raise PolicyError(f"{policy} has {name}={shown}.", hint=hint)
