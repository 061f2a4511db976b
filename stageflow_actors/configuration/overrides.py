"""Values of a file that environment variables replace."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from stageflow_actors.configuration.places import Path
from stageflow_actors.configuration.report import Report, did_you_mean

PREFIX = "STAGEFLOW_"
DELIMITER = "__"

_OF_ONE = ("stages", "execution", "interceptors")
_OF_SEVERAL = ("pipelines",)
_NAMED = ("stages", "pipelines")
"""Below these stand names of the user's, which an override cannot add to."""


def override(report: Report, environment: Mapping[str, str]) -> None:
    """Put into the data what variables say, as in ``STAGEFLOW_STAGES__ANSWER__TIMEOUT=5``.

    Names match in any case, and with ``_`` for signs that no variable can have. Variables that
    begin with the prefix alone belong to others. A value that is JSON is read as such.
    """
    data = report.document.data
    if not isinstance(data, dict):
        return
    known = _OF_SEVERAL if "pipelines" in data else _OF_ONE
    # The shorter first: a whole mapping, and then one of its parts.
    for variable in sorted(environment, key=lambda name: (name.count(DELIMITER), name)):
        if not variable.upper().startswith(PREFIX):
            continue
        steps = variable[len(PREFIX) :].split(DELIMITER)
        if steps[0].lower() in known:
            _put(report, data, variable, steps, _read(environment[variable]))


def _put(report: Report, data: dict[str, Any], variable: str, steps: list[str], value: Any) -> None:
    holder: Any = data
    path: Path = ()
    for position, step in enumerate(steps):
        key = _key_in(report, holder, path, variable, step)
        if key is None:
            return
        path = (*path, key)
        if position == len(steps) - 1:
            holder[key] = value
            report.variables[path] = variable
            return
        if isinstance(holder, dict) and not isinstance(holder.get(key), dict | list):
            holder[key] = {}
        holder = holder[key]
        if not isinstance(holder, dict | list):
            _refuse(report, path, variable, "leads into a value that has no parts.")
            return


def _key_in(report: Report, holder: Any, path: Path, variable: str, step: str) -> str | int | None:
    """What ``step`` names in ``holder``; a new key where the format has those."""
    if isinstance(holder, list):
        if step.isdecimal() and int(step) < len(holder):
            return int(step)
        _refuse(report, path, variable, f"names item '{step}', which does not exist.")
        return None
    matching = [key for key in holder if _plain(key) == _plain(step)]
    if len(matching) > 1:
        _refuse(report, path, variable, f"may mean any of {', '.join(map(repr, matching))}.")
        return None
    if matching:
        return str(matching[0])
    if path and path[-1] in _NAMED and len(path) in (1, 3):
        what = f"names '{step.lower()}', which does not exist there."
        _refuse(report, path, variable, what, did_you_mean(step.lower(), holder))
        return None
    return step.lower()


def _refuse(report: Report, path: Path, variable: str, what: str, hint: str = "") -> None:
    otherwise = "Correct the name of the variable, or unset it."
    report.add(path, f"{variable} {what}", hint=hint or otherwise, code="CONFIG-VARIABLE")


def _plain(name: str) -> str:
    return re.sub(r"\W", "_", name).upper()


def _read(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text
