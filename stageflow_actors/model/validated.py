"""``FrozenModel``: typed data that cannot change, and that nothing makes without validation."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NoReturn, Self, TypeVar

from pydantic import BaseModel, ConfigDict

from stageflow_actors.errors import FrozenDataError


class ValidatedModel(BaseModel):
    """Immutable fields; every way to make one validates. Unknown fields are refused.

    The validator of a class is built at its first use, so that importing stays cheap.
    """

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        revalidate_instances="subclass-instances",
        defer_build=True,
    )

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """A copy, validated as a whole, with the fields in ``update`` changed.

        Raises:
            pydantic.ValidationError: ``update`` names an unknown field or has an unfit value.
        """
        copied = super().model_copy(deep=deep)
        return copied._with_fields(update) if update else copied

    @classmethod
    def model_construct(cls, _fields_set: set[str] | None = None, **values: Any) -> Self:
        """The same as the constructor: there is no instance without validation.

        Raises:
            pydantic.ValidationError: a value does not fit.
        """
        return cls.model_validate(values, by_name=True)

    def copy(self, **_options: Any) -> NoReturn:
        """Refused: it would validate nothing.

        Raises:
            FrozenDataError: always.
        """
        raise FrozenDataError(
            f"copy() would make a {type(self).__name__} without validation.",
            hint="Use model_copy(update={...}).",
        )

    def _with_fields(self, changed: Mapping[str, Any]) -> Self:
        """The same instance, which nobody else has seen yet, with validated fields."""
        cls = type(self)
        values = self.__dict__
        fields = {name: values[name] for name in cls.__pydantic_fields__}
        validated = cls.model_validate({**fields, **changed}, by_name=True)
        object.__setattr__(self, "__dict__", validated.__dict__)
        object.__setattr__(
            self, "__pydantic_fields_set__", self.__pydantic_fields_set__ | changed.keys()
        )
        return self


class FrozenModel(ValidatedModel):
    """Frozen all the way down: copies are, too. Pickles as the bare values of its fields."""

    def __deepcopy__(self, memo: dict[int, Any] | None = None) -> Self:
        # Copies of frozen containers are plain ones: only validation freezes them again.
        return super().__deepcopy__(memo)._with_fields({})

    def __reduce_ex__(self, protocol: Any) -> Any:
        cls = type(self)
        has_more = self.__pydantic_private__ is not None or self.__pydantic_extra__ is not None
        if has_more or self.__dict__.keys() != cls.__pydantic_fields__.keys():
            return super().__reduce_ex__(protocol)
        return revive, (cls, *self.packed())

    def packed(self) -> tuple[Any, ...]:
        """What ``revive`` takes beside the class: of each field, in their order."""
        values = self.__dict__
        return tuple([values[name] for name in type(self).__pydantic_fields__])

    @classmethod
    def unpacked(cls, packed: tuple[Any, ...]) -> tuple[Any, ...]:
        """The values of the fields, in their order."""
        return packed


Model = TypeVar("Model", bound=FrozenModel)


def revive(cls: type[Model], *packed: Any) -> Model:
    """The instance that ``packed()`` was called on; it was validated when it was made.

    All its fields count as set.
    """
    names = cls.__pydantic_fields__
    model = cls.__new__(cls)
    write: Callable[[Any, str, Any], None] = object.__setattr__
    write(model, "__dict__", dict(zip(names, cls.unpacked(packed), strict=True)))
    write(model, "__pydantic_fields_set__", {*names})
    write(model, "__pydantic_extra__", None)
    write(model, "__pydantic_private__", None)
    return model
