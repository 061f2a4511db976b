"""Who has started all that a tenant may is refused before anything is waited for."""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager
from types import SimpleNamespace

import pytest
from starlette.requests import Request

from stageflow_actors import AuthenticationError, LocalRuntime
from stageflow_actors.serving import ServingSettings, build_app
from stageflow_actors.serving.application import app_of
from stageflow_actors.serving.callers import Gate
from stageflow_actors.serving.faults import Fault, ProblemError, too_fast
from stageflow_actors.serving.recent_tokens import FRESH_S, RecentTokens
from stageflow_actors.serving.replicas.foreseen import Foreseen
from stageflow_actors.serving.run_rate import RunRate
from stageflow_actors.serving.scopes import Scope
from stageflow_actors.serving.served import served_by_name
from stageflow_actors.serving.service import Service
from tests.serving import flows
from tests.serving.live import Tokens

PATH = "/v1/pipelines/plain/runs"
NEVER = 1 / 3600
REFUSED = (429, "SERVE-TOO-FAST")


class CountedTokens(Tokens):
    """Counts how often it is asked. ``revoked`` ones are good no more; ``moved`` ones are now what
    others are.
    """

    def __init__(self):
        self.asked = 0
        self.revoked = set()
        self.moved = {}

    async def verify(self, token):
        self.asked += 1
        if token in self.revoked:
            raise AuthenticationError("revoked")
        return await super().verify(self.moved.get(token, token))


class Asked:
    """One request, made by hand: what came of it, and whether it was asked for its body."""

    def __init__(self, app, token="ada", body=b"{}", **headers):
        told = {"authorization": f"Bearer {token}", "content-type": "application/json", **headers}
        self._app = app
        self._body = body
        self.is_read = False
        self.status, self.document = 0, None
        self.scope = {
            "type": "http",
            "method": "POST",
            "path": PATH,
            "root_path": "",
            "query_string": b"",
            "headers": [
                (name.replace("_", "-").encode(), value.encode()) for name, value in told.items()
            ],
            "client": ("127.0.0.1", 1),
            "server": ("127.0.0.1", 2),
            "scheme": "http",
            "http_version": "1.1",
        }

    def begin(self):
        return self._app(self.scope, self._receive, self._send)

    async def answer(self):
        await self.begin()
        return self.status, self.document.get("code") or self.document["state"]

    async def _receive(self):
        if self.is_read:
            await asyncio.Event().wait()
        self.is_read = True
        await asyncio.sleep(0)
        return {"type": "http.request", "body": self._body, "more_body": False}

    async def _send(self, message):
        if message["type"] == "http.response.start":
            self.status = message["status"]
        else:
            self.document = json.loads(message["body"])


@pytest.fixture
def tokens():
    return CountedTokens()


@pytest.fixture
async def app(tokens):
    """Starts one run of a tenant in a long time."""
    settings = ServingSettings(max_runs_per_s_per_tenant=NEVER)
    made = build_app([flows.plain()], runtime=LocalRuntime(), verifier=tokens, settings=settings)
    async with made.router.lifespan_context(made):
        yield made


async def test_who_was_refused_is_refused_again_in_one_turn_of_the_event_loop(app, tokens):
    assert await Asked(app).answer() == (200, "ok")
    again, before = Asked(app), tokens.asked
    with pytest.raises(StopIteration):  # else it would be waiting for something
        again.begin().send(None)
    assert (again.status, again.document["code"]) == REFUSED
    assert not again.is_read
    assert tokens.asked == before


async def test_a_token_that_was_not_seen_is_verified_and_its_body_is_not_asked_for(app, tokens):
    assert await Asked(app).answer() == (200, "ok")
    colleague = Asked(app, "bob")
    assert await colleague.answer() == REFUSED
    assert not colleague.is_read
    assert tokens.asked == 2
    assert await Asked(app, "reader").answer() == (403, "SERVE-SCOPE")
    assert await Asked(app, "unknown").answer() == (401, "SERVE-TOKEN-REFUSED")
    assert await Asked(app, "eve").answer() == (200, "ok")


async def test_a_key_whose_run_there_is_is_answered_and_not_refused(app):
    first = Asked(app, idempotency_key="k")
    assert await first.answer() == (200, "ok")
    assert await Asked(app).answer() == REFUSED
    again = Asked(app, idempotency_key="k")
    assert await again.answer() == (200, "ok")
    assert again.document == first.document
    assert await Asked(app, idempotency_key="another").answer() == REFUSED


async def test_a_token_that_was_good_a_moment_ago_lets_nobody_pass(tokens):
    settings = ServingSettings(max_runs_per_s_per_tenant=1_000)
    app = build_app([flows.plain()], runtime=LocalRuntime(), verifier=tokens, settings=settings)
    async with app.router.lifespan_context(app):
        assert await Asked(app).answer() == (200, "ok")
        tokens.revoked.add("ada")
        assert await Asked(app).answer() == (401, "SERVE-TOKEN-REFUSED")


async def test_a_token_that_starts_no_runs_is_refused_for_that(app):
    gate, request = app.state.service.gate, Request(Asked(app, "reader").scope)
    assert not (await gate.admit(request, Scope.RUNS_READ)).starts_runs
    assert gate.recent_tenant(request) is None


def test_a_token_is_known_for_a_moment_and_only_so_many_are():
    recent = RecentTokens(most=2)
    for token in "aab":
        recent.note(token, f"tenant of {token}", 10.0)
    assert recent.tenant_of("a", 10.0 + 0.9 * FRESH_S) == "tenant of a"
    assert recent.tenant_of("a", 10.0 + FRESH_S) is None
    recent.note("c", "tenant of c", 10.0)
    assert [recent.tenant_of(each, 10.0) for each in "abc"] == [None, "tenant of b", "tenant of c"]


# --- room that is held while the rest of a request is awaited -------------------------------------


class HoldingDesk:
    """A desk that holds room, as that of a replica does; its keeper takes whatever comes."""

    is_ready = True

    def __init__(self, bounds, run):
        self.foreseen = Foreseen(bounds.max_runs_per_s_per_tenant, lambda: 0.0)
        self.reserve = self.foreseen.reserve
        self._run = run

    async def run(self, order, wait_s):
        with self.foreseen.asking(order.caller.tenant, order.room):
            return await self._run(order, wait_s)


@asynccontextmanager
async def held(tokens):
    """An application where one run of each tenant may be started at all."""
    bounds = ServingSettings(max_runs_per_s_per_tenant=NEVER)
    ended = SimpleNamespace(run_id="1", document=b'{"state": "ok"}', is_ended=True)

    async def run(_order, _wait_s):
        return ended

    @asynccontextmanager
    async def desks():
        yield {"plain": HoldingDesk(bounds, run)}

    gate = Gate(tokens, insecure_loopback=False, timeout_s=5.0)
    app = app_of(Service(served_by_name([flows.plain()]), desks, gate, bounds), title="held")
    async with app.router.lifespan_context(app):
        yield app


async def test_of_many_that_come_while_a_body_is_read_one_is_asked_for_its_own(tokens):
    async with held(tokens) as app:
        many = [Asked(app) for _ in range(20)]
        answers = await asyncio.gather(*(each.answer() for each in many))
        assert sorted(answers) == [(200, "ok"), *[REFUSED] * 19]
        assert sum(each.is_read for each in many) == 1


@pytest.mark.parametrize("wrong", [b"[", b'{"input_text": 1}'])
async def test_room_for_a_request_that_cannot_be_used_is_there_for_the_next(tokens, wrong):
    async with held(tokens) as app:
        for _ in range(2):
            status, _code = await Asked(app, body=wrong).answer()
            assert status in (400, 422)
        assert await Asked(app).answer() == (200, "ok")
        assert await Asked(app).answer() == REFUSED


async def test_room_is_that_of_the_tenant_whose_token_it_is_now(tokens, monkeypatch):
    """A token may move to another organisation meanwhile."""
    async with held(tokens) as app:
        assert await Asked(app, "eve", body=b"[").answer() == (400, "SERVE-JSON")
        monkeypatch.setitem(tokens.moved, "eve", "bob")
        assert await Asked(app, "eve").answer() == (200, "ok")
        assert await Asked(app, "ada").answer() == REFUSED  # both are of one organisation now
        monkeypatch.setitem(tokens.moved, "bob", "eve")
        assert await Asked(app, "bob").answer() == (200, "ok")  # nothing is held where it was


def test_what_may_be_started_is_told_without_starting_it():
    rate = RunRate(1.0)
    assert rate.wait_s("a", 0.0) is None
    assert rate.take("a", 0.0) is None
    assert rate.wait_s("a", 0.25) == rate.take("a", 0.25) == 0.75


def test_a_refusal_is_made_of_the_time_to_wait():
    assert too_fast(None) is None
    refused = too_fast(0.5)
    assert isinstance(refused, ProblemError)
    assert (refused.fault, refused.retry_after_s) == (Fault.TOO_FAST, 0.5)
