"""``Gate``: who asks, by the bearer token, and whether the token allows it."""

from __future__ import annotations

import ipaddress
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from uuid import UUID

from starlette.requests import HTTPConnection

from stageflow_actors.errors import AuthenticationError
from stageflow_actors.model.pipeline_context import PipelineContext
from stageflow_actors.model.streaming import Audience
from stageflow_actors.security import AuthContext, AuthInterceptor, TokenVerifier
from stageflow_actors.serving.faults import SOON_S, Fault, ProblemError, ServingError
from stageflow_actors.serving.headers import bearer_token, token_refused
from stageflow_actors.serving.recent_tokens import RecentTokens
from stageflow_actors.serving.scopes import Scope

_CANNOT_TELL = frozenset({"AUTH-VERIFIER-TIMEOUT", "AUTH-VERIFIER-FAULT"})
_LOCAL_HOST = r"(?i:localhost|127\.0\.0\.1|\[::1\])(:[0-9]{1,5})?"


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks. ``tenant`` is the organisation, or the user where there is none.

    ``sees_internal``: pieces that are not for users are shown, too. ``starts_runs``: besides what
    its route allows it may start runs, and cancel them.
    """

    tenant: str
    user_id: UUID | None = None
    org_id: UUID | None = None
    token: str | None = field(default=None, repr=False)
    sees_internal: bool = False
    starts_runs: bool = False


def audiences_of(caller: Caller) -> frozenset[Audience]:
    """Whose pieces the caller may see."""
    return frozenset(Audience) if caller.sees_internal else frozenset({Audience.USER})


class Gate:
    """Lets callers pass. Without a verifier it takes whoever is on this machine.

    Raises:
        ServingError: there is neither a verifier nor the word that loopback will do, or both
            (``SERVE-VERIFIER-MISSING``).
    """

    def __init__(
        self, verifier: TokenVerifier | None, *, insecure_loopback: bool, timeout_s: float
    ) -> None:
        if verifier is None and not insecure_loopback:
            raise ServingError(
                "There is no verifier: anybody could start runs.",
                hint="Give a TokenVerifier; on a machine of your own, insecure_loopback=True.",
                code="SERVE-VERIFIER-MISSING",
            )
        if verifier is not None and insecure_loopback:
            raise ServingError(
                "There is a verifier, and also insecure_loopback=True.",
                hint="Give one of the two.",
                code="SERVE-VERIFIER-MISSING",
            )
        if verifier is not None:
            AuthInterceptor(verifier, timeout_s=timeout_s)  # refuses what cannot verify
        self._verifier = verifier
        self._timeout_s = timeout_s
        self._recent = RecentTokens()

    @property
    def asks_for_tokens(self) -> bool:
        """Whether it has a verifier."""
        return self._verifier is not None

    def check_host(self, host: str) -> None:
        """Pass, if an application that listens at ``host`` is reached by none that may not ask.

        Raises:
            ServingError: it asks nobody who they are, and others than this machine would reach it
                (``SERVE-EXPOSED``).
        """
        if not self.asks_for_tokens and not is_loopback_host(host):
            raise ServingError(
                f"Whoever reaches {host} could start runs.",
                hint="Bind to 127.0.0.1, or give a verifier.",
                code="SERVE-EXPOSED",
            )

    def recent_tenant(self, request: HTTPConnection) -> str | None:
        """Whose runs the token of the request may start, if that was verified just now: enough to
        refuse by, never to let anybody pass.

        Raises:
            ProblemError: there is no token.
        """
        if self._verifier is None:
            return None
        token = bearer_token(request.headers.getlist("authorization"))
        return self._recent.tenant_of(token, time.monotonic())

    async def admit(
        self, request: HTTPConnection, scope: Scope, given: Sequence[str] | None = None
    ) -> Caller:
        """Who asks, if they may. ``given`` is what stands for the ``Authorization`` headers.

        Raises:
            ProblemError: they may not, or nobody can tell.
        """
        if self._verifier is None:
            return _local_caller(request)
        token = bearer_token(request.headers.getlist("authorization") if given is None else given)
        noted = _Noted(self._verifier)
        asked, began = PipelineContext.create(data={"_auth_token": token}), time.monotonic()
        try:
            admitted = await AuthInterceptor(noted, timeout_s=self._timeout_s).admit(asked)
        except AuthenticationError as error:
            if error.code in _CANNOT_TELL:
                raise ProblemError(Fault.VERIFIER, retry_after_s=SOON_S) from None
            raise token_refused() from None
        assert noted.answer is not None, "it was admitted by this answer"
        if not noted.answer.has_role(scope):
            challenge = f'Bearer error="insufficient_scope", scope="{scope}"'
            headers = {"WWW-Authenticate": challenge}
            raise ProblemError(Fault.SCOPE, f"It needs the scope {scope}.", headers=headers)
        user_id, org_id = admitted.user_id, admitted.org_id
        tenant = f"org:{org_id}" if org_id is not None else f"user:{user_id}"
        sees_internal = noted.answer.has_role(Scope.RUNS_INTERNAL)
        starts_runs = noted.answer.has_role(Scope.RUNS_WRITE)
        if starts_runs:
            self._recent.note(token, tenant, began)
        return Caller(tenant, user_id, org_id, token, sees_internal, starts_runs)


class _Noted:
    """A verifier that keeps the answer of the other: an admitted run has no claims."""

    def __init__(self, verifier: TokenVerifier) -> None:
        self._verifier = verifier
        self.answer: AuthContext | None = None

    async def verify(self, token: str) -> AuthContext:
        self.answer = await self._verifier.verify(token)
        return self.answer


def _local_caller(request: HTTPConnection) -> Caller:
    """Whoever is on this machine, and calls it by its own name: a page that a browser there shows
    may lead other names to it.
    """
    client = request.client
    if client is None or not _is_loopback(client.host):
        raise ProblemError(Fault.LOOPBACK)
    hosts = request.headers.getlist("host")
    if len(hosts) != 1 or not re.fullmatch(_LOCAL_HOST, hosts[0]):
        raise ProblemError(Fault.LOOPBACK, "The Host header has to be localhost.")
    return Caller("loopback", sees_internal=True, starts_runs=True)


def is_loopback_host(host: str) -> bool:
    """Whether only this machine reaches ``host``."""
    return host.lower() == "localhost" or _is_loopback(host.strip("[]"))


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
