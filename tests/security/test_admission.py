"""Who is admitted, as whom, and that no token is ever shown: in doubt, nobody is."""

from __future__ import annotations

import asyncio
import logging
import traceback

import pytest

from stageflow_actors import PipelineContext, RunIdentity
from stageflow_actors.errors import PolicyError
from stageflow_actors.model.identity import new_id
from stageflow_actors.security import (
    Admission,
    AuthContext,
    AuthenticationError,
    AuthInterceptor,
    OrgEnforcementInterceptor,
    TenantAccessDeniedError,
    TokenVerifier,
)

TOKEN = "tok-5f1d9c"
USER, ORG, OTHER_ORG = new_id(), new_id(), new_id()


class Verifier:
    """Answers, or raises, ``answer``; notes the tokens that it was asked for."""

    def __init__(self, answer):
        self.answer = answer
        self.asked = []

    async def verify(self, token):
        self.asked.append(token)
        if isinstance(self.answer, BaseException):
            raise self.answer
        return self.answer


class Stubborn:
    """Answers when ``gate`` opens, and does not stop when it is told to."""

    def __init__(self):
        self.is_asked, self.gate = asyncio.Event(), asyncio.Event()

    async def verify(self, token):
        self.is_asked.set()
        while not self.gate.is_set():
            try:
                await self.gate.wait()
            except asyncio.CancelledError:
                continue
        return AuthContext(USER, ORG)


def run_of(token=TOKEN, **data):
    return PipelineContext.create(data={"_auth_token": token, **data})


class Heard(list):
    def __call__(self, type_, data):
        self.append((type_, dict(data)))


async def denied(interceptor, context, kind=AuthenticationError):
    """The error that ``context`` is denied with, and the one event about it."""
    heard = Heard()
    with pytest.raises(kind) as caught:
        await interceptor.admit(context, heard)
    [event] = heard
    return caught.value, event


# --- who it is ------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", [lambda given: given, str, lambda given: str(given).upper()])
async def test_a_run_is_that_of_its_token(form):
    verifier = Verifier(AuthContext(form(USER), form(ORG), session_id=form(new_id())))
    context = run_of(order=7)
    admitted = await AuthInterceptor(verifier).admit(context)
    assert verifier.asked == [TOKEN]
    assert (admitted.user_id, admitted.org_id) == (USER, ORG)
    assert type(admitted.identity) is RunIdentity
    assert admitted.pipeline_run_id == context.pipeline_run_id
    assert admitted.request_id == context.request_id
    assert dict(admitted.data) == {"order": 7}


@pytest.mark.parametrize("org_id", [ORG, None])
async def test_ids_that_the_run_came_with_do_not_count(org_id):
    context = PipelineContext.create(
        data={"auth_token": TOKEN}, user_id=new_id(), org_id=OTHER_ORG, input_text="Hi"
    )
    admitted = await AuthInterceptor(Verifier(AuthContext(USER, org_id))).admit(context)
    assert (admitted.user_id, admitted.org_id) == (USER, org_id)
    assert admitted.snapshot.input_text == "Hi"


async def test_no_stage_sees_a_token_whatever_its_key():
    context = PipelineContext.create(data={"_auth_token": TOKEN, "auth_token": "tok-2", "n": 1})
    verifier = Verifier(AuthContext(USER))
    admitted = await AuthInterceptor(verifier).admit(context)
    assert verifier.asked == [TOKEN]
    assert dict(admitted.view.data) == {"n": 1}


async def test_cancelling_the_run_that_was_asked_for_cancels_the_admitted_one():
    context = run_of()
    admitted = await AuthInterceptor(Verifier(AuthContext(USER))).admit(context)
    context.mark_cancelled("user left")
    assert admitted.cancellation_reason == "user left"


async def test_a_login_is_told_with_the_ids_alone():
    heard = Heard()
    verified = AuthContext(USER, ORG, roles=("admin",), claims={"raw": TOKEN})
    context = run_of()
    await AuthInterceptor(Verifier(verified)).admit(context, heard)
    assert heard == [
        (
            "auth.login",
            {
                "pipeline_run_id": str(context.pipeline_run_id),
                "request_id": str(context.request_id),
                "user_id": str(USER),
                "org_id": str(ORG),
            },
        )
    ]


# --- who is denied --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "data",
    [
        {},
        {"_auth_token": None},
        {"auth_token": ""},
        {"auth_token": "  "},
        {"auth_token": TOKEN.encode()},
        {"_auth_token": 7, "auth_token": TOKEN},
    ],
    ids=str,
)
async def test_a_run_without_a_token_is_denied_without_asking(data):
    verifier = Verifier(AuthContext(USER))
    context = PipelineContext.create(data=data, user_id=USER)
    error, _ = await denied(AuthInterceptor(verifier), context)
    assert error.code == "AUTH-TOKEN-MISSING"
    assert verifier.asked == []


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (AuthenticationError(f"{TOKEN} has expired"), "AUTH-TOKEN-REFUSED"),
        (ValueError(TOKEN), "AUTH-VERIFIER-FAULT"),
        (asyncio.CancelledError(TOKEN), "AUTH-VERIFIER-FAULT"),
        (TimeoutError(TOKEN), "AUTH-VERIFIER-FAULT"),
        (SystemExit(TOKEN), "AUTH-VERIFIER-FAULT"),
        (None, "AUTH-VERIFIER-FAULT"),
        (True, "AUTH-VERIFIER-FAULT"),
        ({"user_id": USER}, "AUTH-VERIFIER-FAULT"),
        (AuthContext, "AUTH-VERIFIER-FAULT"),
        (AuthContext(None), "AUTH-IDENTITY-MALFORMED"),
        (AuthContext(""), "AUTH-IDENTITY-MALFORMED"),
        (AuthContext(TOKEN), "AUTH-IDENTITY-MALFORMED"),
        (AuthContext(f"{{{USER}}}"), "AUTH-IDENTITY-MALFORMED"),
        (AuthContext(USER.hex), "AUTH-IDENTITY-MALFORMED"),
        (AuthContext(USER.int), "AUTH-IDENTITY-MALFORMED"),
        (AuthContext(USER, TOKEN), "AUTH-IDENTITY-MALFORMED"),
        (AuthContext(USER, ""), "AUTH-IDENTITY-MALFORMED"),
        (AuthContext(USER, ORG, session_id="s1"), "AUTH-IDENTITY-MALFORMED"),
    ],
    ids=repr,
)
async def test_whatever_is_wrong_denies_and_shows_no_token(answer, code, caplog):
    caplog.set_level(logging.DEBUG)
    context = run_of()
    error, (type_, data) = await denied(AuthInterceptor(Verifier(answer)), context)
    assert error.code == code
    assert (type_, data["code"]) == ("auth.failure", code)
    assert data["pipeline_run_id"] == str(context.pipeline_run_id)
    shown = [repr(error), str(error), *traceback.format_exception(error), repr(data), caplog.text]
    assert [text for text in shown if TOKEN in text] == []


@pytest.mark.parametrize("answer", [ValueError(TOKEN), AuthenticationError(TOKEN)])
async def test_a_denial_leads_to_no_frame_or_cause_with_the_token(answer):
    error, _ = await denied(AuthInterceptor(Verifier(answer)), run_of())
    assert (error.__cause__, error.__context__) == (None, None)
    ours = [
        frame.f_locals
        for frame, _ in traceback.walk_tb(error.__traceback__)
        if "stageflow_actors" in frame.f_code.co_filename
    ]
    assert ours
    assert [shown for shown in ours if TOKEN in repr(shown)] == []


@pytest.mark.parametrize("verifies", [lambda self, token: AuthContext(USER), None])
async def test_a_verifier_that_is_not_async_denies_or_is_refused(verifies):
    odd = type("Odd", (), {"verify": verifies})()
    if verifies is None:
        with pytest.raises(TypeError, match="TokenVerifier"):
            AuthInterceptor(odd)
    else:
        error, _ = await denied(AuthInterceptor(odd), run_of())
        assert error.code == "AUTH-VERIFIER-FAULT"


async def test_a_verifier_that_hangs_denies_even_if_it_does_not_stop():
    verifier = Stubborn()
    error, _ = await denied(AuthInterceptor(verifier, timeout_s=0.01), run_of())
    assert error.code == "AUTH-VERIFIER-TIMEOUT"
    verifier.gate.set()


async def test_who_gives_up_waiting_is_not_kept():
    verifier, heard = Stubborn(), Heard()
    admission = asyncio.create_task(AuthInterceptor(verifier).admit(run_of(), heard))
    await verifier.is_asked.wait()
    admission.cancel()
    with pytest.raises(asyncio.CancelledError):
        await admission
    assert heard == []
    verifier.gate.set()


async def test_an_event_that_cannot_be_told_changes_nothing(caplog):
    def broken(type_, data):
        raise OSError("disk full")

    admitted = await AuthInterceptor(Verifier(AuthContext(USER))).admit(run_of(), broken)
    assert admitted.user_id == USER
    with pytest.raises(AuthenticationError):
        await AuthInterceptor(Verifier(None)).admit(run_of(), broken)
    assert "auth.login" in caplog.text
    assert "auth.failure" in caplog.text
    assert TOKEN not in caplog.text


# --- declarations ---------------------------------------------------------------------------------


def test_there_is_no_verifier_by_default():
    with pytest.raises(TypeError):
        AuthInterceptor()


@pytest.mark.parametrize("verifier", [None, object(), Verifier, "secret"])
def test_what_cannot_verify_is_refused(verifier):
    with pytest.raises(TypeError, match="TokenVerifier"):
        AuthInterceptor(verifier)


@pytest.mark.parametrize("timeout_s", [0, -1, float("nan"), None, "5"])
def test_a_time_that_cannot_be_is_refused(timeout_s):
    with pytest.raises(PolicyError):
        AuthInterceptor(Verifier(None), timeout_s=timeout_s)


def test_they_are_what_their_protocols_say():
    auth, org = AuthInterceptor(Verifier(None)), OrgEnforcementInterceptor()
    assert isinstance(auth, Admission)
    assert isinstance(org, Admission)
    assert isinstance(Verifier(None), TokenVerifier)
    assert (auth.priority, org.priority) == (1, 2)


def test_what_an_auth_context_shows_of_itself_is_without_claims():
    verified = AuthContext(USER, ORG, roles=("admin",), claims={"email": "a@example.org"})
    assert "example.org" not in repr(verified)
    assert verified.has_role("admin")
    assert not verified.has_role("root")


# --- what it may ask for --------------------------------------------------------------------------


def of_org(org_id, **data):
    return PipelineContext.create(data=data, user_id=USER, org_id=org_id)


@pytest.mark.parametrize("owner", [ORG, str(ORG), str(ORG).upper()])
async def test_a_run_may_ask_for_what_its_own_organisation_has(owner):
    context, heard = of_org(ORG, _resource_org_id=owner), Heard()
    assert await OrgEnforcementInterceptor().admit(context, heard) is context
    assert heard == []


@pytest.mark.parametrize("org_id", [ORG, None])
async def test_a_run_that_asks_for_nothing_passes(org_id):
    context = of_org(org_id)
    assert await OrgEnforcementInterceptor().admit(context) is context


@pytest.mark.parametrize("org_id", [ORG, None])
async def test_what_another_organisation_has_is_denied(org_id):
    context = of_org(org_id, _resource_org_id=str(OTHER_ORG))
    error, event = await denied(OrgEnforcementInterceptor(), context, TenantAccessDeniedError)
    assert error.code == "AUTH-TENANT-DENIED"
    assert event == (
        "tenant.access_denied",
        {
            "pipeline_run_id": str(context.pipeline_run_id),
            "request_id": str(context.request_id),
            "code": "AUTH-TENANT-DENIED",
            "reason": error.message,
            "user_id": str(USER),
            "org_id": None if org_id is None else str(org_id),
            "resource_org_id": str(OTHER_ORG),
        },
    )


@pytest.mark.parametrize("org_id", [ORG, None])
@pytest.mark.parametrize("owner", [None, "", TOKEN, 7, ORG.hex, f"urn:uuid:{ORG}", [ORG]])
async def test_an_owner_that_is_no_uuid_is_denied_and_not_repeated(org_id, owner):
    context = of_org(org_id, _resource_org_id=owner)
    error, (_, data) = await denied(OrgEnforcementInterceptor(), context, TenantAccessDeniedError)
    assert error.code == "AUTH-TENANT-MALFORMED"
    assert data["resource_org_id"] is None
    assert TOKEN not in str(error) + repr(data)
