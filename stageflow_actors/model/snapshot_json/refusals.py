"""What a refused snapshot says: the path of a value, and the value itself, both shortened."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pydantic import ValidationError

from stageflow_actors.errors import SnapshotError
from stageflow_actors.model.plain import Path

WRITING_CODE = "SNAPSHOT-JSON"

_MAX_STEP = 40
_MAX_STEPS = 12
_MAX_TEXT = 60
_MAX_BITS = 200
_MAX_PROBLEM = 200


def path_text(path: Path) -> str:
    """``path`` as in ``conversation.messages.3.role``."""
    skipped = len(path) - _MAX_STEPS
    if skipped > 0:
        path = (*path[: _MAX_STEPS - 1], f"({skipped} levels)", path[-1])
    return ".".join(map(_step, path))


def _step(step: str | int) -> str:
    text = str(step)
    kept = text[:_MAX_STEP]
    kept = kept if kept.isprintable() else repr(kept)[1:-1]
    return kept if len(text) <= _MAX_STEP else f"{kept}..."


def shown(value: Any) -> str:
    """``value`` in a few words; what is in a container is never shown."""
    if isinstance(value, str):
        rest = f"... ({len(value)} characters)" if len(value) > _MAX_TEXT else ""
        return f"{value[:_MAX_TEXT]!r}{rest}"
    if isinstance(value, int) and value.bit_length() > _MAX_BITS:
        return f"an integer of {value.bit_length()} bits"
    if type(value) in (bool, int, float) or value is None:
        return repr(value)
    if value is ...:
        return "nothing"
    if isinstance(value, (dict, list, tuple)):
        return f"a {'dict' if isinstance(value, dict) else 'list'} of {len(value)}"
    return f"a {_step(type(value).__name__)}"


def refused(path: Path, problem: str, hint: str = "", code: str | None = None) -> SnapshotError:
    """The error that ``problem`` is at ``path``."""
    where = path_text(path)
    message = f"{where}: {problem}" if where else problem[:1].upper() + problem[1:]
    return SnapshotError(message, path=where, hint=hint, code=code)


def refused_by(invalid: ValidationError, path_of_loc: Callable[[Path], Path]) -> SnapshotError:
    """The first thing that ``invalid`` found, at the path of its ``loc``."""
    first = invalid.errors(include_url=False, include_context=False)[0]
    path = path_of_loc(first["loc"])
    if first["type"] == "extra_forbidden":
        return refused(path, "unknown key.", "Remove it, or put it into metadata.")
    if first["type"] == "missing":
        return refused(path, "this is required.", "Add it.")
    problem = shortened(first["msg"].removesuffix("."))
    return refused(path, f"{problem}, got {shown(first['input'])}.")


def shortened(problem: str) -> str:
    """The beginning of a text that others wrote."""
    return problem if len(problem) <= _MAX_PROBLEM else f"{problem[:_MAX_PROBLEM]}..."
