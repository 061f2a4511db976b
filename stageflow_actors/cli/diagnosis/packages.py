"""Python and the packages that the library needs, or can use."""

from __future__ import annotations

import platform
import subprocess
import sys
from collections.abc import Iterator, Sequence
from importlib.metadata import PackageNotFoundError, metadata, requires, version

from packaging.requirements import Requirement

from stageflow_actors.cli.diagnosis.check import Check, Verdict

DISTRIBUTION = "stageflow-actors"
LEAST_PYTHON = (3, 11)
_NOT_FOR_USERS = frozenset({"dev"})
_IMPORT_LIMIT_S = 60


def check_python(found: tuple[int, ...] = sys.version_info[:3]) -> Check:
    """The interpreter."""
    told = f"{'.'.join(map(str, found))} ({platform.python_implementation()}, {sys.executable})"
    details = {"version": ".".join(map(str, found)), "executable": sys.executable}
    if found[:2] < LEAST_PYTHON:
        return Check("python", Verdict.BROKEN, told, "Python 3.11 or newer is needed.", details)
    return Check("python", Verdict.OK, told, details=details)


def check_packages() -> list[Check]:
    """The library itself, what it requires, and its optional parts."""
    try:
        own = version(DISTRIBUTION)
    except PackageNotFoundError:
        hint = "Install it: pip install stageflow-actors, or pip install . in its folder."
        return [Check("packages", Verdict.BROKEN, f"{DISTRIBUTION} is not installed", hint)]
    required = [Requirement(text) for text in requires(DISTRIBUTION) or ()]
    needed = [each for each in required if _applies(each, "")]
    checks = [_needed(own, needed)]
    for extra in metadata(DISTRIBUTION).get_all("Provides-Extra") or ():
        parts = [each for each in required if _applies(each, extra) and not _applies(each, "")]
        if parts and extra not in _NOT_FOR_USERS:
            checks.append(_optional(extra, parts))
    return checks


def check_ray_import() -> Check:
    """Whether Ray can be imported; in a process of its own, as a broken one may end its process."""
    code = "import ray; print(ray.__version__)"
    try:
        tried = subprocess.run(  # noqa: S603 - this interpreter, this text
            [sys.executable, "-c", code],
            capture_output=True,
            text=True,
            timeout=_IMPORT_LIMIT_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        told = f"importing it takes longer than {_IMPORT_LIMIT_S} s"
        return Check("ray", Verdict.BROKEN, told, "Is its folder on a slow disk?")
    if tried.returncode == 0:
        found = tried.stdout.split()[-1]
        return Check("ray", Verdict.OK, f"{found}, can be imported", details={"version": found})
    last = (tried.stderr.strip().splitlines() or [f"exit code {tried.returncode}"])[-1]
    return Check(
        "ray",
        Verdict.BROKEN,
        f"cannot be imported: {last}",
        "Reinstall it: pip install --force-reinstall ray. LocalRuntime() works without it.",
        {"error": last},
    )


def _needed(own: str, needed: Sequence[Requirement]) -> Check:
    wrong = [text for each in needed for text in _problems(each)]
    versions = {each.name: _version_of(each.name) for each in needed}
    details = {"stageflow-actors": own, **versions}
    if wrong:
        hint = "Install what is required: pip install --upgrade stageflow-actors"
        return Check("packages", Verdict.BROKEN, "; ".join(wrong), hint, details)
    told = ", ".join(f"{name} {found}" for name, found in details.items())
    return Check("packages", Verdict.OK, told, details=details)


def _optional(extra: str, parts: Sequence[Requirement]) -> Check:
    wrong = [text for each in parts for text in _problems(each)]
    versions = {each.name: _version_of(each.name) for each in parts}
    details = {"versions": versions, "missing": wrong}
    if wrong:
        told = f"not usable: {'; '.join(wrong[:3])}" + (" ..." if len(wrong) > 3 else "")
        hint = f"If you want it: pip install 'stageflow-actors[{extra}]'"
        return Check(f"extra {extra}", Verdict.NOTE, told, hint, details)
    told = ", ".join(f"{name} {found}" for name, found in versions.items())
    return Check(f"extra {extra}", Verdict.OK, told, details=details)


def _problems(requirement: Requirement) -> Iterator[str]:
    """What of ``requirement`` is not fulfilled here; its own extras are looked at, too."""
    found = _version_of(requirement.name)
    if found is None:
        yield f"{requirement.name} is missing"
    elif not requirement.specifier.contains(found, prereleases=True):
        yield f"{requirement.name} {found} does not fulfil {requirement.specifier}"
    elif requirement.extras:
        for text in requires(requirement.name) or ():
            part = Requirement(text)
            if not _applies(part, "") and any(_applies(part, e) for e in requirement.extras):
                yield from _problems(part)


def _applies(requirement: Requirement, extra: str) -> bool:
    return requirement.marker is None or requirement.marker.evaluate({"extra": extra})


def _version_of(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
