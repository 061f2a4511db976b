"""JSON Web Key Sets: the keys of an issuer, as it publishes them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from stageflow_actors.errors import PolicyError
from stageflow_actors.security.strict_json import read_object
from stageflow_actors.security.verification_keys import (
    FixedKeys,
    Key,
    algorithms_of,
    load_pyjwt,
    read_key,
)

_READ_AS = frozenset({("RSA", "RS256"), ("EC", "ES256"), ("OKP", "EdDSA")})
"""Types of keys, and an algorithm that reads them. Secrets have no place in what is published."""

KeySet = Mapping[tuple[str | None, str], Key]
"""Keys by their ``kid`` and an algorithm that they may be used with."""


class JwksDocument(FixedKeys):
    """The keys of a JWK Set that is at hand, as a mapping or as JSON text.

    Keys that cannot be used are passed over: private or weak ones, secrets, those without a ``kid``
    or for something else than signatures.

    Raises:
        PolicyError: it is no JWK Set, or has no key that can be used.
    """

    def __init__(self, document: Mapping[str, Any] | str) -> None:
        read = read_object(document.encode()) if isinstance(document, str) else document
        keys = read_key_set(read)
        if not keys:
            raise PolicyError(
                "A JWK Set has no key that can be used.",
                hint="A key has a kty, a kid, and is public: RSA of 2048 bits, EC or Ed25519.",
            )
        super().__init__(keys)


def read_key_set(document: object) -> KeySet | None:
    """The usable keys of a JWK Set; ``None`` where ``document`` is none."""
    entries = document.get("keys") if isinstance(document, Mapping) else None
    if not isinstance(entries, list):
        return None
    found: dict[tuple[str | None, str], Key] = {}
    for entry in entries:
        key = _key_of(entry)
        if key is None:
            continue
        for algorithm in key.algorithms:
            if entry.get("alg", algorithm) == algorithm:
                found.setdefault((entry["kid"], algorithm), key)
    return found


def _key_of(entry: object) -> Key | None:
    if not isinstance(entry, Mapping):
        return None
    kid, kind = entry.get("kid"), entry.get("kty")
    if not isinstance(kid, str) or not kid or entry.get("use", "sig") != "sig":
        return None
    operations = entry.get("key_ops", ["verify"])
    reader = next((name for each, name in _READ_AS if each == kind), None)
    if reader is None or not isinstance(operations, list) or "verify" not in operations:
        return None
    try:
        public = load_pyjwt().get_algorithm_by_name(reader).from_jwk(dict(entry))
    except ModuleNotFoundError:
        raise
    except Exception:  # one bad key does not keep the others from being used
        return None
    return read_key(public) if algorithms_of(public) else None
