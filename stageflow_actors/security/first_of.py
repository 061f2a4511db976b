"""``FirstOf``: several kinds of tokens at one door, told apart by their form."""

from __future__ import annotations

from typing import Protocol

from stageflow_actors.errors.security import AuthenticationError
from stageflow_actors.security.tokens import AuthContext, TokenVerifier


class FormVerifier(TokenVerifier, Protocol):
    """A verifier that knows its tokens by their form."""

    def recognises(self, token: str) -> bool:
        """Whether ``token`` looks like one of its own, good or not."""


class FirstOf:
    """Asks the first of ``verifiers`` that recognises the token, and no other.

    What that one refuses is refused: no token is tried until somebody takes it.
    """

    def __init__(self, *verifiers: FormVerifier) -> None:
        self._verifiers = verifiers

    async def verify(self, token: str) -> AuthContext:
        """What the verifier of that form says.

        Raises:
            AuthenticationError: it refuses, or no verifier is for that form
                (``AUTH-TOKEN-UNRECOGNISED``).
        """
        for verifier in self._verifiers:
            if verifier.recognises(token):
                return await verifier.verify(token)
        raise AuthenticationError(
            "The token is of no form that is accepted.", code="AUTH-TOKEN-UNRECOGNISED"
        )
