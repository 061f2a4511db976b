"""Answers of a transcription, in the forms that clients ask for."""

from __future__ import annotations

import json
from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from starlette.responses import Response

from stageflow_actors.serving.openai.declaration import Endpoint
from stageflow_actors.serving.openai.failures import REQUEST_ID
from stageflow_actors.serving.openai.forms import TranscriptionForm, wrong_field
from stageflow_actors.serving.openai.models import Model
from stageflow_actors.serving.openai.outcomes import Outcome


class TranscriptFormat(StrEnum):
    """What a transcript is written in."""

    JSON = "json"
    TEXT = "text"
    VERBOSE_JSON = "verbose_json"


def transcript_format(form: TranscriptionForm) -> TranscriptFormat:
    """What the form asks for.

    Raises:
        ProblemError: there is no such format here, or the answer should be streamed.
    """
    if (form.field("stream") or "false").lower() not in ("false", "0"):
        raise wrong_field("stream", "A transcript comes as a whole.")
    asked = form.field("response_format") or TranscriptFormat.JSON.value
    if asked not in list(TranscriptFormat):
        raise wrong_field("response_format", f"It is one of {', '.join(TranscriptFormat)}.")
    return TranscriptFormat(asked)


def transcript(
    model: Model, outcome: Outcome, form: TranscriptionForm, format_: TranscriptFormat
) -> Response:
    """The answer.

    Raises:
        NoAnswerError: the run has none.
    """
    outcome.check()
    path = model.paths[Endpoint.TRANSCRIPTION]
    text = outcome.text(path)
    headers = {REQUEST_ID: str(outcome.run_id)}
    if format_ is TranscriptFormat.TEXT:
        return Response(text, headers=headers, media_type="text/plain")
    told: dict[str, Any] = {"text": text}
    if format_ is TranscriptFormat.VERBOSE_JSON:
        told |= _details(outcome.found(path), form)
    return Response(json.dumps(told, ensure_ascii=True), 200, headers, "application/json")


def _details(found: Any, form: TranscriptionForm) -> dict[str, Any]:
    """What a record of speech says beside its text; ``duration`` is 0 where nobody measured it."""
    record: Mapping[str, Any] = found if isinstance(found, Mapping) else {}
    length_ms = record.get("duration_ms")
    return {
        "task": "transcribe",
        "language": record.get("language") or form.field("language") or "",
        "duration": length_ms / 1000 if isinstance(length_ms, int | float) else 0.0,
        "words": [_word(each) for each in record.get("words") or [] if isinstance(each, Mapping)],
    }


def _word(word: Mapping[str, Any]) -> dict[str, Any]:
    """A word and its times in seconds, which records keep in forms of their own."""
    return {
        "word": str(word.get("word", "")),
        "start": word.get("start", word.get("start_s", 0.0)),
        "end": word.get("end", word.get("end_s", 0.0)),
    }
