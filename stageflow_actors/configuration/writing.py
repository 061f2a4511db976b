"""Writes a pipeline as YAML that reads back as an equal one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from enum import Enum
from typing import Any

import yaml

from stageflow_actors.configuration.imports import ImportProblemError, path_to
from stageflow_actors.configuration.interpolation import escaped
from stageflow_actors.configuration.places import Path, shown_path
from stageflow_actors.configuration.whole import Whole
from stageflow_actors.errors import ConfigurationError, ConfigurationProblem, StageDefinitionError
from stageflow_actors.model.declaration import StageOptions, declare_stage
from stageflow_actors.model.policies.execution import ExecutionConfig
from stageflow_actors.model.stage import StageSpec

_UNSAID = object()
_FREE = (("config",), ("fallback",))
"""Options whose data is the user's own, where nothing stands for something else."""


def to_yaml(name: str, specs: Sequence[StageSpec], whole: Whole | None) -> str:
    """The text of a file that declares this pipeline.

    Raises:
        ConfigurationError: a part cannot be written (``CONFIG-UNWRITABLE``).
    """
    writer = _Writer()
    data: dict[str, Any] = {"name": writer.plain(name, ("name",))}
    if whole is not None:
        data |= writer.whole(whole)
    data["stages"] = {spec.name: writer.stage(spec, ("stages", spec.name)) for spec in specs}
    writer.check(name)
    return str(yaml.dump(data, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=100))


class _Dumper(yaml.SafeDumper):
    """Writes texts so that they read back: what cannot be seen is escaped."""

    def represent_text(self, text: str) -> yaml.ScalarNode:
        style = None
        if not text.isprintable():
            is_block = "\n" in text and text.replace("\n", "").isprintable()
            style = "|" if is_block else '"'
        return self.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _Dumper.represent_text)


class _Writer:
    """One pipeline; collects what cannot be written."""

    def __init__(self) -> None:
        self.problems: list[ConfigurationProblem] = []

    def check(self, name: str) -> None:
        if self.problems:
            what = f"Writing pipeline '{name}'"
            raise ConfigurationError(what, self.problems, code="CONFIG-UNWRITABLE")

    def whole(self, whole: Whole) -> dict[str, Any]:
        data: dict[str, Any] = {}
        execution = self._fields(whole.execution, ExecutionConfig(), ("execution",))
        if execution:
            data["execution"] = execution
        if whole.interceptors is not None:
            data["interceptors"] = [each.path for each in whole.interceptors]
        return data

    def stage(self, spec: StageSpec, path: Path) -> dict[str, Any]:
        """What differs from what reading would make of the runner and the kind alone."""
        data = {"runner": self._runner(spec, path), "kind": spec.kind.value}
        try:
            unsaid: Any = declare_stage(spec.name, spec.runner, spec.kind, StageOptions())
        except StageDefinitionError:  # what @stage says of it makes sense with more only
            unsaid = None
        for field in fields(StageSpec):
            if field.name in ("name", "runner", "kind"):
                continue
            value = getattr(spec, field.name)
            usual = _UNSAID if unsaid is None else getattr(unsaid, field.name)
            if value != usual:
                data[field.name] = self.plain(value, (*path, field.name))
        return data

    def plain(self, value: Any, path: Path) -> Any:
        """``value`` from what YAML has; what it has not is noted."""
        if isinstance(value, Enum):
            return value.value
        if value is None or type(value) in (bool, int, float):
            return value
        if type(value) is str:
            return escaped(value)
        if isinstance(value, Mapping):
            return self._mapping(value, path)
        is_free = path[2:3] in _FREE
        if isinstance(value, list) or (isinstance(value, tuple) and not is_free):
            return [self.plain(each, (*path, at)) for at, each in enumerate(value)]
        if is_dataclass(value) and not isinstance(value, type) and not is_free:
            return self._fields(value, None, path)
        if callable(value) and not is_free:
            return self._import_path(value, path)
        self._refuse(
            path,
            f"an object of class {type(value).__name__} cannot be written.",
            "Use texts, numbers, booleans, None, lists and mappings with texts as keys.",
        )
        return None

    def _mapping(self, value: Mapping[Any, Any], path: Path) -> dict[str, Any]:
        data = {}
        for key, each in value.items():
            if type(key) is str:
                data[key] = self.plain(each, (*path, key))
            else:
                self._refuse(path, f"the key {key!a:.60} cannot be written.", "Use texts as keys.")
        return data

    def _fields(self, value: Any, usual: Any, path: Path) -> dict[str, Any]:
        """Those of a policy that differ from its defaults."""
        data = {}
        for field in fields(value):
            given = getattr(value, field.name)
            if usual is not None:
                default = getattr(usual, field.name)
            elif callable(field.default_factory):
                default = field.default_factory()
            else:
                default = field.default
            if given != default:
                data[field.name] = self.plain(given, (*path, field.name))
        return data

    def _runner(self, spec: StageSpec, path: Path) -> str | None:
        if not isinstance(spec.runner, type) and not hasattr(spec.runner, "__qualname__"):
            name = type(spec.runner).__name__
            self._refuse(
                (*path, "runner"),
                f"stage '{spec.name}' is an instance of {name}.",
                f"Declare the class with config=: with_stage('{spec.name}', {name}, ...).",
            )
            return None
        return self._import_path(spec.runner, (*path, "runner"))

    def _import_path(self, value: Any, path: Path) -> str | None:
        try:
            return path_to(value)
        except ImportProblemError as problem:
            self._refuse(path, str(problem), problem.hint)
            return None

    def _refuse(self, path: Path, message: str, hint: str) -> None:
        problem = ConfigurationProblem(
            message, path=shown_path(path), hint=hint, code="CONFIG-UNWRITABLE"
        )
        self.problems.append(problem)
