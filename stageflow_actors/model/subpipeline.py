"""``SubpipelineResult``: what a stage gets of a child run that it started."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from stageflow_actors.errors import RemoteStageError
from stageflow_actors.model.results import PipelineResults, RunResult, RunStatus, StageFailure


@dataclass(frozen=True)
class SubpipelineResult:
    """How a child run ended, whatever its end; ``result`` has everything about it.

    ``pipeline`` is the name it was spawned by. Pickles whatever its stages raised: an exception
    that cannot travel is replaced by a ``RemoteStageError``, as between processes.
    """

    pipeline: str
    child_run_id: UUID
    result: RunResult

    @property
    def status(self) -> RunStatus:
        """How the child ended: ok, failed, cancelled or timed out."""
        return self.result.status

    @property
    def success(self) -> bool:
        """Whether the child completed; stages that it tolerates may have failed."""
        return self.status is RunStatus.OK

    @property
    def outputs(self) -> PipelineResults:
        """The output of every stage of the child that finished, in completion order."""
        return self.result.outputs

    @property
    def data(self) -> dict[str, Mapping[str, Any]]:
        """The data of every stage of the child that finished, in completion order."""
        return {stage: output.data for stage, output in self.outputs.items()}

    @property
    def error(self) -> str | None:
        """Why the child did not complete, as text without any exception; ``None`` if it did."""
        if self.success:
            return None
        deciding = self._deciding
        return self.result.reason or (deciding.message if deciding else "") or "no reason given"

    @property
    def code(self) -> str | None:
        """The code of the failure that ended the child; ``None`` if it was ok or cancelled."""
        return None if self._deciding is None else self._deciding.code

    @property
    def duration_ms(self) -> float:
        """Milliseconds from the acceptance of the child to its verdict."""
        return self.result.duration_ms

    def raise_for_status(self) -> SubpipelineResult:
        """Pass, if the child completed.

        Raises:
            StageExecutionError: a stage of the child failed or timed out.
            PipelineCancelled: the child was cancelled.
        """
        self.result.raise_for_status()
        return self

    @property
    def _deciding(self) -> StageFailure | None:
        """The failure that ended the run. Those of an ok or a cancelled one decided nothing."""
        if self.status in (RunStatus.OK, RunStatus.CANCELLED):
            return None
        return next(iter(self.result.failures.values()), None)

    def __reduce__(self) -> tuple[Callable[..., SubpipelineResult], tuple[Any, ...]]:
        failures = {stage: _portable(each) for stage, each in self.result.failures.items()}
        portable = replace(self.result, failures=failures)
        return type(self), (self.pipeline, self.child_run_id, portable)


def _portable(failure: StageFailure) -> StageFailure:
    """``failure`` with an exception that can be pickled and read back."""
    try:
        is_portable = type(pickle.loads(pickle.dumps(failure.original))) is type(failure.original)
    except Exception:  # user code: an exception may do anything when it is pickled, or made again
        is_portable = False
    if is_portable:
        return failure
    return replace(failure, original=RemoteStageError(failure.error_type, failure.message))
