"""Import paths: from ``package.module:name`` to the object, and back."""

from __future__ import annotations

import builtins
import importlib
import importlib.util
import pkgutil
import sys
import traceback
from typing import Any, NamedTuple

from stageflow_actors.configuration.report import did_you_mean
from stageflow_actors.errors import describe_exception


class ImportProblemError(Exception):
    """An import path leads nowhere; the text says why."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


class Named(NamedTuple):
    """An object with the path that leads to it."""

    path: str
    value: Any


def imported(path: str) -> Any:
    """What ``path`` names. Its module is imported; nothing else is executed.

    Raises:
        ImportProblemError: there is no such thing, or importing it raised.
    """
    module, _colon, name = path.partition(":")
    found = _module(module)
    where = module
    for part in name.split("."):
        try:
            found = getattr(found, part)
        except AttributeError:
            known = [each for each in dir(found) if not each.startswith("_")]
            hint = did_you_mean(part, known, "Correct the name behind the colon.")
            raise ImportProblemError(f"'{where}' has no '{part}'.", hint) from None
        except Exception as error:
            raise _raised(f"Reading '{part}' of '{where}'", error) from error
        where = f"{where}.{part}"
    return found


def imported_error(path: str) -> type[BaseException]:
    """The exception class that ``path`` names; without a colon it is one of Python's own.

    Raises:
        ImportProblemError: it is none.
    """
    found = imported(path) if ":" in path else getattr(builtins, path, None)
    if isinstance(found, type) and issubclass(found, BaseException):
        return found
    if ":" in path:
        raise ImportProblemError(f"'{path}' is no exception class.")
    own = [name for name, value in vars(builtins).items() if isinstance(value, type)]
    otherwise = "Write package.module:Name where it is none of Python's own."
    raise ImportProblemError(
        f"Python has no exception '{path}'.", did_you_mean(path, own, otherwise)
    )


def path_to(value: Any) -> str:
    """The import path of a class or a function.

    Raises:
        ImportProblemError: no import would find this very object.
    """
    module, name = getattr(value, "__module__", None), getattr(value, "__qualname__", None)
    if not isinstance(module, str) or not isinstance(name, str):
        message = f"an object of class {type(value).__name__} has no import path."
        raise ImportProblemError(message, "Use a class with config=, or a function of a module.")
    if module == "builtins" and getattr(builtins, name, None) is value:
        return name
    if "<lambda>" in name:
        raise ImportProblemError("a lambda has no import path.", "Write it as a function.")
    if "<locals>" in name:
        message = f"'{name}' is made inside a function, and has no import path."
        raise ImportProblemError(message, "Define it at the top level of its module.")
    if module == "__main__":
        message = f"'{name}' is in the program itself, which has another name elsewhere."
        raise ImportProblemError(message, "Move it to a module that can be imported.")
    path = f"{module}:{name}"
    try:
        is_same = imported(path) is value
    except ImportProblemError:
        is_same = False
    if not is_same:
        message = f"'{path}' leads to something else."
        raise ImportProblemError(message, "Give each object its own name in its module.")
    return path


def _module(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as missing:
        if missing.name is not None and f"{name}.".startswith(f"{missing.name}."):
            raise _no_module(name, missing.name) from None
        raise _raised(f"Importing '{name}'", missing) from missing
    except (Exception, SystemExit) as error:
        raise _raised(f"Importing '{name}'", error) from error


def _no_module(wanted: str, missing: str) -> ImportProblemError:
    parent, _dot, last = missing.rpartition(".")
    paths = getattr(sys.modules.get(parent), "__path__", []) if parent else None
    near = did_you_mean(last, (module.name for module in pkgutil.iter_modules(paths)))
    otherwise = "Install it, or start where it can be imported."
    if near and parent:
        near = near.replace("'", f"'{parent}.", 1)
    of_wanted = "" if wanted == missing else f" (for '{wanted}')"
    return ImportProblemError(f"there is no module '{missing}'{of_wanted}.", near or otherwise)


def _raised(what: str, error: BaseException) -> ImportProblemError:
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if not frame.filename.startswith("<frozen")]
    own = [frame for frame in own if frame.filename not in (__file__, importlib.__file__)]
    place = f" ({own[-1].filename}:{own[-1].lineno})" if own else ""
    if isinstance(error, SyntaxError):
        place = f" ({error.filename}:{error.lineno})"
    told = describe_exception(error).splitlines()[:1]
    return ImportProblemError(
        f"{what} raised {type(error).__name__}: {''.join(told)}{place}.",
        "Correct it, or install what it imports.",
    )
