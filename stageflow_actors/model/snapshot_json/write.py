"""Snapshots to JSON: each part by its type; values of any type by ``values``."""

from __future__ import annotations

import json
from datetime import datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

from stageflow_actors.model.extensions import ExtensionBundle
from stageflow_actors.model.frozen import FrozenDict
from stageflow_actors.model.snapshot_json.bundle import bundle_to_json
from stageflow_actors.model.snapshot_json.forms import FIELDS, to_flat
from stageflow_actors.model.snapshot_json.values import (
    to_plain_json,
    to_text,
    to_whole,
    unwritable,
)
from stageflow_actors.model.snapshot_json.walk import Trail

if TYPE_CHECKING:
    from stageflow_actors.model.snapshot import ContextSnapshot


def to_json(snapshot: ContextSnapshot, *, flat: bool) -> str:
    """See ``ContextSnapshot.to_json``."""
    return json.dumps(to_dict(snapshot, flat=flat), allow_nan=False)


def to_dict(snapshot: ContextSnapshot, *, flat: bool) -> dict[str, Any]:
    """See ``ContextSnapshot.to_dict``."""
    for name in (*type(snapshot).__pydantic_fields__, *(snapshot.__pydantic_extra__ or ())):
        if name not in FIELDS:
            raise unwritable((None, name), "unknown key.", "Put it into an ExtensionBundle.")
    fields = {name: snapshot.__dict__[name] for name in FIELDS}
    bundle = fields["extensions"]
    if isinstance(bundle, ExtensionBundle):
        fields["extensions"] = None
        nested = _fields_to_json(fields, None)
        nested["extensions"] = bundle_to_json(bundle, (None, "extensions"))
    else:
        nested = _fields_to_json(fields, None)
    return to_flat(nested) if flat else nested


def _fields_to_json(fields: dict[str, Any], trail: Trail) -> dict[str, Any]:
    form = {}
    for name, value in fields.items():
        # Most fields are such texts or nothing.
        is_same = value is None or (type(value) is str and value.isascii())
        form[name] = value if is_same else _to_json(value, (trail, name))
    return form


def _to_json(value: Any, trail: Trail) -> Any:
    """A value whose type its model has checked."""
    kind = type(value)
    if kind is str:
        return to_text(value, trail)
    if value is None:
        return None
    if kind is datetime:
        return value.isoformat()
    if kind is int:
        return to_whole(value, trail)
    if kind is tuple:
        return [_to_json(item, (trail, index)) for index, item in enumerate(value)]
    if kind is FrozenDict:
        return to_plain_json(value, trail)
    return str(value) if isinstance(value, UUID) else _fields_to_json(value.__dict__, trail)
