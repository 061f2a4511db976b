"""What the process of a stage is started with, in the words of Ray's ``runtime_env``."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from stageflow_actors.errors import PolicyError, StageOutputError
from stageflow_actors.model.frozen import FrozenDict, freeze
from stageflow_actors.model.policies.numbers import refuse


def frozen_environment(policy: str, given: object) -> Mapping[str, Any] | None:
    """``given`` as read-only JSON data. Its values may be secret: an error does not tell them.

    Raises:
        PolicyError: it is no mapping of plain data, or a variable is no text.
    """
    if given is None:
        return None
    if not isinstance(given, Mapping):
        hint = "Give a mapping, as in {'env_vars': {'OMP_NUM_THREADS': '1'}}."
        refuse(policy, "runtime_env", given, hint)
    for field in given:
        if not isinstance(field, str) or not field:
            refuse(policy, "a field in runtime_env", field, "Give the name of a field, as text.")
    _check_variables(policy, given.get("env_vars"))
    return FrozenDict({field: _to_json(policy, field, value) for field, value in given.items()})


def _check_variables(policy: str, variables: object) -> None:
    if variables is None:
        return
    if not isinstance(variables, Mapping):
        raise PolicyError(
            f"{policy} has runtime_env['env_vars'], which is no mapping.",
            hint="Give names and values, as in {'OMP_NUM_THREADS': '1'}.",
        )
    for name, value in variables.items():
        if not isinstance(value, str):
            raise PolicyError(
                f"{policy} has runtime_env['env_vars'][{name!r:.80}], which is no text.",
                hint="The value of an environment variable is a text, as in '1'.",
            )


def _to_json(policy: str, field: str, value: object) -> Any:
    try:
        # As JSON, tuples are lists and each mapping is plain: the only forms that Ray takes.
        return freeze(json.loads(json.dumps(value, allow_nan=False)))[0]
    except (TypeError, ValueError, RecursionError, StageOutputError):  # an object, NaN, too deep
        raise PolicyError(
            f"{policy} has runtime_env[{field!r:.80}], which is no plain data.",
            hint="Use texts, numbers, booleans, None, lists and mappings with texts as keys.",
        ) from None
