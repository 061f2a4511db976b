"""Tokens that open no door. Each would open every one, were it not for what its name says."""

from __future__ import annotations

import json

from tests.security.made_tokens import (
    NOW,
    ORG,
    USER,
    claims,
    confused,
    header,
    jwk,
    private,
    segment,
    signed,
)

SCOPE = "runs:read runs:write pipelines:read runs:internal"
STRANGER = "rsa-evil"


def owned(**changes):
    """Claims of somebody who may do anything."""
    return claims(**{"scope": SCOPE, **changes})


def made(payload=None, key="rsa", **changes):
    """A good token, but for the ``changes`` of its header, other claims or another key."""
    return signed(header(**changes), owned() if payload is None else payload, private(key), "RS256")


def saying(**changes):
    """One with these ``changes`` of its claims."""
    return made(owned(**changes))


def written(tail):
    """One whose claims end with this, as it is written."""
    return made(json.dumps(owned()).encode()[:-1] + tail + b"}")


def unsigned(alg, signature=""):
    return f"{segment(header(alg=alg))}.{segment(owned())}.{signature}"


GOOD = made()
HEAD, PAYLOAD, SIGNATURE = GOOD.split(".")

FORM = {
    "empty": "",
    "blanks": "   ",
    "not a token": "garbage",
    "one part": HEAD,
    "two parts": f"{HEAD}.{PAYLOAD}",
    "no signature": f"{HEAD}.{PAYLOAD}.",
    "no payload": f"{HEAD}..{SIGNATURE}",
    "no header": f".{PAYLOAD}.{SIGNATURE}",
    "only dots": "..",
    "four parts": f"{GOOD}.AAAA",
    "five parts, encrypted": "AAAA.AAAA.AAAA.AAAA.AAAA",
    "a blank within": f"{HEAD}. {PAYLOAD}.{SIGNATURE}",
    "a blank before the signature": f"{HEAD}.{PAYLOAD}. {SIGNATURE}",
    "a tab after it": f"{GOOD}\t",
    "a line end after it": f"{GOOD}\n",
    "a NUL after it": f"{GOOD}\x00",
    "a second scheme": f"Bearer {GOOD}",
    "two tokens": f"{GOOD} {GOOD}",
    "a list": f"{GOOD}, {GOOD}",
    "padded": f"{GOOD}==",
    "Unicode after it": f"{GOOD}\u00e9",
    "Unicode digits": GOOD.replace("1", "\u0661").replace("0", "\u0660"),
    "nothing but Unicode": "\u202e\U0001f511.\u0130.\u212a",
    "long": GOOD + "A" * 12_000,
    "long, and good": saying(pad="x" * 12_000),
    "longer than a header may be": "A" * 200_000,
    "header that is no JSON": signed(b"{alg:RS256}", owned(), private("rsa"), "RS256"),
    "header with alg twice": signed(
        b'{"alg":"none","alg":"RS256","kid":"rsa"}', owned(), private("rsa"), "RS256"
    ),
    "payload that is a list": made([owned()]),
    "payload that is a token": made(GOOD.encode()),
    "payload with sub twice": written(f', "sub": "{USER}"'.encode()),
    "payload nested deep": written(b', "x": ' + b"[" * 5_000 + b"]" * 5_000),
}

SIGNED = {
    "alg none": unsigned("none"),
    "alg none, and a signature": unsigned("none", SIGNATURE),
    "alg NoNe": unsigned("NoNe", "AAAA"),
    "alg is empty": made(alg=""),
    "alg is a list": made(alg=["RS256"]),
    "HS256, signed with the public key": confused("rsa", owned()),
    "HS256, signed with the public key, as the secret": confused("hs", owned()),
    "another key": made(key=STRANGER),
    "another key, sent as jwk": made(key=STRANGER, jwk=jwk(STRANGER)),
    "another key, to be found at jku": made(key=STRANGER, jku="http://127.0.0.1:1/keys"),
    "another key, to be found at x5u": made(key=STRANGER, x5u="http://127.0.0.1:1/", x5c=["MII"]),
    "kid unknown": made(kid="other"),
    "kid is missing": made(kid=...),
    "kid is a path": made(kid="../../../../dev/null"),
    "kid is a query": made(kid="x' UNION SELECT 'k"),
    "kid is a number": made(kid=1),
    "crit": made(crit=["exp"], exp=NOW),
    "crit of nobody": made(crit=["urn:unknown"]),
    "a token for another use": made(typ="logout+jwt"),
    "payload tampered with": f"{HEAD}.{segment(owned(sub=str(ORG)))}.{SIGNATURE}",
    "header tampered with": f"{segment(header(x=1))}.{PAYLOAD}.{SIGNATURE}",
    "signature of another token": f"{HEAD}.{PAYLOAD}.{saying(x=1).rpartition('.')[2]}",
    "signature of zeros": f"{HEAD}.{PAYLOAD}.{segment(bytes(256))}",
}

CLAIMED = {
    "expired": saying(exp=NOW - 60),
    "no exp": saying(exp=...),
    "exp is text": saying(exp=str(NOW + 60)),
    "exp is NaN": saying(exp=float("nan")),
    "exp is infinite": saying(exp=float("inf")),
    "exp is huge": saying(exp=10**30),
    "exp beyond all floats": made(json.dumps(owned(exp=...)).encode()[:-1] + b', "exp": 1e999}'),
    "exp is true": saying(exp=True),
    "not valid yet": saying(nbf=NOW + 60),
    "issued in the future": saying(iat=NOW + 60),
    "no iss": saying(iss=...),
    "another iss": saying(iss="https://evil.example/"),
    "iss is a list": saying(iss=["https://login.example.org/"]),
    "no aud": saying(aud=...),
    "another aud": saying(aud="https://other.example.org"),
    "aud is an empty list": saying(aud=[]),
    "no sub": saying(sub=...),
    "sub is a number": saying(sub=7),
    "sub is a mapping": saying(sub={"id": str(USER)}),
    "sub is no UUID": saying(sub="admin"),
    "no tenant": saying(org_id=...),
    "tenant is null": saying(org_id=None),
    "tenant is no UUID": saying(org_id="acme"),
    "tenant is a path": saying(org_id="../acme"),
    "scope is a list": saying(scope=SCOPE.split()),
    "scope has a control character": saying(scope=f"{SCOPE}\x00"),
}

BAD = {**FORM, **SIGNED, **CLAIMED}
