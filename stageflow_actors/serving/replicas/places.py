"""Where keepers are: their names in Ray, by application, pipeline and version."""

from __future__ import annotations

from contextlib import suppress
from typing import Any, NamedTuple
from urllib.parse import quote, unquote

import ray
from ray.util import list_named_actors

NAMESPACE = "stageflow_actors"
KNOWN_S = 1.0
"""How old what a replica knows of the keepers of other versions may be. A keeper takes no run until
all have had so long to notice it."""
_SERVE = ("SERVE_CONTROLLER_ACTOR", "serve")


class Place(NamedTuple):
    """One version of a served pipeline."""

    app: str
    pipeline: str
    version: str

    @property
    def name(self) -> str:
        """The name of its keeper."""
        return "/".join(quote(part, safe="") for part in self)

    def is_beside(self, other: Place) -> bool:
        """Whether it is another version of the same pipeline."""
        return self[:2] == other[:2] and self.version != other.version


def keepers_beside(here: Place) -> dict[Place, Any]:
    """The keepers of the other versions of that pipeline. Asks Ray, and waits for it."""
    found = {}
    for each in list_named_actors(all_namespaces=True):
        parts = each["name"].split("/")
        if each["namespace"] != NAMESPACE or len(parts) != len(Place._fields):
            continue
        place = Place(*map(unquote, parts))
        if place.is_beside(here):
            with suppress(ValueError):  # it has gone meanwhile
                found[place] = ray.get_actor(each["name"], namespace=NAMESPACE)
    return found


def has_serve() -> bool:
    """Whether Ray Serve is up, which may start replicas. Asks Ray, and waits for it."""
    try:
        ray.get_actor(_SERVE[0], namespace=_SERVE[1])
    except ValueError:
        return False
    return True
