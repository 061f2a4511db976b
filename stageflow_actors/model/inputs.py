"""``StageInputs``: the outputs of a stage's direct dependencies, and of nothing else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple, TypeVar

from pydantic import BaseModel

from stageflow_actors.errors import (
    AmbiguousInputError,
    MissingInputError,
    UndeclaredDependencyError,
)
from stageflow_actors.model.core_ports import CorePorts
from stageflow_actors.model.output import StageOutput
from stageflow_actors.model.snapshot import ContextSnapshot

ModelT = TypeVar("ModelT", bound=BaseModel)
NOTHING_MISSING: Mapping[str, Any] = MappingProxyType({})


class MissingInput(NamedTuple):
    """Why an optional dependency has no output: ``status`` is failed, timed_out or skipped."""

    status: str
    reason: str


class StageInputs:
    """What a stage may read. Asking for any other stage is an error, for a root stage too.

    ``ports`` is what the run was started with beside data, or ``None``. ``missing`` has the
    ``optional`` dependencies that failed, or were skipped for a failure, and why.
    """

    __slots__ = ("_after", "_outputs", "_stage_name", "missing", "ports", "snapshot")

    def __init__(
        self,
        snapshot: ContextSnapshot,
        outputs: Mapping[str, StageOutput] | None = None,
        *,
        stage_name: str = "pipeline_entry",
        after: Sequence[str] = (),
        ports: CorePorts | None = None,
        missing: Mapping[str, MissingInput] = NOTHING_MISSING,
    ) -> None:
        self.snapshot = snapshot
        self.ports = ports
        self.missing = missing
        self._outputs = outputs or {}
        self._stage_name = stage_name
        self._after = after

    @property
    def outputs(self) -> Mapping[str, StageOutput]:
        """The output of each direct dependency, in the order of ``dependencies=``."""
        return MappingProxyType(dict(self._outputs))

    def get(self, key: str, default: Any = None) -> Any:
        """The value of ``key`` from whichever dependency offers it.

        Raises:
            AmbiguousInputError: several dependencies offer it.
        """
        _check_key(key)
        offering = [name for name, output in self._outputs.items() if key in output.data]
        if len(offering) > 1:
            raise AmbiguousInputError(key, offering)
        return self._outputs[offering[0]].data[key] if offering else default

    def get_from(self, stage: str, key: str, default: Any = None) -> Any:
        """The value of ``key`` in the output of ``stage``, or ``default`` where it has no such key.

        An optional dependency that is missing has no key.

        Raises:
            UndeclaredDependencyError: ``stage`` is not a dependency.
        """
        _check_key(key)
        if stage in self.missing:
            return default
        return self.get_output(stage).data.get(key, default)

    def require_from(self, stage: str, key: str) -> Any:
        """The value of ``key`` in the output of ``stage``.

        Raises:
            UndeclaredDependencyError: ``stage`` is not a dependency.
            KeyError: its output has no such key; the message lists those it has.
        """
        _check_key(key)
        data = self.get_output(stage).data
        if key not in data:
            available = ", ".join(map(str, data)) or "none"
            raise KeyError(f"Stage '{stage}' has no key '{key}'; available: {available}.")
        return data[key]

    def get_typed(self, stage: str, model: type[ModelT]) -> ModelT:
        """The data of ``stage`` as ``model``, which is a pydantic model. Converts where it may.

        Raises:
            UndeclaredDependencyError: ``stage`` is not a dependency.
            StageContractError: the data does not fit (``CONTRACT-INPUT``); it says where.
        """
        from stageflow_actors.model.checking.checks import read_as

        return read_as(model, self.get_output(stage).data, stage=stage, reader=self._stage_name)

    def has_output(self, stage: str) -> bool:
        """Whether ``stage`` is a dependency with an output."""
        return stage in self._outputs

    def get_output(self, stage: str) -> StageOutput:
        """The whole output of ``stage``.

        Raises:
            UndeclaredDependencyError: ``stage`` is not a dependency.
            MissingInputError: it is an optional one, and failed.
        """
        try:
            return self._outputs[stage]
        except KeyError:
            if stage in self.missing:
                raise MissingInputError(stage, self.missing[stage].reason) from None
            raise UndeclaredDependencyError(
                stage, tuple(self._outputs), self._stage_name, is_ordered=stage in self._after
            ) from None


def _check_key(key: object) -> None:
    if not isinstance(key, str):
        raise TypeError(f"A key is a string, got {type(key).__name__}.")
    if not key:
        raise ValueError("A key cannot be empty.")
