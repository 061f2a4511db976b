"""``${VARIABLE}`` and ``${VARIABLE:-default}`` in the texts of a file."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from stageflow_actors.configuration.places import Path
from stageflow_actors.configuration.report import Report

_REFERENCE = (
    r"(?P<escape>\$\$\{)|\$\{(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?::-(?P<default>[^}]*))?\}"
    r"|(?P<broken>\$\{)"
)


def interpolate(report: Report, data: Any, environment: Mapping[str, str]) -> Any:
    """``data`` with variables filled in. ``$${`` stands for ``${``; keys stay as they are.

    What comes in is text and stays text: it can add no key, and no reference is looked for in it.
    Values that an override has set are taken as they are.
    """
    return _filled(report, environment, data, ())


def escaped(text: str) -> str:
    """``text`` so that reading it gives the same."""
    return text.replace("${", "$${")


def _filled(report: Report, environment: Mapping[str, str], value: Any, path: Path) -> Any:
    if path in report.variables:
        return value
    if isinstance(value, dict):
        return {
            key: _filled(report, environment, item, (*path, key)) for key, item in value.items()
        }
    if isinstance(value, list):
        return [
            _filled(report, environment, item, (*path, index)) for index, item in enumerate(value)
        ]
    if isinstance(value, str) and "${" in value:
        return _filled_text(report, environment, value, path)
    return value


def _filled_text(report: Report, environment: Mapping[str, str], text: str, path: Path) -> str:
    def fill(found: re.Match[str]) -> str:
        if found["escape"]:
            return "${"
        if found["broken"]:
            hint = "Write ${NAME} or ${NAME:-default}; for the text '${', write '$${'."
            report.add(path, "has '${' without a variable.", hint=hint, code="CONFIG-VARIABLE")
            return ""
        report.texts[path] = text
        value = environment.get(found["name"]) or found["default"]
        if value is None and found["name"] in environment:
            return ""
        if value is None:
            hint = f"Set it, or give a default: ${{{found['name']}:-...}}."
            message = f"needs the environment variable {found['name']}, which is not set."
            report.add(path, message, hint=hint, code="CONFIG-VARIABLE")
            return ""
        return value

    return re.sub(_REFERENCE, fill, text)
