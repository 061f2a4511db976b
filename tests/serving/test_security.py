"""Who may do what: every route, every tenant, and no verifier at all."""

from __future__ import annotations

import itertools

import httpx
import pytest
from fastapi.routing import APIRoute

from stageflow_actors import InMemoryEventSink, LocalRuntime
from stageflow_actors.serving import ServingError, build_app
from stageflow_actors.serving.guarded import GuardedRoute, check_routes
from stageflow_actors.serving.scopes import RULES, WEBSOCKET, Scope
from stageflow_actors.serving.server import make_server
from tests.serving import flows
from tests.serving.live import ALL, TOKENS, Live, Tokens, start

GUARDED = [rule for rule in RULES if rule.scope is not None and rule.method != WEBSOCKET]
BAD = {
    "none": [],
    "empty": [("Authorization", "")],
    "no token": [("Authorization", "Bearer")],
    "only padding": [("Authorization", "Bearer ==")],
    "other scheme": [("Authorization", "Basic YWRhOmFkYQ==")],
    "only the token": [("Authorization", "ada")],
    "unknown": [("Authorization", "Bearer nix")],
    "a prefix": [("Authorization", "Bearer ad")],
    "another case": [("Authorization", "Bearer ADA")],
    "two tokens": [("Authorization", "Bearer ada ada")],
    "a list": [("Authorization", "Bearer nix, Bearer ada")],
    "twice": [("Authorization", "Bearer nix"), ("Authorization", "Bearer ada")],
    "not ascii": [("Authorization", b"Bearer ad\xe4")],
    "a tab": [("Authorization", "Bearer\tada")],
    "too long": [("Authorization", f"Bearer {'a' * 20_000}")],
    "verifier raises": [("Authorization", "Bearer broken")],
    "no uuid": [("Authorization", "Bearer malformed")],
    "in a cookie": [("Cookie", "Authorization=Bearer ada; token=ada")],
    "another header": [("X-Authorization", "Bearer ada"), ("X-Forwarded-User", "ada")],
    "no scope": [("Authorization", "Bearer nobody")],
}


def routes_of(app):
    """What the application really answers, not what the table says of it."""
    for route in app.routes:
        for method in route.methods - {WEBSOCKET}:  # asked in test_socket_security
            yield method, route.path


OF_OPENAI = ("/v1/models", "/v1/chat", "/v1/audio")


def path_for(template, location):
    return template.replace("{name}", "plain").replace("{run_id}", location.rpartition("/")[2])


@pytest.fixture(scope="module")
def location(live):
    with live.client() as client:
        return client.post("/v1/pipelines/plain/runs", json={}).headers["location"]


@pytest.mark.parametrize("case", BAD)
def test_no_route_but_health_answers_without_a_good_token(live, location, case):
    open_ones = {(rule.method, rule.path) for rule in RULES if rule.scope is None}
    assert open_ones == {("GET", "/healthz/live"), ("GET", "/healthz/ready")}
    asked = 0
    with live.client(token=None) as client:
        for method, template in routes_of(live.app):
            path = path_for(template, location)
            answer = client.request(
                method,
                path,
                headers=[*BAD[case], ("Content-Type", "application/json")],
                content=b"{}" if method == "POST" else None,
            )
            if (method, template) in open_ones:
                assert answer.status_code == 200
                continue
            asked += 1
            assert answer.status_code in (401, 403, 503), f"{case}: {method} {path}"
            is_openai = template.startswith(OF_OPENAI)
            form = "application/json" if is_openai else "application/problem+json"
            assert answer.headers["content-type"] == form
            if answer.status_code == 401:
                assert answer.headers["www-authenticate"].startswith("Bearer")
            assert "10.0.0.7" not in answer.text
    assert asked == len(GUARDED)


@pytest.mark.parametrize("rule", GUARDED, ids=lambda rule: f"{rule.method} {rule.path}")
def test_a_route_needs_its_own_scope_and_no_other(live, location, monkeypatch, rule):
    from stageflow_actors import AuthContext

    owner = TOKENS["ada"]
    for scopes in itertools.chain.from_iterable(itertools.combinations(ALL, n) for n in range(4)):
        monkeypatch.setitem(TOKENS, "some", AuthContext(owner.user_id, owner.org_id, scopes))
        with live.client("some") as client:
            answer = client.request(rule.method, path_for(rule.path, location), json={})
        if rule.scope in scopes:
            unusable = (404, 415, 422) if rule.path.startswith(OF_OPENAI) else ()
            assert answer.status_code in (200, 409, *unusable), answer.text
        else:
            told = answer.json()
            code = told.get("error", told)["code"]
            assert (answer.status_code, code) == (403, "SERVE-SCOPE")
            assert f'scope="{rule.scope}"' in answer.headers["www-authenticate"]


def test_the_run_of_another_tenant_looks_exactly_like_none(live, client, gates):
    running = start(client, "gated", input_text="mine")
    finished = client.post("/v1/pipelines/plain/runs", json={}).headers["location"]
    none = "/v1/runs/01a20098-9079-700b-b9d7-135585fae512"
    try:
        for token in ("eve", "lone"):
            with live.client(token) as stranger:
                for method, tail in (("GET", ""), ("GET", "/events"), ("DELETE", "")):
                    answers = [
                        stranger.request(method, f"{path}{tail}")
                        for path in (running, finished, none)
                    ]
                    assert {answer.status_code for answer in answers} == {404}
                    assert len({answer.content for answer in answers}) == 1
                    assert answers[0].json()["code"] == "SERVE-RUN-UNKNOWN"
        with live.client("bob") as colleague:  # of the same organisation
            assert colleague.get(running).json()["state"] == "running"
        assert client.get(running).json()["state"] == "running"
    finally:
        client.delete(running)


def test_a_pipeline_that_checks_tokens_itself_gets_the_one_of_the_request():
    runtime = LocalRuntime(event_sink=InMemoryEventSink())
    server = Live(build_app([flows.checked(Tokens())], runtime=runtime, verifier=Tokens())).start()
    try:
        with server.client() as client:
            run = client.post("/v1/pipelines/checked/runs", json={"data": {"a": 1}}).json()
            data = run["result"]["outputs"]["echo"]["data"]
            assert data["data"] == {"a": 1}  # its stages never see the token
            assert data["user"] == str(TOKENS["ada"].user_id)
    finally:
        server.stop()
    other = build_app([flows.checked(Tokens())], runtime=runtime, insecure_loopback=True)
    server = Live(other).start()
    try:
        with server.client(token=None) as client:
            refused = client.post("/v1/pipelines/checked/runs", json={})
            assert (refused.status_code, refused.json()["code"]) == (401, "SERVE-TOKEN-REFUSED")
    finally:
        server.stop()


def test_without_a_verifier_nothing_is_built_unless_that_is_said():
    runtime = LocalRuntime(event_sink=InMemoryEventSink())
    with pytest.raises(ServingError) as refused:
        build_app([flows.plain()], runtime=runtime)
    assert refused.value.code == "SERVE-VERIFIER-MISSING"
    with pytest.raises(ServingError, match="also"):
        build_app([flows.plain()], runtime=runtime, verifier=Tokens(), insecure_loopback=True)
    with pytest.raises(TypeError):
        build_app([flows.plain()], runtime=runtime, verifier=Tokens)
    app = build_app([flows.plain()], runtime=runtime, insecure_loopback=True)
    for host in ("0.0.0.0", "::", "192.168.1.5", "example.org"):
        with pytest.raises(ServingError) as exposed:
            make_server(app, host=host, port=0)
        assert exposed.value.code == "SERVE-EXPOSED"
    for host in ("127.0.0.1", "localhost", "::1"):
        make_server(app, host=host, port=0)


async def test_without_a_verifier_only_this_machine_is_answered():
    """Whatever the server was bound to: where a request comes from is looked at each time."""
    runtime = LocalRuntime(event_sink=InMemoryEventSink())
    app = build_app([flows.plain()], runtime=runtime, insecure_loopback=True)
    for client, host, status in (
        (("127.0.0.1", 1), "127.0.0.1:8000", 200),
        (("::1", 1), "[::1]:8000", 200),
        (("127.0.0.1", 1), "localhost", 200),
        (("10.1.2.3", 1), "localhost", 403),
        (("127.0.0.1", 1), "evil.example.org", 403),
        (("127.0.0.1", 1), "localhost.evil.example.org", 403),
        (("127.0.0.1", 1), "[::1].evil.example.org", 403),
    ):
        transport = httpx.ASGITransport(app=app, client=client)
        async with httpx.AsyncClient(transport=transport, base_url="http://x") as asking:
            answer = await asking.get("/v1/pipelines", headers={"Host": host})
            assert answer.status_code == status, (client, host)


def test_without_a_verifier_a_run_is_served_on_loopback():
    runtime = LocalRuntime(event_sink=InMemoryEventSink())
    server = Live(build_app([flows.plain()], runtime=runtime, insecure_loopback=True)).start()
    try:
        with server.client(token=None) as client:
            assert client.post("/v1/pipelines/plain/runs", json={}).json()["state"] == "ok"
    finally:
        server.stop()


async def nothing():
    return {}


def test_a_route_without_a_rule_cannot_be_made():
    with pytest.raises(ServingError) as refused:
        GuardedRoute("/v1/everything", nothing, methods=["GET"])
    assert refused.value.code == "SERVE-ROUTE"
    with pytest.raises(ServingError):
        GuardedRoute("/v1/pipelines", nothing, methods=["GET", "POST"])


def test_an_application_with_a_route_that_is_not_guarded_is_refused(live):
    with pytest.raises(ServingError, match="asks nobody"):
        check_routes([*live.app.routes, APIRoute("/v1/pipelines", nothing, methods=["GET"])])
    with pytest.raises(ServingError, match="No route"):
        check_routes(live.app.routes[1:])


def test_scopes_are_those_that_tokens_name():
    assert sorted(map(str, Scope)) == sorted((*ALL, "runs:internal"))
