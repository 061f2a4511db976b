"""Tokens that are no good: each is refused as that, and by nothing else."""

from __future__ import annotations

import json
import logging
import traceback

import pytest

from stageflow_actors import AuthenticationError
from tests.security.made_tokens import (
    AUDIENCE,
    NOW,
    ORG,
    SECRET,
    USER,
    claims,
    confused,
    header,
    jwk,
    pem,
    private,
    public,
    saying,
    segment,
    signed,
    token,
    verifier,
)

MALFORMED, ALGORITHM, KEY = "AUTH-TOKEN-MALFORMED", "AUTH-TOKEN-ALGORITHM", "AUTH-TOKEN-KEY"
SIGNATURE, CLAIMS = "AUTH-TOKEN-SIGNATURE", "AUTH-TOKEN-CLAIMS"
EXPIRED, EARLY = "AUTH-TOKEN-EXPIRED", "AUTH-TOKEN-EARLY"


def with_part(index, change):
    """A good token with one of its segments changed."""
    parts = token().split(".")
    parts[index] = change(parts[index])
    return ".".join(parts)


def spare_bits(text):
    """The same bytes, spelled another way: the last character of a signature has bits to spare."""
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    return text[:-1] + alphabet[alphabet.index(text[-1]) ^ 1]


def with_payload(raw):
    return signed(header(), raw, private("rsa"))


def with_header(raw):
    return signed(raw, claims(), private("rsa"), "RS256")


def nested(depth):
    return b'{"a":' * depth + b"1" + b"}" * depth


FORM = {
    "empty": "",
    "a space": " ",
    "garbage": "not a token",
    "garbage in Unicode": "\u202e\U0001f511.\u0130\ud800.\x00",
    "good, and a letter of Unicode": token() + "\u00e9",
    "one segment": token().split(".")[0],
    "two segments": token().rpartition(".")[0],
    "four segments": token() + ".AAAA",
    "five segments, encrypted": "AAAA.AAAA.AAAA.AAAA.AAAA",
    "no signature": token().rpartition(".")[0] + ".",
    "no payload": with_part(1, lambda _part: ""),
    "no header": with_part(0, lambda _part: ""),
    "huge": token() + "A" * 10_000,
    "huge and good": saying(pad="x" * 8192),
    "truncated to one character of four": with_part(2, lambda part: part[:-1]),
    "padded": token() + "==",
    "a line end": token() + "\n",
    "a line end within": with_part(1, lambda part: part[:4] + "\n" + part[4:]),
    "another alphabet": with_part(2, lambda _part: "++//"),
    "another spelling of the signature": with_part(2, spare_bits),
    "the scheme of a request": "Bearer " + token(),
    "header of no JSON": with_header(b"{alg:RS256}"),
    "header of no UTF-8": with_header(b"\xff\xfe{}"),
    "header that is a list": with_header(b'["RS256"]'),
    "header with a member twice": with_header(b'{"alg":"none","alg":"RS256","kid":"rsa"}'),
    "header nested too deep to read": with_header(nested(1200)),
    "no alg": token(alg=...),
    "alg is no text": token(alg=["RS256"]),
    "kid is no text": token(kid=["rsa"]),
    "kid is a number": token(kid=7),
    "crit": token(crit=["exp"], exp=NOW),
    "crit, empty": token(crit=[]),
    "crit of a known extension": token(crit=["b64"], b64=True),
    "a token within": signed(header(cty="JWT"), token().encode(), private("rsa")),
    "typ of another use": token(typ="logout+jwt"),
    "typ is no text": token(typ=["JWT"]),
    "typ is null": token(typ=None),
    "payload of no JSON": with_payload(b"sub=7"),
    "payload of no UTF-8": with_payload(b"\xff" + json.dumps(claims()).encode()),
    "payload that is a list": with_payload([claims()]),
    "payload that is a token": with_payload(token().encode()),
    "payload with a claim twice": with_payload(
        json.dumps(claims()).encode()[:-1] + b',"sub":"00000000-0000-0000-0000-000000000001"}'
    ),
    "payload with a member twice within": with_payload(
        json.dumps(claims()).encode()[:-1] + b',"x":{"a":1,"a":2}}'
    ),
    "payload nested too deep to read": with_payload(nested(1000)),
    "payload nested deeper than data may be": saying(deep=json.loads(nested(150))),
    "exp is NaN": saying(exp=float("nan")),
    "exp is infinite": saying(exp=float("inf")),
    "exp has more digits than a number may": with_payload(
        json.dumps(claims(exp=...)).encode()[:-1] + b',"exp":' + b"9" * 4500 + b"}"
    ),
}

SIGNED = {
    "alg none": (f"{segment(header(alg='none'))}.{segment(claims())}.AAAA", ALGORITHM),
    "alg None": (f"{segment(header(alg='None'))}.{segment(claims())}.AAAA", ALGORITHM),
    "alg none, signed": (token(alg="none"), ALGORITHM),
    "alg in small letters": (token(alg="rs256"), ALGORITHM),
    "alg of the same key, not configured": (
        signed(header(alg="PS256"), claims(), private("rsa")),
        ALGORITHM,
    ),
    "alg unknown": (token(alg="XX999"), ALGORITHM),
    "a public key as secret": (confused("rsa"), KEY),
    "a public key as secret, under the name of a secret": (confused("hs"), SIGNATURE),
    "a secret for RS256": (
        signed(header(kid="hs"), claims(), private("rsa")),
        KEY,
    ),
    "an RSA key for ES256": (signed(header(alg="ES256"), claims(), private("ec")), KEY),
    "kid unknown": (token(kid="other"), KEY),
    "kid empty": (token(kid=""), KEY),
    "no kid": (token(kid=...), KEY),
    "kid is null": (token(kid=None), KEY),
    "kid is a path": (token(kid="../../../../dev/null"), KEY),
    "kid is a URL": (token(kid="https://evil.example/key.pem"), KEY),
    "kid is a query": (token(kid="' UNION SELECT 'x"), KEY),
    "kid of another key": (token(kid="ec", alg="ES256"), SIGNATURE),
    "signed by a stranger": (signed(header(), claims(), private("rsa-evil")), SIGNATURE),
    "signed by a stranger, jwk": (
        signed(header(jwk=jwk("rsa-evil")), claims(), private("rsa-evil")),
        SIGNATURE,
    ),
    "signed by a stranger, jku": (
        signed(header(jku="https://evil.example/"), claims(), private("rsa-evil")),
        SIGNATURE,
    ),
    "signed by a stranger, x5u and x5c": (
        signed(header(x5u="https://evil.example/", x5c=["MII"]), claims(), private("rsa-evil")),
        SIGNATURE,
    ),
    "signed by the algorithm of another header": (
        signed(header(), claims(), private("rsa"), "PS256"),
        SIGNATURE,
    ),
    "signature of another token": (
        f"{saying(sub=str(ORG)).rpartition('.')[0]}.{token().rpartition('.')[2]}",
        SIGNATURE,
    ),
    "signature cut": (with_part(2, lambda part: part[:-6]), SIGNATURE),
    "signature of one byte": (with_part(2, lambda _part: "AA"), SIGNATURE),
    "signature of zeros, elliptic": (
        f"{segment(header(alg='ES256', kid='ec'))}.{segment(claims())}.{segment(bytes(64))}",
        SIGNATURE,
    ),
    "payload changed": (with_part(1, lambda _part: segment(claims(sub=str(ORG)))), SIGNATURE),
    "header changed": (with_part(0, lambda _part: segment(header(x=1))), SIGNATURE),
    "payload changed to no JSON": (with_part(1, lambda _part: segment(b"sub=7")), SIGNATURE),
}

CLAIMED = {
    "expired": (saying(exp=NOW - 31), EXPIRED),
    "expired, as the leeway ends": (saying(exp=NOW - 30), EXPIRED),
    "expired long ago": (saying(exp=0), EXPIRED),
    "not valid yet": (saying(nbf=NOW + 31), EARLY),
    "issued in the future": (saying(iat=NOW + 31), EARLY),
    "no exp": (saying(exp=...), CLAIMS),
    "exp is null": (saying(exp=None), CLAIMS),
    "exp is a fraction": (saying(exp=NOW + 60.5), CLAIMS),
    "exp is a float": (saying(exp=float(NOW + 60)), CLAIMS),
    "exp is text": (saying(exp=str(NOW + 60)), CLAIMS),
    "exp is true": (saying(exp=True), CLAIMS),
    "exp is a list": (saying(exp=[NOW + 60]), CLAIMS),
    "exp is negative": (saying(exp=-1), CLAIMS),
    "exp is huge": (saying(exp=10**30), CLAIMS),
    "exp is after the year 9999": (saying(exp=253_402_300_800), CLAIMS),
    "exp is beyond all floats": (with_payload(b'{"exp":1e999}'), CLAIMS),
    "nbf is true": (saying(nbf=True), CLAIMS),
    "nbf is text": (saying(nbf="0"), CLAIMS),
    "nbf is null": (saying(nbf=None), CLAIMS),
    "iat is a float": (saying(iat=NOW - 0.5), CLAIMS),
    "iat is negative": (saying(iat=-NOW), CLAIMS),
    "no iss": (saying(iss=...), CLAIMS),
    "iss of another": (saying(iss="https://evil.example/"), CLAIMS),
    "iss begins like ours": (saying(iss="https://login.example.org/evil"), CLAIMS),
    "iss is a list": (saying(iss=["https://login.example.org/"]), CLAIMS),
    "no aud": (saying(aud=...), CLAIMS),
    "aud of another": (saying(aud="https://other.example.org"), CLAIMS),
    "aud is empty": (saying(aud=""), CLAIMS),
    "aud is null": (saying(aud=None), CLAIMS),
    "aud is an empty list": (saying(aud=[]), CLAIMS),
    "aud is a list of others": (saying(aud=["https://other.example.org"]), CLAIMS),
    "aud is a list of lists": (saying(aud=[[AUDIENCE]]), CLAIMS),
    "aud is a list with a number": (saying(aud=[AUDIENCE, 7]), CLAIMS),
    "aud is a mapping": (saying(aud={AUDIENCE: 1}), CLAIMS),
    "no sub": (saying(sub=...), CLAIMS),
    "sub is null": (saying(sub=None), CLAIMS),
    "sub is empty": (saying(sub=""), CLAIMS),
    "sub is a number": (saying(sub=7), CLAIMS),
    "sub is a list": (saying(sub=[str(USER)]), CLAIMS),
    "sub is no UUID": (saying(sub="auth0|5"), CLAIMS),
    "sub is a UUID in braces": (saying(sub=f"{{{USER}}}"), CLAIMS),
    "no org_id": (saying(org_id=...), CLAIMS),
    "org_id is null": (saying(org_id=None), CLAIMS),
    "org_id is a list": (saying(org_id=[str(ORG)]), CLAIMS),
    "org_id is no UUID": (saying(org_id="acme"), CLAIMS),
    "scope is a list": (saying(scope=["admin"]), CLAIMS),
    "scope is null": (saying(scope=None), CLAIMS),
    "scope with a control character": (saying(scope="read\x00admin"), CLAIMS),
    "scp is a mapping": (saying(scp={"admin": True}), CLAIMS),
    "scp has a number": (saying(scp=["read", 7]), CLAIMS),
    "scopes has an empty one": (saying(scopes=["read", ""]), CLAIMS),
}

BAD = {**{name: (text, MALFORMED) for name, text in FORM.items()}, **SIGNED, **CLAIMED}


async def refusal(text, **changes):
    with pytest.raises(AuthenticationError) as refused:
        await verifier(**changes).verify(text)
    return refused.value


async def test_the_token_that_they_differ_from_is_good():
    assert (await verifier().verify(token())).user_id == USER


@pytest.mark.parametrize(("text", "code"), BAD.values(), ids=BAD.keys())
async def test_a_bad_token_is_refused_for_what_is_wrong_with_it(text, code, caplog):
    caplog.set_level(logging.DEBUG)
    error = await refusal(text)
    assert error.code == code
    assert (error.__cause__, error.__context__) == (None, None)
    assert code in caplog.text
    shown = "".join([*traceback.format_exception(error), caplog.text])
    secrets = [part for part in text.split(".") if len(part) > 4] + [SECRET, str(USER)]
    assert [part for part in secrets if part in shown] == []


@pytest.mark.parametrize("given", [None, ["x"], 7, "", "acme", "\n"])
async def test_an_organisation_that_need_not_be_there_is_one_if_it_is(given):
    error = await refusal(saying(org_id=given), require_tenant=False)
    assert error.code == CLAIMS


@pytest.mark.parametrize("given", ["", "a\nb", "\ud800", 7, None])
async def test_ids_that_become_uuids_are_text_that_can_be_read(given):
    assert (await refusal(saying(sub=given), ids_in=ORG)).code == CLAIMS


@pytest.mark.parametrize("given", [AUDIENCE, "", None, []])
async def test_a_token_for_somebody_is_not_for_nobody(given):
    assert (await refusal(saying(aud=given), audience=None)).code == CLAIMS


async def test_a_key_without_a_name_is_good_for_its_own_type_alone():
    single = {"keys": pem(public("rsa")), "algorithms": ["RS256"]}
    assert (await refusal(confused(...), **single)).code == ALGORITHM


async def test_without_leeway_the_second_counts():
    assert (await refusal(saying(exp=NOW), leeway_s=0)).code == EXPIRED
    assert (await refusal(saying(nbf=NOW + 1), leeway_s=0)).code == EARLY
    exact = await verifier(leeway_s=0).verify(saying(exp=NOW + 1, nbf=NOW, iat=NOW))
    assert exact.user_id == USER
