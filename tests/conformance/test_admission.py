"""Who may start a run: asked before it is submitted, and told to the sink."""

from __future__ import annotations

import pytest

from stageflow_actors import (
    AuthContext,
    AuthenticationError,
    AuthInterceptor,
    ExecutionConfig,
    ExecutionMode,
    OrgEnforcementInterceptor,
    Pipeline,
    TenantAccessDeniedError,
    get_default_interceptors,
)
from stageflow_actors.model.identity import new_id
from tests.conformance.admission_stages import WhoAsks
from tests.conformance.crossing import Journal
from tests.conformance.failing_stages import Look

TOKEN = "tok-5f1d9c"
USER, ORG, OTHER_ORG = new_id(), new_id(), new_id()


class Verifier:
    """Knows one token."""

    async def verify(self, token):
        if token != TOKEN:
            raise AuthenticationError(f"{token} is unknown")
        return AuthContext(user_id=USER, org_id=ORG)


def admitted(folder, *checks, execution=None):
    pipeline = Pipeline("secure").with_stage("who", WhoAsks, config={"folder": folder})
    execution = execution or ExecutionConfig()
    return pipeline.build(execution=execution, interceptors=[*get_default_interceptors(), *checks])


async def denied(runtime, graph, error, **parts):
    """The error that a run of ``graph`` is refused with."""
    async with runtime.deploy(graph) as app:
        with pytest.raises(error) as refused:
            await app.start(**parts)
        assert (await app.describe())["calls_to_stages"] == 0
    return refused.value


async def told(runtime, sink):
    """Every event that has reached the sink."""
    assert await runtime.flush_events()
    return sink.events


@pytest.mark.parametrize(
    ("data", "code"),
    [({"_auth_token": "tok-stolen"}, "AUTH-TOKEN-REFUSED"), ({}, "AUTH-TOKEN-MISSING")],
    ids=["refused", "missing"],
)
async def test_a_run_of_nobody_known_is_not_started(runtime, sink, tmp_path, data, code):
    graph = admitted(tmp_path, AuthInterceptor(Verifier()))
    error = await denied(runtime, graph, AuthenticationError, data=data)
    assert error.code == code
    assert Journal(tmp_path).lines == []
    (event,) = await told(runtime, sink)
    assert (event.type, event.data["code"]) == ("auth.failure", code)
    assert "tok-stolen" not in repr([error, event])


async def test_a_denied_run_raises_where_it_is_run(runtime, tmp_path):
    graph = admitted(tmp_path, AuthInterceptor(Verifier()))
    async with runtime:
        with pytest.raises(AuthenticationError):
            await graph.run(runtime=runtime)
    assert Journal(tmp_path).lines == []


async def test_a_denied_run_raises_in_a_mode_that_does_not_wait_for_the_end(runtime, tmp_path):
    graph = admitted(
        tmp_path,
        AuthInterceptor(Verifier()),
        execution=ExecutionConfig(mode=ExecutionMode.FAIL_FAST_ASYNC),
    )
    async with runtime:
        with pytest.raises(AuthenticationError):
            await graph.run(runtime=runtime)
    assert Journal(tmp_path).lines == []


async def test_stages_of_an_admitted_run_see_for_whom_it_is_and_no_token(runtime, sink, tmp_path):
    graph = admitted(tmp_path, AuthInterceptor(Verifier()))
    data = {"_auth_token": TOKEN, "auth_token": TOKEN, "topic": "tea"}
    async with runtime.deploy(graph) as app:
        handle = await app.start(data=data, org_id=OTHER_ORG)
        result = await handle.result()
    seen = result.outputs["who"].data
    assert seen == {"user": str(USER), "org": str(ORG), "data": {"topic": "tea"}}
    assert TOKEN not in repr([result, await told(runtime, sink)])


async def test_the_login_is_told_before_the_run_it_belongs_to(runtime, sink, tmp_path):
    async with runtime.deploy(admitted(tmp_path, AuthInterceptor(Verifier()))) as app:
        handle = await app.start(data={"_auth_token": TOKEN})
        await handle.result()
    login, first, *_rest = await told(runtime, sink)
    assert (login.type, first.type) == ("auth.login", "pipeline.created")
    assert login.data["pipeline_run_id"] == str(handle.run_id) == first.data["pipeline_run_id"]
    assert (login.data["user_id"], login.data["org_id"]) == (str(USER), str(ORG))


async def test_a_run_asks_for_nothing_of_another_organisation(runtime, sink, tmp_path):
    graph = admitted(tmp_path, OrgEnforcementInterceptor())
    error = await denied(
        runtime,
        graph,
        TenantAccessDeniedError,
        org_id=ORG,
        data={"_resource_org_id": str(OTHER_ORG)},
    )
    assert error.code == "AUTH-TENANT-DENIED"
    assert Journal(tmp_path).lines == []
    (event,) = await told(runtime, sink)
    assert event.type == "tenant.access_denied"
    assert (event.data["org_id"], event.data["resource_org_id"]) == (str(ORG), str(OTHER_ORG))


async def test_a_run_may_ask_for_what_is_its_own(run, tmp_path):
    graph = admitted(tmp_path, OrgEnforcementInterceptor())
    assert (await run(graph, org_id=ORG, data={"_resource_org_id": str(ORG)})).ok


async def test_the_organisation_of_the_token_counts_however_the_checks_are_listed(
    runtime, sink, tmp_path
):
    graph = admitted(tmp_path, OrgEnforcementInterceptor(), AuthInterceptor(Verifier()))
    claimed = {"org_id": OTHER_ORG, "data": {"_auth_token": TOKEN}}
    claimed["data"]["_resource_org_id"] = str(OTHER_ORG)
    await denied(runtime, graph, TenantAccessDeniedError, **claimed)
    assert Journal(tmp_path).lines == []
    events = await told(runtime, sink)
    assert [event.type for event in events] == ["auth.login", "tenant.access_denied"]
    assert [event.data["org_id"] for event in events] == [str(ORG), str(ORG)]


async def test_a_pipeline_without_checks_starts_every_run(run, tmp_path):
    pipeline = Pipeline().with_stage("look", Look, config={"folder": tmp_path})
    assert (await run(pipeline, data={"_auth_token": "whatever"})).ok


async def test_checks_count_though_the_same_stages_are_up_for_a_pipeline_without(runtime, tmp_path):
    async with runtime:
        await admitted(tmp_path).run(runtime=runtime)
        with pytest.raises(AuthenticationError):
            await admitted(tmp_path, AuthInterceptor(Verifier())).run(runtime=runtime)
        await admitted(tmp_path).run(runtime=runtime)
    assert Journal(tmp_path).lines == ["who", "who"]
