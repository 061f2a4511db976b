"""A short look that tells of most texts that no secret shows in them by its form.

It may be wrong in one way alone: a text that it passes has nothing that ``patterns`` would mask.
"""

from __future__ import annotations

import re
from typing import ClassVar

_SHORTEST_PAIR = 5
"""Characters of the shortest secret with its name: ``jwt:x``."""
_SHORTEST_RUN = 15
"""Characters of the shortest key that is known by how it begins: ``xoxb-`` and ten more."""


class _Runs:
    """How keys look that all begin in the same way: what joins that to the rest, and all of it."""

    joined: ClassVar = re.compile(r"[_\-][A-Za-z0-9_\-]{10}").search
    begun: ClassVar = re.compile(
        r"(?:sk|pk|rk|whsec|xai|gsk|hf|r8|npm|nvapi|tvly|pplx|glpat|pypi|dop_v1"
        r"|gh[pousr]|github_pat|xox[a-z]|xapp)[_\-][A-Za-z0-9_\-]{10}"
    ).search
    upper: ClassVar = re.compile(r"A[KSBCRI][ICOD]A[A-Z0-9]{16}").search


def may_show(text: str) -> bool:
    """Whether a secret may show in ``text``."""
    if len(text) < _SHORTEST_PAIR:
        return False
    if "://" in text and "@" in text:
        return True
    lower = text.lower()
    if "bearer" in lower or "basic" in lower or "digest" in lower:
        return True
    if _may_have_pairs(text) and _may_name(lower):
        return True
    return len(text) >= _SHORTEST_RUN and _may_have_runs(text)


def _may_have_pairs(text: str) -> bool:
    """Whether there is what stands between a name and its value."""
    return ":" in text or "=" in text or "--" in text or '",' in text or "'," in text


def _may_name(lower: str) -> bool:
    """Whether there is a stem of a name of a secret; written out, since all else takes longer."""
    return (
        "key" in lower
        or "token" in lower
        or "secret" in lower
        or "pass" in lower
        or "pwd" in lower
        or "credential" in lower
        or "authorization" in lower
        or "cookie" in lower
        or "jwt" in lower
    )


def _may_have_runs(text: str) -> bool:
    if ("_" in text or "-" in text) and _Runs.joined(text) and _Runs.begun(text):
        return True
    return (
        "eyJ" in text
        or "AIza" in text
        or "ya29." in text
        or "slack.com/" in text
        or _Runs.upper(text) is not None
    )
