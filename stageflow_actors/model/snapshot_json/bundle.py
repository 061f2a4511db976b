"""Extension bundles as JSON, in the form that pydantic gives them."""

from __future__ import annotations

from typing import Any

from pydantic_core import PydanticCustomError

from stageflow_actors.errors import SnapshotError, describe_exception
from stageflow_actors.model.extensions import ExtensionBundle, bundle_from
from stageflow_actors.model.plain import freeze_dict
from stageflow_actors.model.snapshot_json.refusals import WRITING_CODE, shortened, shown
from stageflow_actors.model.snapshot_json.values import to_plain_json, unwritable
from stageflow_actors.model.snapshot_json.walk import Trail

_HINT = "Give the field a type that JSON can hold."


def bundle_to_json(bundle: ExtensionBundle, trail: Trail) -> dict[str, Any]:
    """The fields of ``bundle``, from which its class makes the same bundle again.

    Raises:
        SnapshotError: it would not; the error has the path of the field.
    """
    try:
        data = _dump(bundle)
    except Exception as error:  # the serializers of the application may raise anything
        raise _unwritable_field(bundle, error, trail) from None
    try:
        written: dict[str, Any] = to_plain_json(freeze_dict(data), trail)
        read = bundle_from(type(bundle), written)
    except PydanticCustomError as error:
        raise unwritable(trail, error.message(), _HINT) from None
    except SnapshotError as error:
        hint = error.hint or _HINT
        raise SnapshotError(error.message, path=error.path, hint=hint, code=WRITING_CODE) from None
    _check_same(read, bundle, trail)
    return written


def _dump(bundle: ExtensionBundle, *names: str) -> dict[str, Any]:
    return bundle.model_dump(
        mode="json", include={*names} or None, by_alias=False, round_trip=True, warnings="error"
    )


def _unwritable_field(bundle: ExtensionBundle, error: Exception, trail: Trail) -> SnapshotError:
    for name in type(bundle).model_fields:
        try:
            _dump(bundle, name)
        except Exception as in_field:
            trail, error = (trail, name), in_field
            break
    problem = f"{type(bundle).__name__} cannot be written: {describe_exception(error)}"
    return unwritable(trail, f"{shortened(problem)}.", _HINT)


def _check_same(read: ExtensionBundle, bundle: ExtensionBundle, trail: Trail) -> None:
    for name, info in type(bundle).model_fields.items():
        was, comes_back = getattr(bundle, name), getattr(read, name)
        if not (info.exclude or _is_same(was, comes_back)):
            problem = f"{shown(was)} would come back as {shown(comes_back)}."
            raise unwritable((trail, name), problem, _HINT)


def _is_same(one: Any, other: Any) -> bool:
    try:
        return bool(one == other)
    except Exception:  # a class of the application's own
        return False
