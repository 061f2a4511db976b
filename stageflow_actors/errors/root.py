"""``StageflowError``, and texts that never raise."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar, Self


def plain_text(value: object) -> str:
    """``value`` as a plain ``str``, never as an instance of a class of the user's."""
    return str.__str__(value if isinstance(value, str) else str(value))


def describe_exception(error: BaseException) -> str:
    """The text of ``error``; never raises, even where its own ``__str__`` does."""
    try:
        return plain_text(error)
    except BaseException as broken:
        return f"<the text of this {type(error).__name__} raised {type(broken).__name__}>"


def _rebuild(
    cls: type[StageflowError], args: tuple[Any, ...], state: dict[str, Any]
) -> StageflowError:
    error = cls.__new__(cls, *args)
    error.args = args
    error.__dict__.update(state)
    return error


class StageflowError(Exception):
    """Root of the tree.

    ``message`` says what happened, ``hint`` what to do next, ``code`` is stable across releases.
    Pickles without calling ``__init__`` again, so it survives any process boundary.
    """

    default_code: ClassVar[str] = "STAGEFLOW"

    message: str
    hint: str
    code: str

    def __new__(cls, *args: Any, **_kwargs: Any) -> Self:
        """Whole even where a subclass does not call our ``__init__``."""
        error = super().__new__(cls, *args)
        error.message = args[0] if args and isinstance(args[0], str) else ""
        error.hint = ""
        error.code = cls.default_code
        return error

    def __init__(self, message: str, *, hint: str = "", code: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.code = code or self.default_code

    def __str__(self) -> str:
        hint = f" {self.hint}" if self.hint else ""
        return f"{self.message}{hint} [{self.code}]"

    def __reduce__(self) -> tuple[Callable[..., StageflowError], tuple[Any, ...]]:
        return _rebuild, (type(self), self.args, self.__dict__)
