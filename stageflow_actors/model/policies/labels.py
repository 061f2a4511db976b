"""Labels of nodes: which may be asked for, and whether a node has them. The syntax is Ray's."""

from __future__ import annotations

import re
from collections.abc import Mapping

from stageflow_actors.model.frozen import FrozenDict
from stageflow_actors.model.policies.numbers import refuse

_WORD = r"[a-zA-Z0-9]([a-zA-Z0-9_-]{0,61}[a-zA-Z0-9])?"
_NAME = r"[a-zA-Z0-9]([a-zA-Z0-9_.-]{0,61}[a-zA-Z0-9])?"
_KEY = rf"({_WORD}(\.{_WORD})*/)?{_NAME}"
_VALUE = rf"!?({_NAME}|in\({_NAME}(, ?{_NAME})*\))"
_LONGEST_PREFIX = 253


def checked_labels(policy: str, labels: object) -> Mapping[str, str]:
    """Names of labels, each with what is wanted of it: ``x``, ``!x``, ``in(a,b)`` or ``!in(a,b)``.

    Read-only and without blanks: Ray allows one after a comma, and then takes it for a part of the
    value, which no label can meet.

    Raises:
        PolicyError: they are not.
    """
    if not isinstance(labels, Mapping):
        hint = "Give a mapping of names to values, as in {'ray.io/accelerator-type': 'H200'}."
        refuse(policy, "labels", labels, hint)
    for key, value in labels.items():
        if not isinstance(key, str) or not _is_key(key):
            hint = (
                "The name of a label has letters, digits, '-', '_' and '.' between two letters or "
                "digits, 63 at most; 'some.domain/' may stand before it."
            )
            refuse(policy, "the label", key, hint)
        if not isinstance(value, str) or not re.fullmatch(_VALUE, value):
            hint = (
                "Give 'x', '!x', 'in(x, y)' or '!in(x, y)', where a value has letters, digits, "
                "'-', '_' and '.' between two letters or digits, 63 at most."
            )
            refuse(policy, f"labels[{key!r}]", value, hint)
    return FrozenDict({key: value.replace(" ", "") for key, value in labels.items()})


def is_met(wanted: str, label: str | None) -> bool:
    """Whether a node with the value ``label`` is ``wanted``; ``None``: it has no such label."""
    asked = wanted.removeprefix("!")
    values = asked[3:-1].split(",") if asked.startswith("in(") else [asked]
    return (label in values) is not wanted.startswith("!")


def _is_key(key: str) -> bool:
    return bool(re.fullmatch(_KEY, key)) and len(key.rpartition("/")[0]) <= _LONGEST_PREFIX
