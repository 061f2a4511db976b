"""``ClaimRules``: what the claims of a token have to say before somebody is let in as its owner."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeGuard
from uuid import UUID, uuid5

from stageflow_actors.errors.security import AuthenticationError
from stageflow_actors.errors.stages import StageOutputError
from stageflow_actors.model.frozen import freeze
from stageflow_actors.security.token_form import malformed
from stageflow_actors.security.tokens import AuthContext

_LAST_SECOND = 253_402_300_799
"""The end of the year 9999: what is later is no time."""

_SCOPES = ("scope", "scp", "scopes")


@dataclass(frozen=True, slots=True)
class ClaimRules:
    """What is wanted of a token whose signature is good. ``None`` is not asked for."""

    issuer: str | None
    audience: frozenset[str] | None
    tenant_claim: str
    require_tenant: bool
    leeway_s: float
    ids_in: UUID | None

    def read(self, claims: Mapping[str, Any], now: float) -> AuthContext:
        """Who the token belongs to; its scopes are the roles. ``now`` is in seconds since 1970.

        Raises:
            AuthenticationError: ``AUTH-TOKEN-EXPIRED``, ``AUTH-TOKEN-EARLY``,
                ``AUTH-TOKEN-CLAIMS`` or ``AUTH-TOKEN-MALFORMED``.
        """
        self._check_times(claims, now)
        if self.issuer is not None and claims.get("iss") != self.issuer:
            raise _unusable("iss")
        if not self._is_for_us(claims):
            raise _unusable("aud")
        has_tenant = self.require_tenant or self.tenant_claim in claims
        try:
            frozen, _is_plain = freeze(dict(claims))
        except StageOutputError:
            frozen = None
        if frozen is None:  # nested deeper than anything may be that stages see
            raise malformed()
        return AuthContext(
            user_id=self._id(claims, "sub"),
            org_id=self._id(claims, self.tenant_claim) if has_tenant else None,
            roles=_scopes_of(claims),
            claims=frozen,
        )

    def _check_times(self, claims: Mapping[str, Any], now: float) -> None:
        times = {name: claims[name] for name in ("exp", "nbf", "iat") if name in claims}
        for name, time in times.items():
            if type(time) is not int or not 0 <= time <= _LAST_SECOND:
                raise _unusable(name)
        if "exp" not in times:
            raise _unusable("exp")
        if times["exp"] <= now - self.leeway_s:
            raise AuthenticationError("The token has expired.", code="AUTH-TOKEN-EXPIRED")
        if max(times.get("nbf", 0), times.get("iat", 0)) > now + self.leeway_s:
            raise AuthenticationError("The token is not valid yet.", code="AUTH-TOKEN-EARLY")

    def _is_for_us(self, claims: Mapping[str, Any]) -> bool:
        """A token for nobody in particular is for us only where we say that we are nobody."""
        if self.audience is None:
            return "aud" not in claims
        given = claims.get("aud")
        named = given if isinstance(given, list) else [given]
        return all(map(_is_text, named)) and not self.audience.isdisjoint(named)

    def _id(self, claims: Mapping[str, Any], name: str) -> UUID:
        given = claims.get(name)
        if not _is_text(given):
            raise _unusable(name)
        if self.ids_in is not None:
            return uuid5(self.ids_in, given)
        try:
            read = UUID(given)
        except ValueError:
            read = None
        if read is None or str(read) != given.lower():  # UUID reads other spellings, too
            raise _unusable(name)
        return read


def _scopes_of(claims: Mapping[str, Any]) -> tuple[str, ...]:
    """Of the first claim that has any; only ``scope`` is never a list."""
    name = next((each for each in _SCOPES if each in claims), None)
    given = claims[name] if name else ""
    if isinstance(given, str):
        given = given.split()
    elif name == "scope" or not isinstance(given, list):
        raise _unusable(name or "")
    if not all(map(_is_text, given)):
        raise _unusable(name or "")
    return tuple(given)


def _is_text(given: object) -> TypeGuard[str]:
    return isinstance(given, str) and given != "" and given.isprintable()


def _unusable(claim: str) -> AuthenticationError:
    return AuthenticationError(
        f"The token's {claim!r} is missing, or not what it has to be.", code="AUTH-TOKEN-CLAIMS"
    )
