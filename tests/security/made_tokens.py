"""Tokens made by hand, good and bad: what a library would not write, an attacker does."""

from __future__ import annotations

import base64
import functools
import hashlib
import hmac
import json
from datetime import UTC, datetime, timedelta
from uuid import UUID

import jwt
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from stageflow_actors import AuthenticationError, JwtVerifier

NOW = 1_800_000_000
USER, ORG = UUID(int=7), UUID(int=8)
ISSUER, AUDIENCE = "https://login.example.org/", "https://api.example.org"
SECRET = "4f9c1d2e7a8b3065f1e2d3c4b5a69788"


def now():
    return float(NOW)


@functools.cache
def private(name):
    """The same private key for the same name in all tests; ``rsa``, ``ec`` and ``ed`` are ours."""
    if name.startswith("rsa"):
        return rsa.generate_private_key(65537, 1024 if name == "rsa-weak" else 2048)
    if name.startswith("ed"):
        return ed25519.Ed25519PrivateKey.generate()
    curves = {"ec-384": ec.SECP384R1(), "ec-k": ec.SECP256K1(), "ec-224": ec.SECP224R1()}
    return ec.generate_private_key(curves.get(name, ec.SECP256R1()))


def public(name):
    return private(name).public_key()


def pem(key):
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    return key.public_bytes(serialization.Encoding.PEM, form).decode()


def private_pem(name):
    form, none = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    return private(name).private_bytes(serialization.Encoding.PEM, form, none).decode()


def segment(data):
    raw = data if isinstance(data, bytes) else json.dumps(data).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def signed(header, payload, key, algorithm=None):
    """A token of exactly these bytes; it is signed by ``algorithm``, whatever its header says."""
    text = f"{segment(header)}.{segment(payload)}"
    signer = jwt.get_algorithm_by_name(algorithm or header["alg"])
    return f"{text}.{segment(signer.sign(text.encode(), key))}"


def changed(given, changes):
    """``given`` with ``changes``; what is ``...`` is left out."""
    return {name: value for name, value in {**given, **changes}.items() if value is not ...}


def claims(**changes):
    usual = {"iss": ISSUER, "aud": AUDIENCE, "sub": str(USER), "org_id": str(ORG)}
    return changed({**usual, "exp": NOW + 60, "iat": NOW - 60}, changes)


def header(**changes):
    return changed({"alg": "RS256", "typ": "JWT", "kid": "rsa"}, changes)


def token(payload=None, **changes):
    """A good token of ours, but for the ``changes`` of its header."""
    return signed(
        header(**changes), claims() if payload is None else payload, private("rsa"), "RS256"
    )


def saying(**changes):
    """One with these ``changes`` of its claims."""
    return token(claims(**changes))


def keys():
    return {"rsa": pem(public("rsa")), "ec": pem(public("ec")), "hs": SECRET}


def confused(kid, payload=None):
    """Signed by HMAC, with the public key that everybody knows as the secret."""
    said = claims() if payload is None else payload
    text = f"{segment(header(alg='HS256', kid=kid))}.{segment(said)}"
    mac = hmac.new(keys()["rsa"].encode(), text.encode(), hashlib.sha256).digest()
    return f"{text}.{segment(mac)}"


def verifier(**changes):
    usual = {"keys": keys(), "algorithms": ["RS256", "ES256", "HS256"], "clock": now}
    return JwtVerifier(**{**usual, "issuer": ISSUER, "audience": AUDIENCE, **changes})


def jwk(name, **changes):
    """The public key of that name as the entry of a JWK Set."""
    reader = {"rsa": "RS256", "ec": "ES256", "ed": "EdDSA"}[name.partition("-")[0]]
    entry = jwt.get_algorithm_by_name(reader).to_jwk(public(name), as_dict=True)
    return changed({**entry, "kid": name, "use": "sig"}, changes)


def certificate():
    """One of this machine, that nobody has vouched for but itself; its key is ``ec``."""
    named = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    today = datetime.now(UTC)
    return (
        x509.CertificateBuilder(named, named, public("ec"), 1)
        .not_valid_before(today - timedelta(days=1))
        .not_valid_after(today + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(private("ec"), hashes.SHA256())
    )


async def code_of(reading, text):
    """What a token is refused with; none if it is not."""
    try:
        assert (await reading.verify(text)).user_id == USER
    except AuthenticationError as error:
        assert (error.__cause__, error.__context__) == (None, None)
        return error.code
    return None
