"""``TypedStageOutput``: outputs whose data is a model's, made inside a stage."""

from __future__ import annotations

import inspect
import math
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any, Generic, TypeAlias

from pydantic import BaseModel

from stageflow_actors.contracts.registry import ContractMetadata, ContractRegistry
from stageflow_actors.errors import StageContractError, StageDefinitionError, StageReturnTypeError
from stageflow_actors.model.checking.checks import contract_error
from stageflow_actors.model.checking.locations import Path, path_text
from stageflow_actors.model.checking.validation import ModelT, validate
from stageflow_actors.model.checking.violations import Violation, of_exception
from stageflow_actors.model.identity import utc_now
from stageflow_actors.model.output import StageOutput

Payload: TypeAlias = Mapping[str, Any] | ModelT
PayloadSource: TypeAlias = (
    Payload[ModelT] | Awaitable[Payload[ModelT]] | Callable[[], Awaitable[Payload[ModelT]]]
)
"""A payload, or where it comes from: something to await, or a function that gives that."""


def timestamp_version() -> str:
    """The current time as a version: UTC to the microsecond. Later ones sort after earlier ones."""
    return utc_now().strftime("%Y-%m-%dT%H:%M:%S.%fZ")


class TypedStageOutput(Generic[ModelT]):
    """Makes outputs whose data is the JSON form of ``model``.

    ``strict`` refuses what would have to be converted; without it the model's config decides.
    ``context`` is handed to the model's validators and serializers. An output has the version
    given to ``ok``, else ``default_version``, else what ``version_factory`` returns.
    """

    timestamp_version = staticmethod(timestamp_version)

    def __init__(
        self,
        model: type[ModelT],
        *,
        strict: bool = False,
        context: Mapping[str, Any] | None = None,
        default_version: str | None = None,
        version_factory: Callable[[], str] | None = None,
    ) -> None:
        if not (isinstance(model, type) and issubclass(model, BaseModel)):
            raise StageDefinitionError(
                f"TypedStageOutput was given {model!r}, which is no model.",
                hint="Pass a class derived from pydantic.BaseModel.",
            )
        if default_version is not None and version_factory is not None:
            raise StageDefinitionError(
                f"TypedStageOutput({model.__name__}) was given both default_version= and "
                "version_factory=.",
                hint="Pass one of the two.",
            )
        self.model = model
        self._strict = strict
        self._context = context
        self._default_version = default_version
        self._version_factory = version_factory

    def validate(self, payload: Payload[ModelT]) -> ModelT:
        """``payload``, a mapping or already the model, as the model.

        Raises:
            StageReturnTypeError: it is neither.
            StageContractError: it does not fit the model; the error says where.
        """
        if not isinstance(payload, (Mapping, self.model)):
            raise StageReturnTypeError(
                f"The payload is {type(payload).__qualname__}, which is neither a mapping nor "
                f"{self.model.__name__}.",
                hint=f"Pass a dict of the fields of {self.model.__name__}, or an instance of it.",
            )
        verdict = validate(
            self.model, payload, strict=True if self._strict else None, context=self._context
        )
        if isinstance(verdict, Violation):
            raise self._error("is no", verdict) from verdict.cause
        return verdict

    def serialize(self, payload: Payload[ModelT]) -> dict[str, Any]:
        """``payload`` validated, as JSON-ready data under the keys of the model's JSON Schema.

        Computed fields are in it, unless the model forbids keys that it does not declare.

        Raises:
            StageReturnTypeError: it is neither a mapping nor the model, or its form is no mapping.
            StageContractError: it does not fit the model, or has no form in JSON.
        """
        form = self._dump(self.validate(payload))
        if not isinstance(form, dict):
            raise StageReturnTypeError(
                f"{self.model.__name__} is written as {type(form).__qualname__}, no mapping.",
                hint="The data of a stage is a mapping: put the value under a key.",
            )
        path = _path_to_non_finite(form)
        if path is not None:
            where = path_text(path)
            found = Violation(where, "a finite number", "NaN or Infinity", "finite_number")
            raise self._error("has no JSON form as", found)
        return form

    def ok(self, payload: Payload[ModelT], *, version: str | None = None) -> StageOutput:
        """An ok output with ``payload`` serialized, and a version.

        Raises:
            StageReturnTypeError, StageContractError: see ``serialize``.
        """
        return StageOutput.ok(self.serialize(payload), version=self._version(version))

    async def validate_async(self, source: PayloadSource[ModelT]) -> ModelT:
        """``validate`` of what ``source`` gives."""
        return self.validate(await _payload_of(source))

    async def serialize_async(self, source: PayloadSource[ModelT]) -> dict[str, Any]:
        """``serialize`` of what ``source`` gives."""
        return self.serialize(await _payload_of(source))

    async def ok_async(
        self, source: PayloadSource[ModelT], *, version: str | None = None
    ) -> StageOutput:
        """``ok`` of what ``source`` gives."""
        return self.ok(await _payload_of(source), version=version)

    def register_contract(
        self,
        registry: ContractRegistry,
        *,
        stage: str,
        version: str | None = None,
        description: str | None = None,
    ) -> ContractMetadata:
        """Register the model as the contract of ``stage``, under ``version`` or that of outputs.

        Raises:
            StageDefinitionError: there is no version, or another model has it.
        """
        named = self._version(version)
        if named is None:
            raise StageDefinitionError(
                f"The contract {self.model.__name__} of stage '{stage}' has no version.",
                hint="Pass version=, or give TypedStageOutput a default_version=.",
            )
        return registry.register(
            stage=stage, version=named, model=self.model, description=description
        )

    def _version(self, given: str | None) -> str | None:
        if given is not None or self._version_factory is None:
            return given if given is not None else self._default_version
        return self._version_factory()

    def _dump(self, instance: ModelT) -> Any:
        config = self.model.model_config
        try:
            return instance.model_dump(
                mode="json",
                by_alias=config.get("serialize_by_alias", True),
                context=self._context,
                round_trip=config.get("extra") == "forbid",
            )
        except Exception as error:
            found = replace(
                of_exception(error, self.model, vars(instance)),
                path=self._field_without_form(instance),
                expected="a value that JSON has a form for",
                kind="json_form",
            )
        raise self._error("has no JSON form as", found) from found.cause

    def _field_without_form(self, instance: ModelT) -> str:
        for name in (*self.model.model_fields, *self.model.model_computed_fields):
            try:
                instance.model_dump(mode="json", include={name}, context=self._context)
            except Exception:
                return name
        return ""

    def _error(self, what: str, violation: Violation) -> StageContractError:
        is_strict = self._strict or bool(self.model.model_config.get("strict"))
        subject = f"The payload {what} {self.model.__name__}"
        return contract_error(subject, violation, is_strict=is_strict)


async def _payload_of(source: PayloadSource[ModelT]) -> Payload[ModelT]:
    if callable(source) and not isinstance(source, (Mapping, BaseModel)):
        source = source()
    if inspect.isawaitable(source):
        source = await source
    return source


def _path_to_non_finite(value: Any) -> Path | None:
    """Where in JSON-ready data the first NaN or Infinity is."""
    parts: Iterable[tuple[Any, Any]]
    if isinstance(value, dict):
        parts = value.items()
    elif isinstance(value, list):
        if all(type(part) is float and math.isfinite(part) for part in value):
            return None  # a vector; vectors are long
        parts = enumerate(value)
    else:
        return () if isinstance(value, float) and not math.isfinite(value) else None
    for key, part in parts:
        path = _path_to_non_finite(part) if isinstance(part, (dict, list, float)) else None
        if path is not None:
            return (key, *path)
    return None
