"""``Secrets``: values that are known to be secret, in the forms in which they stand in texts."""

from __future__ import annotations

import urllib.parse
from collections.abc import Callable, Iterable

from stageflow_actors.model.redaction.patterns import MASKS

SHORTEST_SECRET = 8
"""Characters of a value that is known to be secret: shorter ones are in everything."""
SHORTEST_LINE = 16
"""Characters of a line of it that is looked for by itself."""

Forms = tuple[str, ...]
"""The longest first."""


class Secrets:
    """Looks for them once, when a text needs them. ``find`` is asked again if it raises."""

    __slots__ = ("_find", "_forms")

    def __init__(self, find: Callable[[], Forms]) -> None:
        self._find = find
        self._forms: Forms | None = None

    @property
    def forms(self) -> Forms:
        """All of them."""
        if self._forms is None:
            self._forms = self._find()
        return self._forms


def forms_of(secrets: Iterable[str], known: Forms = ()) -> Forms:
    """Each that is long enough, as it is, as it stands in a ``repr`` and in an address, and its
    longer lines: some tracebacks are indented. Those that are ``known`` come with them.
    """
    forms: set[str] = set()
    for secret in secrets:
        if len(secret) >= SHORTEST_SECRET:
            forms |= {secret, repr(secret)[1:-1], urllib.parse.quote(secret, safe="")}
            lines = secret.splitlines() if "\n" in secret else ()
            forms |= {line.strip() for line in lines if len(line.strip()) >= SHORTEST_LINE}
    if not forms:
        return known
    told = {form for form in forms if not any(form in mask for mask in MASKS)}
    return tuple(sorted({*told, *known}, key=len, reverse=True))
