"""What is wrong with a pipeline before it runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from stageflow_actors.errors.root import StageflowError


class StageDefinitionError(StageflowError, ValueError):
    """A stage cannot be declared like this: its name, runner, kind or configuration is unusable."""

    default_code = "STAGE-DEFINITION"


class PolicyError(StageDefinitionError):
    """A policy that cannot be: zero attempts, negative times, a stage that does not exist."""

    default_code = "POLICY-INVALID"


@dataclass(frozen=True)
class ContractErrorInfo:
    """Machine-readable description of a broken contract: stable code, summary, fix, context."""

    code: str
    summary: str
    fix_hint: str
    context: Mapping[str, Any] = field(default_factory=dict)

    def with_context(self, **context: Any) -> ContractErrorInfo:
        """A copy with ``context`` added."""
        return replace(self, context={**self.context, **context})

    def to_dict(self) -> dict[str, Any]:
        """Plain, JSON-ready form."""
        return asdict(self)


class PipelineValidationError(StageflowError, ValueError):
    """The stages do not form a pipeline. ``stages`` names those involved."""

    def __init__(self, message: str, *, stages: Sequence[str], info: ContractErrorInfo) -> None:
        super().__init__(message, hint=info.fix_hint, code=info.code)
        self.stages = list(stages)
        self.error_info = info

    def to_dict(self) -> dict[str, Any]:
        """Plain, JSON-ready form."""
        return {
            "message": self.message,
            "stages": self.stages,
            "error_info": self.error_info.to_dict(),
        }


class CycleDetectedError(PipelineValidationError):
    """Stages depend on each other in a circle; ``cycle_path`` walks it and ends where it began."""

    def __init__(self, cycle_path: Sequence[str]) -> None:
        path = list(cycle_path)
        super().__init__(
            f"Stages depend on each other in a circle: {' -> '.join(path)}.",
            stages=path[:-1],
            info=ContractErrorInfo(
                code="CONTRACT-004-CYCLE",
                summary="The dependencies form a circle",
                fix_hint="Remove one dependency on this path.",
                context={"cycle_path": path},
            ),
        )
        self.cycle_path = path
