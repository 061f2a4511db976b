"""The two forms of a snapshot in JSON: nested, as its fields are, and flat, without bundles."""

from __future__ import annotations

from collections.abc import Callable
from itertools import zip_longest
from typing import Any, NamedTuple

from stageflow_actors.model.plain import Path
from stageflow_actors.model.snapshot_json.refusals import path_text, refused, shown
from stageflow_actors.model.snapshot_json.walk import Trail, path_of

CREATED_AT = "created_at"
IDENTITY_CREATED_AT = "identity_created_at"
"""In the flat form, when the ids were made; left out where that is ``created_at``."""

RUN_ID, CONVERSATION, ENRICHMENTS = "run_id", "conversation", "enrichments"
BUNDLES = (RUN_ID, CONVERSATION, ENRICHMENTS)

FIELDS = (
    RUN_ID, ENRICHMENTS, CONVERSATION, "extensions", "extensions_type", "input_text",
    "input_audio_duration_ms", "topology", "execution_mode", CREATED_AT, "metadata",
)  # fmt: skip
"""Of a snapshot, in the order of the nested form."""

_GENERATED = ("pipeline_run_id", "request_id")
"""Ids that are made anew where they are null."""


class Place(NamedTuple):
    """A key of the flat form, and the field of the bundle that it is in the nested one."""

    flat: str
    bundle: str
    field: str
    is_list: bool = False

    @property
    def empty(self) -> Any:
        """What stands there if the bundle is null."""
        return [] if self.is_list else None


PLACES = (
    Place("pipeline_run_id", RUN_ID, "pipeline_run_id"),
    Place("request_id", RUN_ID, "request_id"),
    Place("session_id", RUN_ID, "session_id"),
    Place("user_id", RUN_ID, "user_id"),
    Place("org_id", RUN_ID, "org_id"),
    Place("interaction_id", RUN_ID, "interaction_id"),
    Place(IDENTITY_CREATED_AT, RUN_ID, CREATED_AT),
    Place("messages", CONVERSATION, "messages", is_list=True),
    Place("routing_decision", CONVERSATION, "routing_decision"),
    Place("profile", ENRICHMENTS, "profile"),
    Place("memory", ENRICHMENTS, "memory"),
    Place("documents", ENRICHMENTS, "documents", is_list=True),
    Place("web_results", ENRICHMENTS, "web_results", is_list=True),
)


def to_flat(nested: dict[str, Any]) -> dict[str, Any]:
    """The flat form of a whole nested one."""
    flat = {}
    for place in PLACES:
        bundle = nested[place.bundle]
        flat[place.flat] = place.empty if bundle is None else bundle[place.field]
    if flat[IDENTITY_CREATED_AT] == nested[CREATED_AT]:
        del flat[IDENTITY_CREATED_AT]
    return flat | {name: value for name, value in nested.items() if name not in BUNDLES}


def to_nested(data: dict[str, Any]) -> tuple[dict[str, Any], Callable[[Path], Path]]:
    """What a snapshot is made of, from either form or both; and where in ``data`` a part of it is.

    Raises:
        SnapshotError: a key is unknown, or the two forms contradict each other.
    """
    known = {*FIELDS, *(place.flat for place in PLACES)}
    for key in data:
        if key not in known:
            raise refused((key,), "unknown key.", "Remove it, or put it into metadata.")
    nested = {name: data[name] for name in FIELDS if name in data}
    moved: dict[Path, str] = {}
    for name in BUNDLES:
        places = [place for place in PLACES if place.bundle == name and place.flat in data]
        if name in data:
            _check_copies(data, places)
        elif places:
            nested[name] = _bundle_of(data, places)
            moved |= {(name, place.field): place.flat for place in places}
    _complete_identity(nested, moved)
    return nested, lambda loc: _place_of(loc, moved)


def _check_copies(data: dict[str, Any], places: list[Place]) -> None:
    """Each of ``places`` says what the bundle says that is there, too."""
    for place in places:
        bundle = data[place.bundle]
        if bundle is None:
            nested = place.empty
        elif isinstance(bundle, dict):
            nested = bundle.get(place.field, place.empty)
        else:
            return  # refused for its type, later
        difference = _first_difference(nested, data[place.flat])
        if difference is not None:
            path, here, there = difference
            copy = path_text((place.flat, *path))
            raise refused(
                (place.bundle, place.field, *path),
                f"{shown(here)} here, but {shown(there)} in its copy {copy}.",
                "Give one of the two, or the same in both.",
            )


def _first_difference(here: Any, there: Any) -> tuple[Path, Any, Any] | None:
    """Where two values of JSON differ, in type or value; iterative, as they may be very deep."""
    waiting: list[tuple[Any, Any, Trail]] = [(here, there, None)]
    seen: set[tuple[int, int]] = set()
    while waiting:
        here, there, trail = waiting.pop()
        pairs = _pairs(here, there)
        if pairs is None:
            if type(here) is not type(there) or here != there:
                return path_of(trail), here, there
        elif (id(here), id(there)) not in seen:
            seen.add((id(here), id(there)))
            waiting += reversed([(one, other, (trail, step)) for step, one, other in pairs])
    return None


def _pairs(here: Any, there: Any) -> list[tuple[str | int, Any, Any]] | None:
    """The parts of two containers side by side, or ``None`` where there is nothing to go into."""
    if isinstance(here, dict) and isinstance(there, dict):
        keys = {**here, **there}
        return [(key, here.get(key, ...), there.get(key, ...)) for key in keys]
    if isinstance(here, (list, tuple)) and isinstance(there, (list, tuple)):
        both = zip_longest(here, there, fillvalue=...)
        return [(index, one, other) for index, (one, other) in enumerate(both)]
    return None


def _bundle_of(data: dict[str, Any], places: list[Place]) -> dict[str, Any] | None:
    bundle = {place.field: data[place.flat] for place in places}
    is_empty = all(_first_difference(place.empty, data[place.flat]) is None for place in places)
    return None if is_empty else bundle


def _complete_identity(nested: dict[str, Any], moved: dict[Path, str]) -> None:
    """Leave out ids to be generated; the ids are as old as the snapshot, unless they say more."""
    given = nested.get(RUN_ID)
    if given is not None and not isinstance(given, dict):
        return  # refused for its type, later
    identity = {k: v for k, v in (given or {}).items() if v is not None or k not in _GENERATED}
    if CREATED_AT not in identity and CREATED_AT in nested:
        identity[CREATED_AT] = nested[CREATED_AT]
        moved[RUN_ID, CREATED_AT] = CREATED_AT
    nested[RUN_ID] = identity


def _place_of(loc: Path, moved: dict[Path, str]) -> Path:
    flat = moved.get(tuple(loc[:2]))
    return loc if flat is None else (flat, *loc[2:])
