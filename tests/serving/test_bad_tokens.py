"""Every route of the application, and every token that is no good."""

from __future__ import annotations

import json
from contextlib import asynccontextmanager

import httpx

from stageflow_actors import InMemoryEventSink, LocalRuntime
from stageflow_actors.serving import OpenAIModel, ServedPipeline, build_app
from stageflow_actors.serving.scopes import RULES, WEBSOCKET
from tests.security.made_tokens import verifier
from tests.serving import flows
from tests.serving.bad_tokens import BAD, GOOD
from tests.serving.openai_models import hear, model, one, speak, wav

CHAT = {"model": "plain", "messages": [{"role": "user", "content": "hi"}]}
SPEECH = {"model": "speak", "input": "hi", "voice": "v"}
ASKED = {
    "POST /v1/pipelines/{name}/runs": {"json": {"input_text": "hi"}},
    "POST /v1/chat/completions": {"json": CHAT},
    "POST /v1/audio/speech": {"json": SPEECH},
    "POST /v1/audio/transcriptions": {
        "data": {"model": "hear"},
        "files": {"file": ("question.wav", wav(), "audio/wav")},
    },
}
"""What a request needs besides its path, to be a good one."""
OF_OPENAI = ("/v1/models", "/v1/chat", "/v1/audio")
DENIAL = "websocket.http.response"


class Door:
    """The application, without a server between: that would refuse some tokens before it."""

    def __init__(self, app) -> None:
        self.app = app
        transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
        self.client = httpx.AsyncClient(transport=transport, base_url="http://door")
        self.run_id = ""

    @property
    def routes(self) -> list[tuple[str, str]]:
        """What the application really has."""
        return [
            (method, route.path_format) for route in self.app.routes for method in route.methods
        ]

    async def ask(self, method: str, template: str, credentials: list) -> httpx.Response:
        path = template
        for name, value in {"name": "plain", "model": "plain", "run_id": self.run_id}.items():
            path = path.replace(f"{{{name}}}", value)
        if method == WEBSOCKET:
            return await self._shake_hands(path, credentials)
        more = ASKED.get(f"{method} {template}", {})
        return await self.client.request(method, path, headers=credentials, **more)

    async def start(self) -> None:
        """Have a run that goes on until it is cancelled."""
        asked = await self.client.post(
            "/v1/pipelines/gated/runs",
            json={"input_text": "shut"},
            headers=[("Prefer", "respond-async"), *bearer(GOOD)],
        )
        self.run_id = asked.headers["location"].rpartition("/")[2]

    async def _shake_hands(self, path: str, credentials: list) -> httpx.Response:
        offered = [value for name, value in credentials if name == "Sec-WebSocket-Protocol"]
        raw = [(name.lower().encode(), encoded(value)) for name, value in credentials]
        scope = {
            "type": "websocket",
            "path": path,
            "query_string": b"",
            "headers": [(b"host", b"door"), *raw],
            "subprotocols": [each for value in offered for each in value.split(", ")],
            "extensions": {DENIAL: {}},
            "client": ("127.0.0.1", 1),
        }
        received = [{"type": "websocket.connect"}, {"type": "websocket.disconnect", "code": 1000}]
        sent = []

        async def receive():
            return received.pop(0)

        async def send(message):
            sent.append(message)

        await self.app(scope, receive, send)
        if sent[0]["type"] == "websocket.accept":
            return httpx.Response(200)
        assert sent[0]["type"] == f"{DENIAL}.start", sent
        body = b"".join(each["body"] for each in sent[1:])
        return httpx.Response(sent[0]["status"], headers=sent[0]["headers"], content=body)


def encoded(value):
    return value if isinstance(value, bytes) else value.encode()


def bearer(token):
    return [("Authorization", b"Bearer " + encoded(token))]


@asynccontextmanager
async def opened():
    served = [
        ServedPipeline(flows.plain(), openai=OpenAIModel(chat="echo.text")),
        flows.gated(flows.Gates()),
        model(one("hear", hear), transcription="s.speech"),
        model(one("speak", speak), speech="s.audio"),
    ]
    runtime = LocalRuntime(event_sink=InMemoryEventSink())
    app = build_app(served, runtime=runtime, verifier=verifier())
    door = Door(app)
    async with app.router.lifespan_context(app), door.client:
        await door.start()
        try:
            yield door
        finally:
            await door.client.delete(f"/v1/runs/{door.run_id}", headers=bearer(GOOD))


def check_refused(answer, template, token):
    """The one form of a refusal, which says nothing of what was wrong."""
    assert answer.status_code == 401
    told = answer.json()
    if template.startswith(OF_OPENAI):
        assert answer.headers["content-type"] == "application/json"
        assert set(told) == {"error"}
        assert told["error"]["code"] == "SERVE-TOKEN-REFUSED"
    else:
        assert answer.headers["content-type"] == "application/problem+json"
        assert (told["status"], told["code"]) == (401, "SERVE-TOKEN-REFUSED")
    assert answer.headers["www-authenticate"] == 'Bearer error="invalid_token"'
    assert answer.headers["cache-control"] == "no-store"
    assert len(token) < 10 or token[:100] not in answer.text


async def test_no_route_is_opened_by_a_bad_token():
    guarded = {(rule.method, rule.path) for rule in RULES if rule.scope is not None}
    async with opened() as door:
        assert guarded < set(door.routes)
        for name, token in BAD.items():
            for method, template in door.routes:
                if (method, template) not in guarded:
                    continue
                answer = await door.ask(method, template, bearer(token))
                try:
                    check_refused(answer, template, token)
                except AssertionError as wrong:
                    raise AssertionError(f"{name}: {method} {template}") from wrong
        run = await door.client.get(f"/v1/runs/{door.run_id}", headers=bearer(GOOD))
        assert (run.json()["state"], run.json()["cancelling"]) == ("running", False)


async def test_no_socket_is_opened_by_a_bad_token_among_its_protocols():
    async with opened() as door:
        for name, token in BAD.items():
            if ", " in token:
                continue  # there a list has several offers, and one of them is good
            offered = f"stageflow.v1, bearer.{token}"
            answer = await door.ask(WEBSOCKET, "/v1/ws", [("Sec-WebSocket-Protocol", offered)])
            assert answer.status_code == 401, name
            assert answer.json()["code"].startswith("SERVE-TOKEN"), name


async def test_a_good_token_opens_every_route():
    """Else the others would prove nothing."""
    async with opened() as door:
        asked = [each for each in door.routes if each[0] != "DELETE"]
        last = [each for each in door.routes if each[0] == "DELETE"]
        assert len(asked) + len(last) == len(RULES)
        for method, template in (*asked, *last):
            if template.endswith("/events"):
                continue  # goes on for as long as the run does
            answer = await door.ask(method, template, bearer(GOOD))
            assert 200 <= answer.status_code < 300, f"{method} {template}: {answer.text}"
        events = await door.ask("GET", "/v1/runs/{run_id}/events", bearer(GOOD))
        assert "event: run.ended" in events.text
        offered = [("Sec-WebSocket-Protocol", f"stageflow.v1, bearer.{GOOD}")]
        assert (await door.ask(WEBSOCKET, "/v1/ws", offered)).status_code == 200


def test_there_are_enough_of_them_and_no_two_are_equal():
    assert len(set(BAD.values())) == len(BAD) >= 40
    assert GOOD not in BAD.values()
    assert json.loads(json.dumps([*BAD])) == [*BAD]
