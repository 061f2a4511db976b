"""Which version of an application this is: replicas of the same one share their runs."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterable
from importlib.metadata import version
from pathlib import Path

from stageflow_actors.model.stage import body_of
from stageflow_actors.serving.replicas.served_app import ServedApp
from stageflow_actors.serving.served import ServedPipeline

_LENGTH = 12


def version_of(app: ServedApp, pipelines: Iterable[ServedPipeline]) -> str:
    """The one that ``app`` names; else a digest of its arguments, this library's version, and the
    files of every module that belongs with the stages and is loaded here.
    """
    if app.version is not None:
        return app.version
    digest = hashlib.sha256(version("stageflow-actors").encode())
    digest.update(app.model_dump_json().encode())
    for name, path in _sources(pipelines):
        digest.update(name.encode() + b"\0" + path.read_bytes())
    for part in (part for target in app.targets() for part in target.split(":")):
        if Path(part).is_file():
            digest.update(Path(part).read_bytes())
    return digest.hexdigest()[:_LENGTH]


def _sources(pipelines: Iterable[ServedPipeline]) -> list[tuple[str, Path]]:
    """Modules of the packages that the stages come from."""
    ours = __name__.partition(".")[0]
    packages = {
        body_of(spec.runner).__module__.partition(".")[0]
        for served in pipelines
        for spec in served.graph.specs
    } - {ours, "builtins", "functools"}
    found = []
    for name, module in sorted(sys.modules.items()):
        file = getattr(module, "__file__", None)
        if name.partition(".")[0] in packages and file and Path(file).is_file():
            found.append((name, Path(file)))
    return found
