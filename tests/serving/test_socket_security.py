"""Who may open a WebSocket, and what they may do there."""

from __future__ import annotations

import json

import pytest
from starlette.routing import WebSocketRoute
from websockets.exceptions import InvalidStatus

from stageflow_actors import AuthContext, InMemoryEventSink, LocalRuntime
from stageflow_actors.serving import ServingError, ServingSettings, build_app
from stageflow_actors.serving.guarded import check_routes
from stageflow_actors.serving.scopes import RULES, WEBSOCKET, Scope
from stageflow_actors.serving.socket_guard import GuardedSocketRoute
from tests.serving import flows
from tests.serving.live import TOKENS, Live, start
from tests.serving.sockets import PLENTY, PROTOCOL, open_socket
from tests.serving.test_security import BAD

NONE = "01a20098-9079-700b-b9d7-135585fae512"


@pytest.fixture(scope="module")
def settings():
    return ServingSettings(drain_s=0.2, max_streams_per_tenant=3)


@pytest.fixture(scope="module")
def alone():
    """Asks nobody who they are."""
    runtime = LocalRuntime(event_sink=InMemoryEventSink())
    server = Live(build_app([flows.plain()], runtime=runtime, insecure_loopback=True)).start()
    yield server
    server.stop()


def refused(live, **options):
    """Status and problem of a handshake that is refused."""
    with pytest.raises(InvalidStatus) as refusal, open_socket(live, **options):
        pass
    answer = refusal.value.response
    assert answer.headers["content-type"] == "application/problem+json"
    return answer.status_code, json.loads(answer.body)["code"], answer


# The server itself refuses those two.
@pytest.mark.parametrize("case", sorted(BAD.keys() - {"not ascii", "too long"}))
def test_no_socket_is_opened_without_a_good_token(live, case):
    status, code, answer = refused(live, token=None, headers=BAD[case])
    assert status in (401, 403, 503)
    assert code.startswith("SERVE-")
    assert b"10.0.0.7" not in answer.body
    if status == 401:
        assert answer.headers["www-authenticate"].startswith("Bearer")


def test_a_browser_gives_its_token_as_a_subprotocol_and_never_gets_it_back(live):
    for offered in ([PROTOCOL, "bearer.ada"], ["bearer.ada", PROTOCOL]):
        with open_socket(live, token=None, subprotocols=offered) as socket:
            assert socket.connection.subprotocol == PROTOCOL
            assert "ada" not in str(socket.connection.response.headers)
            assert socket.run("plain")[-1]["run"]["state"] == "ok"


@pytest.mark.parametrize(
    ("token", "offered", "expected"),
    [
        (None, [PROTOCOL], (401, "SERVE-TOKEN-MISSING")),
        (None, [PROTOCOL, "bearer.nix"], (401, "SERVE-TOKEN-REFUSED")),
        (None, [PROTOCOL, "bearer."], (401, "SERVE-TOKEN-REFUSED")),
        (None, [PROTOCOL, "bearer.nix", "bearer.ada"], (401, "SERVE-TOKEN-REFUSED")),
        ("ada", [PROTOCOL, "bearer.ada"], (401, "SERVE-TOKEN-REFUSED")),
        ("ada", ["other"], (400, "SERVE-HEADER")),
        (None, ["bearer.ada"], (400, "SERVE-HEADER")),
    ],
)
def test_what_is_offered_beside_it_has_to_be_right(live, token, offered, expected):
    assert refused(live, token=token, subprotocols=offered)[:2] == expected


@pytest.mark.parametrize("scopes", [(), ("runs:write",), ("pipelines:read",), ("runs:internal",)])
def test_a_socket_needs_its_scope(live, monkeypatch, scopes):
    owner = TOKENS["ada"]
    monkeypatch.setitem(TOKENS, "some", AuthContext(owner.user_id, owner.org_id, scopes))
    status, code, answer = refused(live, token="some")
    assert (status, code) == (403, "SERVE-SCOPE")
    assert 'scope="runs:read"' in answer.headers["www-authenticate"]


def test_who_may_only_read_watches_and_starts_and_cancels_nothing(live, client):
    location = start(client, "gated", input_text="watched")
    with open_socket(live, "reader") as socket:
        socket.start("plain")
        said = socket.hear()
        assert (said["problem"]["code"], said["is_closed"]) == ("SERVE-SCOPE", True)
        run_id = location.rpartition("/")[2]
        socket.say("watch", ref="w", run_id=run_id, credit=PLENTY)
        socket.hear_until("accepted")
        socket.say("cancel", ref="w")
        said = socket.hear_until("error")[-1]
        assert (said["problem"]["code"], said["is_closed"]) == ("SERVE-SCOPE", False)
        assert client.get(location).json()["cancelling"] is False
    client.delete(location)


def test_the_run_of_another_tenant_looks_exactly_like_none(live, client):
    mine = start(client, "gated", input_text="mine").rpartition("/")[2]
    for token in ("eve", "lone"):
        with open_socket(live, token) as stranger:
            answers = []
            for run_id in (mine, NONE, "../etc", mine.upper() + "x", ""):
                stranger.say("watch", ref="a", run_id=run_id, credit=PLENTY)
                answers.append(stranger.hear())
            assert all(answer == answers[0] for answer in answers)
            assert answers[0]["problem"]["code"] == "SERVE-RUN-UNKNOWN"
    with open_socket(live, "bob") as colleague:  # of the same organisation
        colleague.say("watch", ref="a", run_id=mine, credit=PLENTY)
        assert colleague.hear()["type"] == "accepted"
    client.delete(f"/v1/runs/{mine}")


def test_a_tenant_has_so_many_sockets_and_others_have_their_own(live):
    with open_socket(live), open_socket(live), open_socket(live):
        status, code, answer = refused(live)
        assert (status, code) == (429, "SERVE-TOO-MANY-STREAMS")
        assert int(answer.headers["retry-after"]) >= 1
        with open_socket(live, "eve") as other:
            assert other.turn() == []


# --- without a verifier ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 101),
        ({"Origin": "http://localhost:3000"}, 101),
        ({"Origin": "https://127.0.0.1"}, 101),
        ({"Origin": "http://[::1]:8000"}, 101),
        ({"Origin": "https://evil.example.org"}, 403),
        ({"Origin": "https://localhost.evil.example.org"}, 403),
        ({"Origin": "https://localhost@evil.example.org"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": ""}, 403),
        ({"Origin": "http://["}, 403),
        ({"Host": "evil.example.org"}, 403),
    ],
)
def test_without_a_verifier_only_pages_of_this_machine_are_answered(alone, headers, status):
    if status == 101:
        with open_socket(alone, token=None, headers=headers.items()) as socket:
            assert socket.run("plain")[-1]["run"]["state"] == "ok"
    else:
        assert refused(alone, token=None, headers=headers.items())[:2] == (status, "SERVE-LOOPBACK")


async def test_without_a_verifier_nobody_else_is_answered(alone):
    """Nor does it depend on what the server can do: without a denial it closes with a code."""
    sent = []

    async def receive():
        return {"type": "websocket.connect"}

    async def send(message):
        sent.append(message)

    scope = {
        "type": "websocket",
        "path": "/v1/ws",
        "headers": [(b"host", b"localhost")],
        "client": ("10.1.2.3", 1),
        "subprotocols": [],
    }
    await alone.app(scope, receive, send)
    assert sent == [{"type": "websocket.close", "code": 4403, "reason": "SERVE-LOOPBACK"}]


# --- the table ------------------------------------------------------------------------------------


async def nothing(websocket, caller=None):
    pass


def test_a_socket_without_a_rule_cannot_be_made():
    with pytest.raises(ServingError) as none:
        GuardedSocketRoute("/v1/other", nothing)
    assert none.value.code == "SERVE-ROUTE"
    with pytest.raises(ServingError):
        GuardedSocketRoute("/healthz/live", nothing)


def test_an_application_with_a_socket_that_is_not_guarded_or_without_ours_is_refused(live):
    with pytest.raises(ServingError, match="asks nobody"):
        check_routes([*live.app.routes, WebSocketRoute("/v1/ws", nothing)])
    others = [each for each in live.app.routes if not isinstance(each, GuardedSocketRoute)]
    with pytest.raises(ServingError, match="WEBSOCKET /v1/ws"):
        check_routes(others)
    assert [each for each in RULES if each.method == WEBSOCKET] == [
        (WEBSOCKET, "/v1/ws", Scope.RUNS_READ)
    ]


def test_a_socket_at_another_path_is_not_there(live):
    with pytest.raises(InvalidStatus), open_socket(live, path="/v1/wss"):
        pass
