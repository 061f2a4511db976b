"""Real runs that verifiers of tokens and keys admit, or keep out, on both runtimes."""

from __future__ import annotations

import time

import pytest

from stageflow_actors import (
    ApiKeyVerifier,
    AuthenticationError,
    AuthInterceptor,
    FirstOf,
    InMemoryEventSink,
    LocalRuntime,
    Pipeline,
    RayRuntime,
    Settings,
    new_api_key,
)
from tests.security.made_tokens import (
    ORG,
    USER,
    claims,
    pem,
    private,
    public,
    signed,
    verifier,
)

KEY = new_api_key(user_id=USER, org_id=ORG)


@pytest.fixture(params=["local", pytest.param("ray", marks=pytest.mark.ray)])
def make(request):
    if request.param == "local":
        return LocalRuntime
    request.getfixturevalue("ray_session")
    return lambda **parts: RayRuntime(settings=Settings(max_hosts_per_deployment=1), **parts)


async def who(ctx):
    return {"user": str(ctx.user_id), "org": str(ctx.org_id), "data": dict(ctx.data)}


async def passes_on(ctx):
    child = await ctx.spawn("guarded", {"_auth_token": ctx.data["for_child"]})
    return {"status": str(child.status), "said": dict(child.data["who"])}


def both():
    jwt = verifier(keys={"ec": pem(public("ec"))}, algorithms=["ES256"], clock=time.time)
    return AuthInterceptor(FirstOf(ApiKeyVerifier({KEY.key_id: KEY.record}), jwt))


def lasting(**changes):
    seconds = {"exp": int(time.time()) + 3600, "iat": int(time.time())}
    given = claims(**{**seconds, **changes})
    return signed({"alg": "ES256", "kid": "ec"}, given, private("ec"))


async def test_runs_are_those_of_their_tokens_also_where_a_stage_starts_them(make):
    guarded = Pipeline("guarded").with_stage("who", who, "work").build(interceptors=[both()])
    outer = Pipeline("outer").with_stage("pass", passes_on, "work")
    outer = outer.with_stage("who", who, "work").build(interceptors=[both()])
    sink = InMemoryEventSink()
    good, expired = lasting(), lasting(exp=int(time.time()) - 3600)
    seen = {"user": str(USER), "org": str(ORG), "data": {}}
    async with make(registry=[guarded], event_sink=sink) as runtime, runtime.deploy(outer) as app:
        for text in (good, KEY.text):
            results = await app.run(data={"_auth_token": text, "for_child": lasting()})
            assert results["who"].data["user"] == str(USER)
            assert dict(results["pass"].data["said"]) == seen
        for text in (expired, good[:-8], KEY.text[:-1], "x", ""):
            with pytest.raises(AuthenticationError) as refused:
                await app.run(data={"_auth_token": text})
            assert text == "" or text not in str(refused.value)
        assert await runtime.flush_events()
    told = [event.type for event in sink.events if event.type.startswith("auth.")]
    assert told.count("auth.failure") == 5
    assert told.count("auth.login") == 4
    assert good.split(".")[2] not in repr(sink.events)
