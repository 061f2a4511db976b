"""``ExtensionBundle``: what an application adds to a snapshot, with types of its own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, TypeVar

from pydantic import PlainValidator, SerializeAsAny, ValidationError
from pydantic_core import PydanticCustomError, to_json

from stageflow_actors.model.plain import PlainDict, freeze_plain_dict
from stageflow_actors.model.validated import ValidatedModel

PLAIN_TYPE = "dict"
"""The ``extensions_type`` of a dict that has no other."""


class ExtensionBundle(ValidatedModel):
    """Subclass it with typed fields; unknown ones are refused.

    A bundle is frozen, but what its fields hold need not be: every stage gets a copy of its own.
    """


Bundle = TypeVar("Bundle", bound=ExtensionBundle)


def bundle_from(cls: type[Bundle], data: Mapping[str, Any]) -> Bundle:
    """The bundle that ``data`` holds in the form that JSON gives it; types are strict.

    Raises:
        SnapshotError: a value in ``data`` does not fit, or has no form in JSON; or ``cls`` is no
            class of bundles.
    """
    from stageflow_actors.model.snapshot_json.refusals import refused, refused_by, shortened
    from stageflow_actors.model.snapshot_json.walk import path_to_surrogate

    if not issubclass(cls, ExtensionBundle):
        problem = f"{cls.__name__} is no ExtensionBundle."
        raise refused(("extensions",), problem, "Make it a subclass of ExtensionBundle.")
    try:
        text = to_json(data, inf_nan_mode="constants")
        return cls.model_validate_json(text, strict=True, by_name=True)
    except ValidationError as invalid:
        raise refused_by(invalid, lambda loc: ("extensions", *loc)) from None
    except ValueError as unwritable:
        path = ("extensions", *(path_to_surrogate(data) or ()))
        problem = f"{cls.__name__} cannot be read from this: {unwritable}"
        raise refused(path, shortened(problem)) from None


def to_extensions(value: Any) -> ExtensionBundle | dict[str, Any] | None:
    """``value`` where a snapshot can carry it; a dict is frozen.

    Raises:
        PydanticCustomError: it is neither a bundle nor a dict, or contains itself, or is too deep.
        ValidationError: the dict holds something else than plain data.
    """
    if value is None or isinstance(value, ExtensionBundle):
        return value
    if not isinstance(value, Mapping):
        raise PydanticCustomError(
            "extensions_type", "Input should be an ExtensionBundle of your own, or a dict"
        )
    return freeze_plain_dict(dict(value))


Extensions = Annotated[
    SerializeAsAny[ExtensionBundle] | PlainDict | None,
    PlainValidator(to_extensions, json_schema_input_type=dict[str, Any] | None),
]
"""The field of a snapshot."""
