"""The one error tree. Every error has a stable ``code``, says what happened and what to do next.

::

    StageflowError
    |-- StageDefinitionError       (ValueError)  a stage cannot be declared like this
    |-- PipelineValidationError    (ValueError)  the stages do not form a pipeline
    |   `-- CycleDetectedError                   ... because they depend on each other in a circle
    |-- InvalidRunInputError       (ValueError)  a run was asked for with contradicting inputs
    |-- UndeclaredDependencyError  (KeyError)    a stage read an output that it did not declare
    |-- AmbiguousInputError        (KeyError)    several dependencies offer the key that was read
    |-- FrozenDataError            (TypeError)   data that belongs to another stage was written to
    |-- StageCancellationRequested               raised in a stage by the cancellation checks
    |-- StageExecutionError                      a run failed; has ``results`` and ``failures``
    |-- PipelineCancelled                        a run was cancelled; has the same
    |-- stage outcomes, found as ``StageExecutionError.original``
    |   |-- StageFailedError          (RuntimeError) the stage returned ``StageOutput.fail``
    |   |-- StageReturnTypeError      (TypeError)    the stage returned something that is no output
    |   |-- StageOutputError          (ValueError)   the output cannot leave the stage
    |   |-- StageTimeoutError         (TimeoutError) the stage exceeded its ``timeout``
    |   |-- StageLostError            (RuntimeError) the stage's process died under it
    |   `-- RemoteStageError          (RuntimeError) stands for an exception that cannot be pickled
    `-- RuntimeFault                  (RuntimeError)
        |-- RayStartError                           Ray could not be started or joined
        |-- DeploymentError                         a stage could not be shipped or set up
        |-- DeploymentClosedError                   the deployment was closed
        `-- SupervisorLostError                     the supervisor's process died under the run
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any, ClassVar, Self

if TYPE_CHECKING:
    from stageflow_actors.model.results import PipelineResults, RunResult, StageFailure


def plain_text(value: object) -> str:
    """``value`` as a plain ``str``, never as an instance of a class of the user's."""
    return str.__str__(str(value))


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


class StageDefinitionError(StageflowError, ValueError):
    """A stage cannot be declared like this: its name, runner, kind or configuration is unusable."""

    default_code = "STAGE-DEFINITION"


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


class InvalidRunInputError(StageflowError, ValueError):
    """A run was asked for with inputs that contradict each other."""

    default_code = "RUN-INPUT"


class UndeclaredDependencyError(StageflowError, KeyError):
    """A stage read the output of a stage that is not among its ``dependencies``."""

    default_code = "INPUT-UNDECLARED"

    def __init__(
        self,
        stage_name: str,
        declared_deps: Sequence[str],
        accessing_stage: str,
        *,
        is_ordered: bool = False,
    ) -> None:
        declared = ", ".join(declared_deps) or "none"
        how = "which only comes before it" if is_ordered else "which it does not depend on"
        verb = f"Move '{stage_name}' from after= to" if is_ordered else f"Add '{stage_name}' to"
        super().__init__(
            f"Stage '{accessing_stage}' read stage '{stage_name}', {how} (declared: {declared}).",
            hint=f"{verb} dependencies= of '{accessing_stage}'.",
        )
        self.stage_name = stage_name
        self.declared_deps = tuple(declared_deps)
        self.accessing_stage = accessing_stage


class AmbiguousInputError(StageflowError, KeyError):
    """Several dependencies offer the key; ``stages`` names them."""

    default_code = "INPUT-AMBIGUOUS"

    def __init__(self, key: str, stages: Sequence[str]) -> None:
        super().__init__(
            f"Key '{key}' is offered by several dependencies: {', '.join(stages)}.",
            hint=f"Name the one you mean: inputs.get_from('{stages[0]}', '{key}').",
        )
        self.key = key
        self.stages = tuple(stages)


class FrozenDataError(StageflowError, TypeError):
    """Data that belongs to another stage, or to the run, is read-only."""

    default_code = "DATA-FROZEN"


class StageCancellationRequested(StageflowError):
    """The run is being cancelled; raised inside a stage by the cancellation checks it calls."""

    default_code = "STAGE-CANCELLATION"

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class StageFailedError(StageflowError, RuntimeError):
    """The stage returned ``StageOutput.fail(...)``; ``message`` is the error it gave."""

    default_code = "STAGE-FAILED"


class StageReturnTypeError(StageflowError, TypeError):
    """The stage returned something that is neither a ``StageOutput``, a ``dict`` nor ``None``."""

    default_code = "STAGE-RETURN-TYPE"


class StageOutputError(StageflowError, ValueError):
    """The stage's output cannot leave the stage: cyclic, too deep, or impossible to pickle."""

    default_code = "OUTPUT-UNPICKLABLE"


class StageTimeoutError(StageflowError, TimeoutError):
    """The stage exceeded its own ``timeout``."""

    default_code = "STAGE-TIMEOUT"


class StageLostError(StageflowError, RuntimeError):
    """The process of the stage died while it worked; whether it had finished is unknown."""

    default_code = "STAGE-LOST"


class RemoteStageError(StageflowError, RuntimeError):
    """Stands for a user's exception that could not be pickled; ``type_name`` says what it was."""

    default_code = "STAGE-ERROR-UNPICKLABLE"

    def __init__(self, type_name: str, text: str) -> None:
        super().__init__(f"{type_name}: {text}")
        self.type_name = type_name
        self.text = text


class RemoteTraceback(Exception):
    """The traceback of another process as text; the ``__cause__`` of an exception from there."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.text = text

    def __str__(self) -> str:
        return f"\n{self.text}"


class _UnsuccessfulRun(StageflowError):
    """What a failed and a cancelled run have in common: nothing that finished is lost."""

    def __init__(self, message: str, *, stage: str, result: RunResult, code: str) -> None:
        super().__init__(message, code=code)
        self.stage = stage
        self.result = result

    @property
    def results(self) -> PipelineResults:
        """The output of every stage that finished, in completion order."""
        return self.result.outputs

    @property
    def failures(self) -> dict[str, StageFailure]:
        """Every stage that failed, the deciding one first."""
        return self.result.failures


class StageExecutionError(_UnsuccessfulRun):
    """A stage failed and with it the run. ``original`` is the exception of the deciding stage."""

    default_code = "STAGE-EXECUTION"

    def __init__(self, failure: StageFailure, result: RunResult) -> None:
        super().__init__(
            f"Stage '{failure.stage}' failed: {failure.error_type}: {failure.message}",
            stage=failure.stage,
            result=result,
            code=failure.code,
        )
        self.original = failure.original
        self.__cause__ = failure.original


class PipelineCancelled(_UnsuccessfulRun):
    """The run was cancelled, by a stage or (``stage == "<external>"``) from outside."""

    default_code = "PIPELINE-CANCELLED"

    def __init__(self, stage: str, reason: str, result: RunResult) -> None:
        text = f"Pipeline cancelled by {stage}: {reason or 'no reason given'}"
        super().__init__(text, stage=stage, result=result, code=self.default_code)
        self.reason = reason


class RuntimeFault(StageflowError, RuntimeError):
    """The runtime, not a stage, could not do its work."""

    default_code = "RUNTIME"


class RayStartError(RuntimeFault):
    """Ray could not be started or joined."""

    default_code = "RUNTIME-RAY-START"


class DeploymentError(RuntimeFault):
    """A pipeline could not be deployed; ``stage`` names the culprit where there is one."""

    default_code = "DEPLOYMENT-FAILED"

    def __init__(
        self, message: str, *, stage: str = "", hint: str = "", code: str | None = None
    ) -> None:
        super().__init__(message, hint=hint, code=code)
        self.stage = stage


class DeploymentClosedError(RuntimeFault):
    """The deployment was closed, or never opened; it takes no runs."""

    default_code = "DEPLOYMENT-CLOSED"


class SupervisorLostError(RuntimeFault):
    """The supervisor's process died; the runs that it held are lost."""

    default_code = "SUPERVISOR-LOST"
