"""Snapshots from JSON: nested, flat, or both at once if both copies say the same."""

from __future__ import annotations

import math
from collections.abc import Mapping
from types import NoneType
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import ValidationError

from stageflow_actors.model.extensions import ExtensionBundle, bundle_from
from stageflow_actors.model.snapshot_json.forms import to_nested
from stageflow_actors.model.snapshot_json.refusals import (
    refused,
    refused_by,
    shown,
)
from stageflow_actors.model.snapshot_json.text import Unreadable
from stageflow_actors.model.snapshot_json.walk import DICTS, LISTS, Trail, path_of, walk

if TYPE_CHECKING:
    from stageflow_actors.model.snapshot import ContextSnapshot

Snapshot = TypeVar("Snapshot", bound="ContextSnapshot")

_SCALARS = frozenset({str, int, bool, NoneType})
_HINT = "Pass what to_dict() or to_json() gave."


def from_dict(
    cls: type[Snapshot], data: Any, extension_types: Mapping[str, type[ExtensionBundle]]
) -> Snapshot:
    """See ``ContextSnapshot.from_dict``."""
    _check_json(data)
    if not isinstance(data, dict):
        raise refused((), f"A snapshot is read from a dict, got {shown(data)}.")
    nested, place_of = to_nested(data)
    try:
        snapshot = cls.model_validate(nested)
    except ValidationError as invalid:
        raise refused_by(invalid, place_of) from None
    kind = extension_types.get(snapshot.extensions_type or "")
    if kind is None or not isinstance(snapshot.extensions, dict):
        return snapshot
    return snapshot.with_extensions(bundle_from(kind, snapshot.extensions))


def _check_json(data: Any) -> None:
    """Refuse the first value that no JSON text has."""
    for value, trail in walk(data):
        kind = type(value)
        if kind in _SCALARS or kind in LISTS or (kind is float and math.isfinite(value)):
            continue
        if kind is Unreadable:
            raise refused((*path_of(trail), *value.path), value.problem)
        if kind in DICTS:
            _check_keys(value, trail)
            continue
        what = f"{value!r} is no number" if kind is float else f"{kind.__name__} is no type"
        raise refused(path_of(trail), f"{what} of JSON.", _HINT)


def _check_keys(value: dict[Any, Any], trail: Trail) -> None:
    for key in value:
        if type(key) is not str:
            raise refused(path_of(trail), f"the key {shown(key)} is no text.", _HINT)
