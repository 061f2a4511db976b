"""``JwtVerifier``: who a signed JSON Web Token belongs to."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Collection, Mapping
from typing import TYPE_CHECKING
from uuid import UUID

from stageflow_actors.errors import PolicyError
from stageflow_actors.errors.security import AuthenticationError
from stageflow_actors.model.policies.numbers import check_count, check_seconds, refuse
from stageflow_actors.security.strict_json import read_object
from stageflow_actors.security.token_claims import ClaimRules
from stageflow_actors.security.token_form import malformed, read_token
from stageflow_actors.security.tokens import AuthContext
from stageflow_actors.security.verification_keys import ALGORITHMS, KeySource, fixed_keys

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

    OneKey = str | bytes | RSAPublicKey | EllipticCurvePublicKey | Ed25519PublicKey

logger = logging.getLogger("stageflow_actors.security")

_LONGEST_LEEWAY_S = 300.0


class JwtVerifier:
    """A ``TokenVerifier`` for signed JSON Web Tokens of one issuer. It needs the extra ``auth``.

    ``keys`` is the key of all tokens, or a mapping of keys by their ``kid``, or a ``JwksUrl`` or
    ``JwksDocument``. A key is a public key in PEM form or as an object, or a secret. A token is
    checked with the key that it names, by one of ``algorithms`` that is made for that type of key;
    where a token says that its key is to be found elsewhere is never read.

    A token needs ``exp``, ``sub``, the ``issuer`` and one of ``audience`` (``None``: any issuer,
    and no audience), and the organisation as ``tenant_claim``, which may only be missing without
    ``require_tenant``. ``nbf`` and ``iat`` are not in the future, by more than ``leeway_s``. Both
    ids have to be UUIDs; or else give ``ids_in``, and they become ``uuid5(ids_in, id)``.

    Scopes (``scope``, ``scp`` or ``scopes``) are the roles of the ``AuthContext``. Longer tokens
    than ``max_length`` are not looked at.

    Raises:
        PolicyError: a part makes no sense, or there is no key for one of ``algorithms``.
        ModuleNotFoundError: PyJWT is not installed.
    """

    def __init__(
        self,
        *,
        keys: OneKey | Mapping[str, OneKey] | KeySource,
        algorithms: Collection[str],
        issuer: str | None,
        audience: str | Collection[str] | None,
        tenant_claim: str = "org_id",
        require_tenant: bool = True,
        ids_in: UUID | None = None,
        leeway_s: float = 30.0,
        max_length: int = 8192,
        clock: Callable[[], float] = time.time,
    ) -> None:
        check_seconds("JwtVerifier", {"leeway_s": leeway_s}, may_be_zero=True)
        if leeway_s > _LONGEST_LEEWAY_S:
            refuse("JwtVerifier", "leeway_s", leeway_s, f"Give {_LONGEST_LEEWAY_S} at most.")
        check_count("JwtVerifier", {"max_length": max_length})
        self._max_length = max_length
        self._rules = ClaimRules(
            issuer=None if issuer is None else _texts("issuer", [issuer])[0],
            audience=None if audience is None else frozenset(_texts("audience", audience)),
            tenant_claim=_texts("tenant_claim", [tenant_claim])[0],
            require_tenant=require_tenant,
            leeway_s=leeway_s,
            ids_in=ids_in,
        )
        self._keys = keys if isinstance(keys, KeySource) else fixed_keys(keys)
        self._algorithms = _checked_algorithms(algorithms, self._keys)
        self._clock = clock

    def recognises(self, token: str) -> bool:
        """Whether ``token`` has the outer form of one: two dots."""
        return token.count(".") == 2

    async def verify(self, token: str) -> AuthContext:
        """Who ``token`` belongs to.

        Raises:
            AuthenticationError: ``AUTH-TOKEN-MALFORMED``, ``AUTH-TOKEN-ALGORITHM``,
                ``AUTH-TOKEN-KEY``, ``AUTH-TOKEN-SIGNATURE``, ``AUTH-TOKEN-EXPIRED``,
                ``AUTH-TOKEN-EARLY``, ``AUTH-TOKEN-CLAIMS`` or ``AUTH-KEYS-UNAVAILABLE``.
        """
        try:
            return await self._read(token)
        except AuthenticationError as error:
            logger.info("A token was refused: %s.", error)
            raise

    async def _read(self, token: str) -> AuthContext:
        given = read_token(token, self._max_length)
        if given.algorithm not in self._algorithms:
            raise AuthenticationError(
                "The token is signed by an algorithm that is not accepted.",
                code="AUTH-TOKEN-ALGORITHM",
            )
        key = await self._keys.find(given.kid, given.algorithm)
        if key is None:
            raise AuthenticationError(
                "The token names no key that is known for its algorithm.", code="AUTH-TOKEN-KEY"
            )
        if not key.verifies(given.algorithm, given.signed, given.signature):
            raise AuthenticationError(
                "The signature of the token is not that of its key.", code="AUTH-TOKEN-SIGNATURE"
            )
        claims = read_object(given.payload)
        if claims is None:
            raise malformed()
        return self._rules.read(claims, self._clock())


def _checked_algorithms(given: Collection[str], keys: KeySource) -> tuple[str, ...]:
    names = _texts("algorithms", given)
    for name in names:
        if name not in ALGORITHMS:
            refuse(
                "JwtVerifier", "algorithms", name, f"Name some of {', '.join(sorted(ALGORITHMS))}."
            )
        if not keys.serves(name):
            raise PolicyError(
                f"JwtVerifier has no key for the algorithm {name}.",
                hint="A secret is for HS256 and its like, a public key for those of its type.",
            )
    return names


def _texts(name: str, given: object) -> tuple[str, ...]:
    """The texts that are given, at least one; one text is one."""
    texts = (given,) if isinstance(given, str) else given
    is_collection = isinstance(texts, Collection) and len(texts) > 0
    if not is_collection or not all(isinstance(each, str) and each for each in texts):  # type: ignore[attr-defined]
        refuse("JwtVerifier", name, given, "Give text that is not empty.")
    return tuple(texts)  # type: ignore[arg-type]
