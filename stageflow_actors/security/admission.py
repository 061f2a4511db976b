"""Who may start a run: asked once, before the run is submitted. What is in doubt is denied."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from enum import Enum
from typing import Any, NamedTuple, Protocol, runtime_checkable
from uuid import UUID

from stageflow_actors.errors import plain_text
from stageflow_actors.errors.security import AuthenticationError, TenantAccessDeniedError
from stageflow_actors.model.pipeline_context import PipelineContext
from stageflow_actors.model.policies.numbers import check_seconds
from stageflow_actors.security.tokens import AuthContext, TokenVerifier

logger = logging.getLogger("stageflow_actors.security")

LOGIN = "auth.login"
FAILURE = "auth.failure"
ACCESS_DENIED = "tenant.access_denied"

_TOKENS = ("_auth_token", "auth_token")
_RESOURCE = "_resource_org_id"

Emit = Callable[[str, Mapping[str, Any]], object]
"""Takes an event: its type, and its data as plain values. What it raises is logged."""


def discard(_type: str, _data: Mapping[str, Any]) -> None:
    """An ``Emit`` for which nobody listens."""


@runtime_checkable
class Admission(Protocol):
    """A check of a run before it is submitted; several are asked by ascending ``priority``."""

    name: str
    priority: float

    async def admit(self, context: PipelineContext, emit: Emit = discard) -> PipelineContext:
        """The run as it may be submitted.

        Raises:
            StageflowError: it may not.
        """


class AuthInterceptor:
    """Admits the runs whose token ``verifier`` knows, as runs of that user and organisation.

    The token is the run's ``data["_auth_token"]``, or else ``["auth_token"]``. The run that is
    admitted has neither, and the ids of the token in place of those it came with; ``user_id`` and
    ``org_id`` of its identity can be relied upon. A verifier has ``timeout_s`` seconds; one that
    blocks the event loop cannot be stopped.

    Raises:
        TypeError: ``verifier`` cannot verify.
        PolicyError: ``timeout_s`` is no number of seconds.
    """

    name = "auth"
    priority: float = 1

    def __init__(self, verifier: TokenVerifier, *, timeout_s: float = 5.0) -> None:
        if isinstance(verifier, type) or not isinstance(verifier, TokenVerifier):
            raise TypeError(f"AuthInterceptor needs a TokenVerifier, got {type(verifier)!r:.80}.")
        check_seconds("AuthInterceptor", {"timeout_s": timeout_s})
        self._verifier = verifier
        self._timeout_s = timeout_s

    async def admit(self, context: PipelineContext, emit: Emit = discard) -> PipelineContext:
        """The run of whoever the token belongs to, without the token.

        Raises:
            AuthenticationError: ``AUTH-TOKEN-MISSING``, ``AUTH-TOKEN-REFUSED``,
                ``AUTH-VERIFIER-TIMEOUT``, ``AUTH-VERIFIER-FAULT`` or ``AUTH-IDENTITY-MALFORMED``.
        """
        # An answer, never an exception: its cause and its frames would have the token.
        verdict = await self._judge(context)
        if isinstance(verdict, _Denial):
            code, reason, hint = verdict.value
            _tell(emit, FAILURE, context, code=code, reason=reason)
            raise AuthenticationError(reason, hint=hint, code=code)
        admitted = _for_identity(context, verdict)
        _tell(emit, LOGIN, admitted, user_id=_text(verdict.user_id), org_id=_text(verdict.org_id))
        return admitted

    async def _judge(self, context: PipelineContext) -> _Identity | _Denial:
        given = (context.data.get(name) for name in _TOKENS)
        token = next((each for each in given if each is not None), None)
        if not isinstance(token, str) or not str.strip(token):
            return _Denial.NO_TOKEN
        answer = await self._ask(plain_text(token))
        return answer if isinstance(answer, _Denial) else _identity_of(answer)

    async def _ask(self, token: str) -> AuthContext | _Denial:
        """What the verifier says in its time; a task of its own cannot keep this one waiting."""
        asked = asyncio.create_task(_answer(self._verifier, token))
        try:
            await asyncio.wait({asked}, timeout=self._timeout_s)
        finally:
            in_time = asked.done()
            asked.cancel()
        if asked.cancelled() and in_time:
            return _Denial.FAULT  # it has cancelled itself
        return asked.result() if in_time else _Denial.TOO_LATE


class OrgEnforcementInterceptor:
    """Admits runs to what belongs to their own organisation, or to none.

    The owner is the run's ``data["_resource_org_id"]``; runs without that key ask for nothing.
    Compared with the run's ``org_id``: that is only as good as the ``AuthInterceptor`` before this.
    """

    name = "org_enforcement"
    priority: float = 2

    async def admit(self, context: PipelineContext, emit: Emit = discard) -> PipelineContext:
        """The same run.

        Raises:
            TenantAccessDeniedError: ``AUTH-TENANT-DENIED``, or ``AUTH-TENANT-MALFORMED`` where the
                owner is no UUID, ``None`` included.
        """
        if _RESOURCE not in context.data:
            return context
        owner, own = _to_uuid(context.data[_RESOURCE]), context.org_id
        if owner is not None and owner == own:
            return context
        if owner is None:
            code, reason = "AUTH-TENANT-MALFORMED", f"data[{_RESOURCE!r}] of the run is no UUID."
        else:
            code = TenantAccessDeniedError.default_code
            whose = "another organisation" if own else "an organisation, and the run to none"
            reason = f"What the run asks for belongs to {whose}."
        _tell(
            emit,
            ACCESS_DENIED,
            context,
            code=code,
            reason=reason,
            user_id=_text(context.user_id),
            org_id=_text(own),
            resource_org_id=_text(owner),
        )
        raise TenantAccessDeniedError(reason, code=code)


class _Identity(NamedTuple):
    user_id: UUID
    org_id: UUID | None


class _Denial(Enum):
    """Why nobody is admitted: code, message and hint. All of it is said here, nothing is quoted."""

    NO_TOKEN = (
        "AUTH-TOKEN-MISSING",
        "The run has no token.",
        f"Put it in the run's data as {_TOKENS[0]!r}, as text.",
    )
    REFUSED = ("AUTH-TOKEN-REFUSED", "The token of the run was refused.", "")
    TOO_LATE = ("AUTH-VERIFIER-TIMEOUT", "The token of the run was not verified in time.", "")
    FAULT = (
        "AUTH-VERIFIER-FAULT",
        "The token of the run could not be verified.",
        "The verifier raised, or returned something else than an AuthContext.",
    )
    MALFORMED = (
        "AUTH-IDENTITY-MALFORMED",
        "The token of the run has an id that is no UUID.",
        "An AuthContext has a user_id; an org_id and a session_id if there are any.",
    )


async def _answer(verifier: TokenVerifier, token: str) -> AuthContext | _Denial:
    """Whatever the verifier raises ends here: its text, cause and frames may have the token."""
    try:
        answer: object = await verifier.verify(token)
    except AuthenticationError:
        return _Denial.REFUSED
    except KeyboardInterrupt:
        raise
    except asyncio.CancelledError:
        return _Denial.FAULT
    except BaseException as error:
        logger.warning("A token verifier raised %s; the run was denied.", type(error).__name__)
        return _Denial.FAULT
    return answer if isinstance(answer, AuthContext) else _Denial.FAULT


def _identity_of(verified: AuthContext) -> _Identity | _Denial:
    user_id, org_id = _to_uuid(verified.user_id), _to_uuid(verified.org_id)
    if user_id is None or (org_id is None and verified.org_id is not None):
        return _Denial.MALFORMED
    if verified.session_id is not None and _to_uuid(verified.session_id) is None:
        return _Denial.MALFORMED
    return _Identity(user_id, org_id)


def _to_uuid(given: object) -> UUID | None:
    if isinstance(given, UUID):
        return given
    if not isinstance(given, str):
        return None
    try:
        read = UUID(given)
    except ValueError:
        return None
    return read if str(read) == given.lower() else None  # UUID reads other spellings, too


def _for_identity(context: PipelineContext, identity: _Identity) -> PipelineContext:
    """The same run, of ``identity`` and without its token; cancelling either cancels both."""
    ids = context.identity.model_copy(update=identity._asdict())
    admitted = context.with_snapshot(context.snapshot.model_copy(update={"run_id": ids}))
    admitted.data = {key: value for key, value in context.data.items() if key not in _TOKENS}
    return admitted


def _tell(emit: Emit, type_: str, context: PipelineContext, **data: str | None) -> None:
    ids = {
        "pipeline_run_id": str(context.pipeline_run_id),
        "request_id": str(context.request_id),
    }
    try:
        emit(type_, {**ids, **data})
    except Exception:
        logger.exception("The event %s could not be told.", type_)


def _text(given: UUID | None) -> str | None:
    return None if given is None else str(given)
