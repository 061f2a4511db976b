"""What a run that has ended answers: the text, the audio, the usage; or why it does not."""

from __future__ import annotations

import base64
import json
import logging
from collections.abc import Mapping
from typing import Any, NamedTuple

from stageflow_actors.model.results import RunStatus
from stageflow_actors.serving.desk import Shown
from stageflow_actors.serving.faults import SOON_S, Fault, ProblemError
from stageflow_actors.serving.openai.failures import NoAnswerError
from stageflow_actors.serving.openai.models import OutputPath

logger = logging.getLogger("stageflow_actors.serving")

Json = Mapping[str, Any]

_TEXTS = ("content", "text")
"""Where the provider records of language and speech have theirs."""


class Usage(NamedTuple):
    """Tokens that an answer has cost; the parts are those of the totals."""

    prompt: int = 0
    completion: int = 0
    cached: int | None = None
    reasoning: int | None = None

    def document(self) -> dict[str, Any]:
        """As OpenAI tells it."""
        told: dict[str, Any] = {
            "prompt_tokens": self.prompt,
            "completion_tokens": self.completion,
            "total_tokens": self.prompt + self.completion,
        }
        if self.cached is not None:
            told["prompt_tokens_details"] = {"cached_tokens": self.cached}
        if self.reasoning is not None:
            told["completion_tokens_details"] = {"reasoning_tokens": self.reasoning}
        return told


class Outcome:
    """A run that has ended, as its document says."""

    def __init__(self, shown: Shown) -> None:
        self.run_id = shown.run_id
        self._state = shown.state
        document: Json = json.loads(shown.document)
        self._result: Json = document["result"] or {}

    @property
    def declined(self) -> str | None:
        """Why a stage has ended the run without a failure, if one has."""
        if self._state != RunStatus.CANCELLED or self._result.get("stage") is None:
            return None
        return str(self._result.get("reason") or "The pipeline declined to answer.")

    def check(self) -> None:
        """Pass, if it has ended well.

        Raises:
            ProblemError: it has not.
        """
        if self._state == RunStatus.OK:
            return
        if self._state == RunStatus.TIMED_OUT:
            raise self._without_answer(504, "RUN-TIMEOUT", "The run took longer than it may.")
        if self.declined is not None:
            raise self._without_answer(422, "PIPELINE-CANCELLED", self.declined)
        if self._state == RunStatus.CANCELLED:
            raise self._without_answer(503, "PIPELINE-CANCELLED", "The run was cancelled.")
        code = self._failure_code()
        if code == Fault.REFUSED.code:  # while it waited for its turn
            raise ProblemError(Fault.REFUSED, run_id=self.run_id, retry_after_s=SOON_S)
        raise self._without_answer(500, code, "The run has failed.")

    def text(self, path: OutputPath) -> str:
        """The text there.

        Raises:
            NoAnswerError: there is none.
        """
        found = self.found(path)
        if isinstance(found, Mapping):
            found = next((found[key] for key in _TEXTS if key in found), None)
        if not isinstance(found, str):
            raise self._nothing_at(path, "text")
        return found

    def audio(self, path: OutputPath) -> bytes:
        """The bytes there.

        Raises:
            NoAnswerError: there are none.
        """
        found = self.found(path)
        if not isinstance(found, Mapping) or found.keys() != {"base64"}:
            raise self._nothing_at(path, "bytes")
        return base64.b64decode(found["base64"])

    def usage(self, path: OutputPath | None) -> Usage | None:
        """The tokens there, as OpenAI or as a provider record counts them."""
        found = None if path is None else self.found(path)
        if not isinstance(found, Mapping):
            return None
        inner = found.get("usage")
        counts = inner if isinstance(inner, Mapping) else found
        return Usage(
            _count(counts, "prompt_tokens", "input_tokens") or 0,
            _count(counts, "completion_tokens", "output_tokens") or 0,
            _count(counts, "cached_tokens"),
            _count(counts, "reasoning_tokens"),
        )

    def found(self, path: OutputPath) -> Any:
        """What stands there; ``None`` where nothing does."""
        output = self._result.get("outputs", {}).get(path.stage)
        found = None if output is None else output["data"]
        for key in path.keys:
            if not isinstance(found, Mapping):
                return None
            found = found.get(key)
        return found

    def _failure_code(self) -> str:
        """That of the stage which has ended the run, else of any that failed."""
        failures: Json = self._result.get("failures", {})
        decisive = failures.get(self._result.get("stage") or "")
        told = [decisive] if decisive else [*failures.values()]
        return str(told[0]["code"]) if told else Fault.DEFECT.code

    def _nothing_at(self, path: OutputPath, what: str) -> NoAnswerError:
        where = ".".join((path.stage, *path.keys))
        logger.error("The run %s ended without %s in %s.", self.run_id, what, where)
        return self._without_answer(500, Fault.DEFECT.code, "The run ended without an answer.")

    def _without_answer(self, status: int, code: str, message: str) -> NoAnswerError:
        return NoAnswerError(status, code, message, self.run_id)


def _count(counts: Json, *names: str) -> int | None:
    for name in names:
        found = counts.get(name)
        if type(found) is int and found >= 0:
            return found
    return None
