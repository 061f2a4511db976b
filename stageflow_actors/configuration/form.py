"""What every pipeline can do with files: come from one, and be written as one."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Self, TypedDict

from stageflow_actors.model.plan import DEFAULT_EXECUTION
from stageflow_actors.model.policies.execution import ExecutionConfig

if TYPE_CHECKING:
    from stageflow_actors.configuration.whole import FilePipeline, Whole
    from stageflow_actors.model.stage import StageRunner, StageSpec


class GraphOptions(TypedDict):
    """What a graph is built with, beside its stages."""

    execution: ExecutionConfig
    interceptors: Iterable[Any] | None


class FileForm:
    """A pipeline as a file: part of ``Pipeline``."""

    _whole: Whole | None = None

    if TYPE_CHECKING:  # what a pipeline has
        name: str

        def __init__(self, name: str) -> None: ...
        def with_stages(self, *stages: StageSpec | StageRunner) -> Self: ...
        def declared(self) -> list[StageSpec]: ...

    @classmethod
    def from_file(
        cls,
        path: str | os.PathLike[str],
        name: str | None = None,
        *,
        environment: Mapping[str, str] | None = None,
    ) -> Self:
        """The pipeline that a YAML or TOML file declares; ``name`` says which, of several.

        ``environment`` has the variables that override values of the file and that it refers to;
        those of the process by default. Nothing is executed but the imports that the file names.

        Raises:
            ConfigurationError: the file cannot be used; ``problems`` has all that is wrong.
        """
        from stageflow_actors.configuration.reading import read_pipeline

        return cls.from_declared(read_pipeline(path, name, environment))

    @classmethod
    def from_declared(cls, declared: FilePipeline) -> Self:
        """The pipeline that was read from a file."""
        pipeline = cls(declared.name)
        pipeline._whole = declared.whole
        return pipeline.with_stages(*declared.specs)

    def to_yaml(self) -> str:
        """The pipeline as the text of a file, so that ``from_file`` gives an equal one.

        Constructor arguments and environment variables of processes are written as they are,
        secrets included.

        Raises:
            ConfigurationError: a part cannot be written, such as a lambda
                (``CONFIG-UNWRITABLE``); ``problems`` names each with its stage.
        """
        from stageflow_actors.configuration.writing import to_yaml

        return to_yaml(self.name, self.declared(), self._whole)

    def _empty(self, name: str) -> Self:
        """A pipeline without stages; what was said of the whole of this one counts for it."""
        empty = type(self)(name)
        empty._whole = self._whole
        return empty

    def _graph_options(
        self,
        execution: ExecutionConfig = DEFAULT_EXECUTION,
        interceptors: Iterable[Any] | None = None,
    ) -> GraphOptions:
        """What is given, and else what a file says."""
        if self._whole is not None:
            execution = self._whole.execution if execution is DEFAULT_EXECUTION else execution
            interceptors = self._whole.objects if interceptors is None else interceptors
        return {"execution": execution, "interceptors": interceptors}
