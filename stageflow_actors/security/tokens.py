"""``TokenVerifier``: who asks, by a token; and ``AuthContext``, its answer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable
from uuid import UUID

from stageflow_actors.model.frozen import FrozenDict


@dataclass(frozen=True, slots=True)
class AuthContext:
    """For whom a run is, as its token says. An id that is text has the form of a UUID.

    ``org_id`` is ``None`` for a token that belongs to no organisation. The ``repr`` is without the
    claims: they may say more about somebody than a log should.
    """

    user_id: UUID | str
    org_id: UUID | str | None = None
    roles: tuple[str, ...] = ()
    session_id: UUID | str | None = None
    claims: Mapping[str, Any] = field(default_factory=FrozenDict, repr=False)

    def has_role(self, role: str) -> bool:
        """Whether ``role`` is among its roles."""
        return role in self.roles


@runtime_checkable
class TokenVerifier(Protocol):
    """Knows which tokens are good. Must be safe to call for many runs at a time."""

    async def verify(self, token: str) -> AuthContext:
        """Who ``token`` belongs to.

        Raises:
            AuthenticationError: it is no good: unknown, expired, for something else. Any other
                exception denies as well. Nothing of either is shown to whoever starts the run.
        """
