"""The outer form of a JWT: three segments, and what its header may say."""

from __future__ import annotations

import base64
import binascii
from typing import Any, NamedTuple

from stageflow_actors.errors.security import AuthenticationError
from stageflow_actors.security.strict_json import read_object

_TYPES = frozenset({"jwt", "at+jwt", "application/at+jwt"})
"""What may stand as ``typ``: others are signed by the same keys, to be no proof of who asks."""

_REFUSED = ("crit", "cty")
"""Extensions that must be understood, and tokens within tokens: none is."""


class SignedToken(NamedTuple):
    """Nothing in it is known to be true yet. ``signed`` is what ``signature`` is said to be of."""

    algorithm: str
    kid: str | None
    payload: bytes
    signed: bytes
    signature: bytes


def read_token(token: str, max_length: int) -> SignedToken:
    """The parts of ``token``, by its form alone. Other members of its header are never read.

    Raises:
        AuthenticationError: ``AUTH-TOKEN-MALFORMED``.
    """
    if len(token) > max_length or not token.isascii():
        raise malformed()
    segments = [_decoded(each) for each in token.split(".", 3)]
    if len(segments) != 3 or not all(segments):
        raise malformed()
    head, payload, signature = (each or b"" for each in segments)
    algorithm, kid = _read_header(read_object(head))
    return SignedToken(algorithm, kid, payload, token.rpartition(".")[0].encode(), signature)


def malformed() -> AuthenticationError:
    """The error of a token that is none, whatever of it is wrong."""
    return AuthenticationError(
        "The token is no JSON Web Token of the form that is accepted.", code="AUTH-TOKEN-MALFORMED"
    )


def _decoded(segment: str) -> bytes | None:
    """Its bytes, where it is their only spelling: without padding, line ends or spare bits."""
    try:
        plain = base64.urlsafe_b64decode(segment + "=" * (-len(segment) % 4))
    except binascii.Error:
        return None
    return plain if base64.urlsafe_b64encode(plain).rstrip(b"=") == segment.encode() else None


def _read_header(header: dict[str, Any] | None) -> tuple[str, str | None]:
    if header is None or any(name in header for name in _REFUSED):
        raise malformed()
    algorithm, kid, kind = header.get("alg"), header.get("kid"), header.get("typ", "JWT")
    if not isinstance(kind, str) or kind.lower() not in _TYPES:
        raise malformed()
    if not isinstance(algorithm, str) or not isinstance(kid, str | None):
        raise malformed()
    return algorithm, kid
