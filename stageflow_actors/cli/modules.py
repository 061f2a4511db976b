"""Imports the module that a target names, and says what is wrong if that does not work."""

from __future__ import annotations

import difflib
import importlib
import importlib.util
import pkgutil
import sys
import traceback
from pathlib import Path
from types import ModuleType

import cloudpickle

from stageflow_actors.cli.failure import CommandError
from stageflow_actors.cli.target import Target
from stageflow_actors.errors import describe_exception


def import_target(target: Target) -> ModuleType:
    """The module of ``target``; the current directory is importable, as it is for ``python -m``.

    Raises:
        CommandError: there is none (``CLI-MODULE``), or importing it raised (``CLI-IMPORT``).
    """
    make_importable(Path.cwd())
    try:
        if target.file is not None:
            return _from_file(target.file)
        return importlib.import_module(target.module)
    except CommandError:
        raise
    except ModuleNotFoundError as missing:
        if _is_missing(target.module, missing.name):
            raise _no_such_module(target.module, missing.name or target.module) from None
        raise _raised(target, missing) from missing
    except (Exception, SystemExit) as error:
        raise _raised(target, error) from error


def make_importable(folder: Path) -> None:
    """Modules in ``folder`` can be imported, here and in the processes of stages."""
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))


def send_code_in(folder: Path) -> None:
    """What was imported from ``folder`` travels by value: no other process has it on its path.

    Modules of the current directory need not: Ray's processes start there.
    """
    if folder == Path.cwd():
        return
    for name, module in list(sys.modules.items()):
        outermost = getattr(sys.modules.get(name.partition(".")[0]), "__file__", None)
        if outermost is None or name == "__main__":
            continue
        path = Path(outermost)
        holder = path.parent.parent if path.stem == "__init__" else path.parent
        if holder == folder:
            cloudpickle.register_pickle_by_value(module)


def _from_file(file: Path) -> ModuleType:
    """Like a script: its folder is importable, and its code travels by value."""
    if not file.is_file():
        raise _no_such_file(file)
    path = file.resolve()
    make_importable(path.parent)
    name = _free_name(path)
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise _no_such_file(file)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    cloudpickle.register_pickle_by_value(module)
    return module


def _free_name(path: Path) -> str:
    """The name of the file, unless another module has it."""
    name = path.stem
    taken = sys.modules.get(name)
    if taken is not None and getattr(taken, "__file__", None) != str(path):
        return f"{name}_from_file"
    return name


def _is_missing(wanted: str, missing: str | None) -> bool:
    """Whether the module itself, or a package that it is in, was not found."""
    return missing is not None and (wanted == missing or wanted.startswith(f"{missing}."))


def _no_such_file(file: Path) -> CommandError:
    folder = file.parent if file.parent.is_dir() else Path()
    names = [each.name for each in folder.glob("*.py")]
    near = [str(folder / name) for name in difflib.get_close_matches(file.name, names)]
    return CommandError(
        f"There is no Python file {str(file)!r}.",
        hint=_did_you_mean(near) or f"Python files in {folder.resolve()}: {_listed(names)}.",
        code="CLI-MODULE",
    )


def _no_such_module(wanted: str, missing: str) -> CommandError:
    parent, _dot, last = missing.rpartition(".")
    near = difflib.get_close_matches(last, _modules_in(parent), n=2, cutoff=0.75)
    near = [f"{parent}.{name}" if parent else name for name in near]
    rest = wanted.removeprefix(missing)
    where = f"package {parent!r}" if parent else f"{str(Path.cwd())!r} or the environment"
    return CommandError(
        f"There is no module {missing!r} in {where}.",
        hint=_did_you_mean([f"{name}{rest}" for name in near])
        or "Start the command in the folder that has it, or name the file: path/to/file.py:name.",
        code="CLI-MODULE",
    )


def _modules_in(parent: str) -> list[str]:
    """Names of the modules in a package, or of all at top level."""
    paths = getattr(sys.modules.get(parent), "__path__", []) if parent else None
    return [found.name for found in pkgutil.iter_modules(paths)]


def _did_you_mean(near: list[str]) -> str:
    return f"Did you mean {' or '.join(near)}?" if near else ""


def _listed(names: list[str]) -> str:
    return ", ".join(sorted(names)[:10]) or "none"


def _raised(target: Target, error: BaseException) -> CommandError:
    where = f"module {target.module!r}" if target.file is None else f"{str(target.file)!r}"
    return CommandError(
        f"Importing {where} raised {type(error).__name__}: "
        f"{describe_exception(error)}{_place_of(error)}",
        hint="Correct it, or install what it imports into this environment.",
        code="CLI-IMPORT",
    )


def _place_of(error: BaseException) -> str:
    """The last line of user code that the error passed."""
    if isinstance(error, SyntaxError):
        return f" ({error.filename}:{error.lineno})"
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if not frame.filename.startswith("<frozen")]
    own = [frame for frame in own if frame.filename not in (__file__, importlib.__file__)]
    return f" ({own[-1].filename}:{own[-1].lineno})" if own else ""
