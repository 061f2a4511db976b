"""What is wrong with how data is given or read."""

from __future__ import annotations

from collections.abc import Sequence

from stageflow_actors.errors.root import StageflowError


class InvalidRunInputError(StageflowError, ValueError):
    """A run was asked for with inputs that contradict each other, or that it cannot use."""

    default_code = "RUN-INPUT"


class SnapshotError(StageflowError, ValueError):
    """A snapshot cannot be read from, or written as, JSON.

    ``path`` leads to the value at fault, as in ``conversation.messages.3.role``; it is empty where
    the text as a whole is no JSON.
    """

    default_code = "SNAPSHOT-INVALID"

    def __init__(
        self, message: str, *, path: str = "", hint: str = "", code: str | None = None
    ) -> None:
        super().__init__(message, hint=hint, code=code)
        self.path = path


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


class CleanupClosedError(StageflowError, RuntimeError):
    """A cleanup was registered after the cleanups of that stage or run had been run."""

    default_code = "CLEANUP-CLOSED"


class MissingInputError(StageflowError, KeyError):
    """The output of an optional dependency was read, and that has failed. ``reason`` says why."""

    default_code = "INPUT-MISSING"

    def __init__(self, stage: str, reason: str) -> None:
        super().__init__(
            f"Optional stage '{stage}' has no output: {reason}.",
            hint="Ask ctx.inputs.has_output(...) or ctx.inputs.missing first.",
        )
        self.stage = stage
        self.reason = reason
