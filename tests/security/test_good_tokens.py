"""Which tokens a ``JwtVerifier`` takes, and what it reads in them."""

from __future__ import annotations

import pickle
import subprocess
import sys
from uuid import UUID, uuid5

import cloudpickle
import pytest

from stageflow_actors import AuthContext, JwksDocument, TokenVerifier
from tests.security.made_tokens import (
    AUDIENCE,
    NOW,
    ORG,
    SECRET,
    USER,
    claims,
    header,
    jwk,
    pem,
    private,
    public,
    saying,
    signed,
    token,
    verifier,
)

ISSUER_IDS = UUID(int=99)
KINDS = [
    ("RS256", "rsa"),
    ("RS512", "rsa"),
    ("PS256", "rsa"),
    ("ES256", "ec"),
    ("ES384", "ec-384"),
    ("ES256K", "ec-k"),
    ("EdDSA", "ed"),
]


@pytest.mark.parametrize("given", ["text", "bytes", "object", "document"])
@pytest.mark.parametrize(("algorithm", "name"), KINDS, ids=[kind for kind, _name in KINDS])
async def test_a_token_signed_by_a_public_key_is_read(algorithm, name, given):
    key = {
        "text": {name: pem(public(name))},
        "bytes": {name: pem(public(name)).encode()},
        "object": {name: public(name)},
        "document": JwksDocument({"keys": [jwk(name)]}),
    }[given]
    good = signed(header(alg=algorithm, kid=name), claims(), private(name))
    found = await verifier(keys=key, algorithms=[algorithm]).verify(good)
    assert (found.user_id, found.org_id) == (USER, ORG)


@pytest.mark.parametrize(("algorithm", "times"), [("HS256", 1), ("HS384", 2), ("HS512", 2)])
async def test_a_token_signed_by_a_secret_is_read(algorithm, times):
    secret = SECRET * times
    good = signed(header(alg=algorithm, kid=...), claims(), secret.encode())
    found = await verifier(keys=secret, algorithms=[algorithm]).verify(good)
    assert found.user_id == USER


async def test_several_keys_are_told_apart_by_their_kid():
    several = verifier()
    for algorithm, kid, key in (("ES256", "ec", private("ec")), ("HS256", "hs", SECRET.encode())):
        good = signed(header(alg=algorithm, kid=kid), claims(), key)
        assert (await several.verify(good)).user_id == USER


@pytest.mark.parametrize("kid", [..., "any"])
async def test_a_key_without_a_name_is_for_all_tokens(kid):
    single = verifier(keys=pem(public("rsa")), algorithms=["RS256"])
    assert (await single.verify(token(kid=kid))).user_id == USER


@pytest.mark.parametrize(
    "changes",
    [
        {"typ": ...},
        {"typ": "at+jwt"},
        {"typ": "application/at+JWT"},
        {"jku": "http://evil.example"},
    ],
    ids=str,
)
async def test_headers_that_change_nothing_are_passed_over(changes):
    assert (await verifier().verify(token(**changes))).user_id == USER


@pytest.mark.parametrize(
    "changes",
    [
        {"aud": [AUDIENCE, "another"]},
        {"iat": ...},
        {"nbf": NOW + 30, "iat": NOW + 30},
        {"exp": NOW - 29},
        {"sub": str(USER).upper()},
        {"org_id": str(ORG).upper()},
    ],
    ids=str,
)
async def test_claims_may_be_said_in_other_ways(changes):
    found = await verifier(leeway_s=30).verify(saying(**changes))
    assert (found.user_id, found.org_id) == (USER, ORG)


async def test_a_longest_token_is_read_and_a_longer_one_is_not_looked_at():
    good = token()
    assert (await verifier(max_length=len(good)).verify(good)).user_id == USER
    with pytest.raises(Exception, match="AUTH-TOKEN-MALFORMED"):
        await verifier(max_length=len(good) - 1).verify(good)


@pytest.mark.parametrize(
    ("changes", "roles"),
    [
        ({}, ()),
        ({"scope": "read  write"}, ("read", "write")),
        ({"scope": ""}, ()),
        ({"scp": ["read", "write"]}, ("read", "write")),
        ({"scp": "read write"}, ("read", "write")),
        ({"scopes": ["read"]}, ("read",)),
        ({"scope": "read", "scp": ["write"]}, ("read",)),
    ],
    ids=str,
)
async def test_scopes_are_the_roles(changes, roles):
    found = await verifier().verify(saying(**changes))
    assert found.roles == roles


async def test_claims_come_along_read_only():
    found = await verifier().verify(saying(plan={"name": "pro"}))
    assert found.claims["plan"] == {"name": "pro"}
    with pytest.raises(TypeError):
        found.claims["plan"]["name"] = "free"


async def test_a_token_may_belong_to_no_organisation_where_that_is_said():
    assert (await verifier(require_tenant=False).verify(saying(org_id=...))).org_id is None
    assert (await verifier(require_tenant=False).verify(saying())).org_id == ORG


async def test_the_organisation_has_the_name_that_is_configured():
    named = verifier(tenant_claim="tid")
    assert (await named.verify(saying(org_id="x", tid=str(ORG)))).org_id == ORG


async def test_ids_that_are_no_uuid_become_one_of_their_own_where_that_is_said():
    found = await verifier(ids_in=ISSUER_IDS).verify(saying(sub="auth0|5", org_id="acme"))
    assert found.user_id == uuid5(ISSUER_IDS, "auth0|5")
    assert found.org_id == uuid5(ISSUER_IDS, "acme")
    # An id that has the form of one as well: nobody becomes another one by asking for their id.
    taken = await verifier(ids_in=ISSUER_IDS).verify(saying(sub=str(found.user_id)))
    assert taken.user_id == uuid5(ISSUER_IDS, str(found.user_id))


async def test_issuer_and_audience_are_not_asked_for_where_none_is_said():
    found = await verifier(issuer=None, audience=None).verify(saying(iss=..., aud=...))
    assert found.user_id == USER


@pytest.mark.parametrize("pickling", [pickle, cloudpickle])
async def test_a_verifier_crosses_processes(pickling):
    copied = pickling.loads(pickling.dumps(verifier()))
    assert isinstance(await copied.verify(token()), AuthContext)


def test_it_is_what_its_protocol_says():
    assert isinstance(verifier(), TokenVerifier)


def test_pyjwt_is_loaded_when_a_key_is_made_and_not_before():
    code = (
        "import sys, stageflow_actors as s; s.JwtVerifier, s.ApiKeyVerifier, s.JwksUrl;"
        "assert not {'jwt', 'cryptography'} & sys.modules.keys();"
        f"s.JwtVerifier(keys={SECRET!r}, algorithms=['HS256'], issuer=None, audience=None);"
        "assert 'jwt' in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_without_pyjwt_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "jwt", None)
    with pytest.raises(ModuleNotFoundError, match="stageflow-actors\\[auth\\]"):
        verifier()
    with pytest.raises(ModuleNotFoundError, match="stageflow-actors\\[auth\\]"):
        JwksDocument({"keys": [{"kty": "RSA", "kid": "a"}]})
