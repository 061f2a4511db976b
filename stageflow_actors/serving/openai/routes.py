"""The routes of the OpenAI API: models, chat, speech to text, text to speech."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Mapping
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from stageflow_actors.serving.bodies import RunBody, in_form, object_of, read_body
from stageflow_actors.serving.desk import RunOrder
from stageflow_actors.serving.faults import Fault, ProblemError
from stageflow_actors.serving.guarded import GuardedRoute, caller_of, service_of
from stageflow_actors.serving.openai.chats import ChatStream, completion
from stageflow_actors.serving.openai.declaration import Endpoint, SpeechFormat
from stageflow_actors.serving.openai.failures import REQUEST_ID, failure_of
from stageflow_actors.serving.openai.following import Following
from stageflow_actors.serving.openai.forms import read_form, wrong_field
from stageflow_actors.serving.openai.models import Model, model_for, models_of, unknown_model
from stageflow_actors.serving.openai.outcomes import Outcome
from stageflow_actors.serving.openai.requests import ChatRequest, SpeechRequest
from stageflow_actors.serving.openai.speeches import SpeechStream
from stageflow_actors.serving.openai.transcripts import transcript, transcript_format
from stageflow_actors.serving.orders import terms_of
from stageflow_actors.serving.presence import while_there
from stageflow_actors.serving.request_trace import note_run
from stageflow_actors.serving.served import ServedPipeline
from stageflow_actors.serving.service import Service


class OpenAIRoute(GuardedRoute):
    """A route that says in OpenAI's form why there is no answer."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # In a path that is asked for, a name may have any character, the end of a line, too.
        self.path_regex = re.compile(self.path_regex.pattern, re.DOTALL)

    def refusal(self, problem: ProblemError, _request: Request) -> Response:
        return failure_of(problem).response()


def openai_router(pipelines: Mapping[str, ServedPipeline]) -> APIRouter:
    """The routes; where no pipeline declares a model, they know none.

    Raises:
        ServingError: a model cannot be served as it is declared (``SERVE-OPENAI``).
    """
    door = _OpenAIDoor(models_of(pipelines))
    router = APIRouter(route_class=OpenAIRoute, tags=["openai"])
    router.add_api_route(
        "/v1/models", door.list_models, methods=["GET"], summary="Which models there are"
    )
    router.add_api_route(
        "/v1/models/{model:path}", door.get_model, methods=["GET"], summary="One model"
    )
    router.add_api_route(
        "/v1/chat/completions", door.chat, methods=["POST"], summary="Answer a chat"
    )
    router.add_api_route(
        "/v1/audio/transcriptions", door.transcribe, methods=["POST"], summary="Speech to text"
    )
    router.add_api_route("/v1/audio/speech", door.speak, methods=["POST"], summary="Text to speech")
    return router


class _OpenAIDoor:
    """The endpoints of an application."""

    def __init__(self, models: Mapping[str, Model]) -> None:
        self._models = models
        self._created = int(time.time())

    async def list_models(self, request: Request) -> Response:
        """Every model that can be asked."""
        return _json({"object": "list", "data": [self._told(each) for each in self._models]})

    async def get_model(self, model: str, request: Request) -> Response:
        """One model, if there is one of that name."""
        if model not in self._models:
            raise unknown_model()
        return _json(self._told(model))

    async def chat(self, request: Request) -> Response:
        """Answer a chat, as a whole or, with `stream`, in chunks as server-sent events.

        `Stageflow-Timeout` and `Idempotency-Key` are those of runs.
        """
        service, tenant = service_of(request), caller_of(request).tenant
        content = await read_body(request, service.settings)
        asked = object_of(content, service.settings)
        wanted = in_form(ChatRequest, asked)
        model = model_for(self._models, wanted.model, Endpoint.CHAT)
        order = _order(request, model, wanted.run_body(asked), content, len(content))
        if not wanted.stream:
            outcome = await _ended(request, model, order)
            return _json(completion(model, outcome), outcome)
        run = _following(service, model, order)
        return ChatStream(service, tenant, run, model, wants_usage=wanted.wants_usage)

    async def transcribe(self, request: Request) -> Response:
        """Hear a recording. Stages find its bytes in `data["audio"]`."""
        form = await read_form(request, service_of(request).settings)
        name = form.field("model")
        if name is None:
            raise wrong_field("model", "Field required")
        model = model_for(self._models, name, Endpoint.TRANSCRIPTION)
        format_ = transcript_format(form)
        order = _order(request, model, form.run_body(), form.digest(), len(form.audio))
        outcome = await _ended(request, model, order)
        return transcript(model, outcome, form, format_)

    async def speak(self, request: Request) -> Response:
        """Speak a text: bytes, as they are made."""
        service, tenant = service_of(request), caller_of(request).tenant
        content = await read_body(request, service.settings)
        asked = object_of(content, service.settings)
        wanted = in_form(SpeechRequest, asked)
        model = model_for(self._models, wanted.model, Endpoint.SPEECH)
        format_ = _speech_format(model, wanted)
        order = _order(request, model, wanted.run_body(asked), content, len(content))
        return SpeechStream(service, tenant, _following(service, model, order), model, format_)

    def _told(self, name: str) -> dict[str, Any]:
        owner = self._models[name].pipeline
        return {"id": name, "object": "model", "created": self._created, "owned_by": owner}


def _order(request: Request, model: Model, body: RunBody, same: bytes, size: int) -> RunOrder:
    """The run that is asked for; ``same`` is what has to be the same each time with a key."""
    return terms_of(request).order(
        body,
        f"{request.url.path} {model.pipeline}",
        same,
        size=size,
        is_cancelled_when_left=model.is_cancelled_when_left,
    )


async def _ended(request: Request, model: Model, order: RunOrder) -> Outcome:
    """The run, once it has ended. A client that goes away leaves it as the pipeline says."""
    desk = service_of(request).desk(model.pipeline)
    shown = await while_there(request.scope, request.receive, desk.run(order, None))
    note_run(request.scope, shown.run_id)
    return Outcome(shown)


def _following(service: Service, model: Model, order: RunOrder) -> Following:
    desk, cancels = service.desk(model.pipeline), order.ends_with_its_client
    return Following(desk, order, wait_s=service.settings.heartbeat_s, cancels=cancels)


def _speech_format(model: Model, wanted: SpeechRequest) -> SpeechFormat:
    """What the speech is to be written in; the model's own, where nobody asks for another."""
    if wanted.stream_format not in (None, "audio"):
        raise ProblemError(Fault.INPUT, "Speech is streamed as audio.", param="stream_format")
    made = model.declared.formats()
    if wanted.response_format is None:
        return made[0]
    if wanted.response_format not in made:
        detail = f"This model speaks in {', '.join(made)}."
        raise ProblemError(Fault.INPUT, detail, param="response_format")
    return SpeechFormat(wanted.response_format)


def _json(document: dict[str, Any], outcome: Outcome | None = None) -> Response:
    headers = {} if outcome is None else {REQUEST_ID: str(outcome.run_id)}
    return Response(json.dumps(document, ensure_ascii=True), 200, headers, "application/json")
