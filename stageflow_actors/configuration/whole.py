"""What a file says of a pipeline as a whole, beside its stages."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from stageflow_actors.configuration.imports import Named
from stageflow_actors.model.plan import DEFAULT_EXECUTION
from stageflow_actors.model.policies.execution import ExecutionConfig
from stageflow_actors.model.stage import StageSpec


@dataclass(frozen=True, slots=True)
class Whole:
    """``interceptors`` are ``None`` where those that come along are meant."""

    execution: ExecutionConfig = DEFAULT_EXECUTION
    interceptors: tuple[Named, ...] | None = None

    @property
    def objects(self) -> tuple[Any, ...] | None:
        """The interceptors themselves."""
        return None if self.interceptors is None else tuple(n.value for n in self.interceptors)


@dataclass(frozen=True, slots=True)
class FilePipeline:
    """A pipeline as a file declares it: it builds."""

    name: str
    specs: tuple[StageSpec, ...]
    whole: Whole
