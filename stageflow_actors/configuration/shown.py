"""Values of a file as an error may show them: short, and without secrets."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from stageflow_actors.configuration.places import Path

MASKED = "'****'"

_LONGEST = 60
_HIDDEN_NAME = (
    r"pass(word|wd|phrase)?$|secret|token|credential|api_?key|private_?key|access_?key"
    r"|auth(orization)?$|(^|_)(key|dsn|pwd)$"
)
_FREE = ("config", "fallback", "runtime_env")
"""Below these stands what the user named."""
_ENVIRONMENT = "env_vars"
_CREDENTIALS = r"://[^/\s]*@"


def shown_value(path: Path, value: Any) -> str:
    """``value`` at ``path``; a container only by its kind, as secrets may be inside."""
    if isinstance(value, Mapping):
        return "a mapping"
    if isinstance(value, list | tuple):
        return "a list"
    if value is None:
        return "nothing"
    if is_secret(path) or (isinstance(value, str) and re.search(_CREDENTIALS, value)):
        return MASKED
    text = repr(value)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."


def is_secret(path: Path) -> bool:
    """Whether the names on the way to a value say that nobody should see it."""
    names = [name.replace("-", "_").lower() for name in path if isinstance(name, str)]
    # Names of the format itself hide nothing: `idempotency.key` is where a key stands.
    free = next((at for at, name in enumerate(names) if at and name in _FREE), len(names))
    inside = names[free + 1 :]
    is_variable = _ENVIRONMENT in inside[:-1]
    return is_variable or any(re.search(_HIDDEN_NAME, name) for name in inside)
