"""``Key``: one key that signatures are checked with, and the algorithms that it may serve."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Any, Protocol, runtime_checkable

from stageflow_actors.errors import PolicyError
from stageflow_actors.security.strict_json import read_object

_PEM = b"-----BEGIN"
_OF_RSA = frozenset({"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"})
_OF_CURVES = frozenset(
    {
        ("secp256r1", "ES256"),
        ("secp384r1", "ES384"),
        ("secp521r1", "ES512"),
        ("secp256k1", "ES256K"),
    }
)
_OF_ED25519 = frozenset({"EdDSA"})
_OF_SECRETS = frozenset({("HS256", 32), ("HS384", 48), ("HS512", 64)})
"""With the fewest bytes that a secret for them has."""

ALGORITHMS = (
    _OF_RSA
    | _OF_ED25519
    | frozenset(name for _curve, name in _OF_CURVES)
    | frozenset(name for name, _bytes in _OF_SECRETS)
)
"""Those that a verifier may be configured for. There is none that means: not signed."""

_FEWEST_RSA_BITS = 2048
_FEWEST_DISTINCT_BYTES = 8
"""A secret out of chance has more; ``"x" * 32`` has one."""

_HINT = "Give a public key in PEM form, or a secret of at least 32 random bytes."


@runtime_checkable
class KeySource(Protocol):
    """Where a verifier finds the key of a token."""

    def serves(self, algorithm: str) -> bool:
        """Whether it may have a key for ``algorithm``."""

    async def find(self, kid: str | None, algorithm: str) -> Key | None:
        """The key of that id for that algorithm, if there is one.

        Raises:
            AuthenticationError: nobody can say (``AUTH-KEYS-UNAVAILABLE``).
        """


class Key:
    """A public key, or a secret. It pickles as its text; nothing shows that.

    Raises:
        PolicyError: it is neither, it is private, or it is too weak for any algorithm.
    """

    __slots__ = ("_material", "_usable", "algorithms")

    algorithms: frozenset[str]
    """What it is good for, by its type and size: never by what a token says."""

    def __init__(self, material: bytes) -> None:
        is_public = _PEM in material
        self._material = material
        self._usable = _public_key(material) if is_public else _secret(material)
        self.algorithms = algorithms_of(self._usable)
        if not self.algorithms:
            raise PolicyError("A key is too weak, or serves no known algorithm.", hint=_HINT)

    def verifies(self, algorithm: str, signed: bytes, signature: bytes) -> bool:
        """Whether ``signature`` is that of ``signed`` by ``algorithm``, which it serves."""
        is_signed: bool = (
            load_pyjwt().get_algorithm_by_name(algorithm).verify(signed, self._usable, signature)
        )
        return is_signed

    def __reduce__(self) -> tuple[Callable[[bytes], Key], tuple[bytes]]:
        return Key, (self._material,)


class FixedKeys:
    """Keys that are there from the start, by ``kid`` and algorithm; one of ``None`` is for all."""

    def __init__(self, keys: Mapping[tuple[str | None, str], Key]) -> None:
        self._keys = dict(keys)

    def serves(self, algorithm: str) -> bool:
        return any(name == algorithm for _kid, name in self._keys)

    async def find(self, kid: str | None, algorithm: str) -> Key | None:
        return self._keys.get((kid, algorithm)) or self._keys.get((None, algorithm))


def fixed_keys(given: Any) -> FixedKeys:
    """The keys that ``given`` is: one for all tokens, or several by their ``kid``.

    Raises:
        PolicyError: one of them cannot be used, or its ``kid`` is no text.
    """
    named = given.items() if isinstance(given, Mapping) else [(None, given)]
    found: dict[tuple[str | None, str], Key] = {}
    for kid, each in named:
        if isinstance(given, Mapping) and (not isinstance(kid, str) or not kid):
            raise PolicyError("Keys go by their kid, as text.", hint="Give {kid: key, ...}.")
        key = read_key(each)
        found |= {(kid, algorithm): key for algorithm in key.algorithms}
    return FixedKeys(found)


def read_key(given: Any) -> Key:
    """The key that is given as text, as bytes, or as a public key object of ``cryptography``.

    Raises:
        PolicyError: it is none that can be used.
    """
    if isinstance(given, str):
        return Key(given.encode())
    if isinstance(given, bytes):
        return Key(given)
    if not algorithms_of(given):
        raise PolicyError(f"A key that is a {type(given).__name__} cannot be used.", hint=_HINT)
    from cryptography.hazmat.primitives import serialization

    form = serialization.PublicFormat.SubjectPublicKeyInfo
    return Key(given.public_bytes(serialization.Encoding.PEM, form))


def algorithms_of(key: object) -> frozenset[str]:
    """What a key is good for; none for a private one, a weak one, or what is no key."""
    if isinstance(key, bytes):
        return frozenset(name for name, fewest in _OF_SECRETS if len(key) >= fewest)
    load_pyjwt()
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

    if isinstance(key, rsa.RSAPublicKey):
        return _OF_RSA if key.key_size >= _FEWEST_RSA_BITS else frozenset()
    if isinstance(key, ec.EllipticCurvePublicKey):
        return frozenset(name for curve, name in _OF_CURVES if curve == key.curve.name)
    return _OF_ED25519 if isinstance(key, ed25519.Ed25519PublicKey) else frozenset()


def load_pyjwt() -> ModuleType:
    """PyJWT, with what it needs for public keys: loaded when the first key is made.

    Raises:
        ModuleNotFoundError: it is not installed.
    """
    try:
        import cryptography  # noqa: F401
        import jwt
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            "A JwtVerifier needs PyJWT: pip install 'stageflow-actors[auth]'.", name=error.name
        ) from error
    return jwt


def _public_key(material: bytes) -> object:
    load_pyjwt()
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    try:
        return load_pem_public_key(material)
    except Exception:  # its text may have the key
        reason = "A key in PEM form is no public key."
    raise PolicyError(reason, hint=_HINT)


def _secret(material: bytes) -> bytes:
    if _is_public(material):
        raise PolicyError("A public key is given as a secret.", hint=_HINT)
    if len(set(material)) < _FEWEST_DISTINCT_BYTES:
        raise PolicyError("A secret is too weak.", hint=_HINT)
    return material


def _is_public(material: bytes) -> bool:
    """Whether it is a key, or a certificate, that everybody may know, and could sign with."""
    load_pyjwt()
    from cryptography import x509
    from cryptography.hazmat.primitives import serialization

    forms = (serialization.load_der_public_key, serialization.load_ssh_public_key)
    for read in (*forms, x509.load_der_x509_certificate):
        with contextlib.suppress(Exception):
            read(material)
            return True
    return read_object(material) is not None
