"""What a verifier cannot be made with."""

from __future__ import annotations

import json

import pytest
from cryptography.hazmat.primitives import serialization

from stageflow_actors import JwksDocument
from stageflow_actors.errors import PolicyError
from tests.security.made_tokens import (
    SECRET,
    certificate,
    jwk,
    pem,
    private,
    private_pem,
    public,
    verifier,
)

RSA_ONLY = {"algorithms": ["RS256"]}


def der(name):
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    return public(name).public_bytes(serialization.Encoding.DER, form)


def ssh(name):
    form = serialization.PublicFormat.OpenSSH
    return public(name).public_bytes(serialization.Encoding.OpenSSH, form)


@pytest.mark.parametrize(
    "key",
    [
        "",
        "secret",
        SECRET[:31],
        "x" * 64,
        "abcdefg" * 10,
        der("rsa"),
        ssh("rsa"),
        certificate().public_bytes(serialization.Encoding.DER),
        json.dumps(jwk("rsa")),
        private_pem("rsa"),
        pem(public("rsa")).replace("A", "!"),
        pem(public("rsa-weak")),
        pem(public("ec-224")),
        public("rsa-weak"),
        private("rsa"),
        None,
        7,
        {"": SECRET},
        {7: SECRET},
        {None: SECRET},
        {"a": SECRET, "b": "secret"},
        {},
    ],
    ids=lambda key: f"{type(key).__name__} {str(key)[:20]}",
)
def test_a_key_that_nobody_should_trust_is_refused_and_not_shown(key):
    with pytest.raises(PolicyError) as refused:
        verifier(keys=key, algorithms=["HS256"])
    shown = str(refused.value)
    assert SECRET[:8] not in shown
    assert "MII" not in shown
    assert refused.value.__context__ is None


def test_eight_different_bytes_are_the_fewest_of_a_secret():
    verifier(keys="abcdefgh" * 4, algorithms=["HS256"])


@pytest.mark.parametrize(
    ("key", "algorithms"),
    [
        ("rsa", ["HS256"]),
        ("rsa", ["RS256", "HS256"]),
        ("rsa", ["ES256"]),
        ("ec", ["RS256"]),
        ("ec", ["ES384"]),
        ("ec-384", ["ES256"]),
        ("ed", ["ES256"]),
        (None, ["RS256"]),
        (None, ["HS512"]),
        (None, ["HS384"]),
    ],
)
def test_an_algorithm_that_no_key_is_made_for_is_refused(key, algorithms):
    given = SECRET if key is None else pem(public(key))
    with pytest.raises(PolicyError, match="no key for"):
        verifier(keys=given, algorithms=algorithms)


@pytest.mark.parametrize(
    "algorithms", [["none"], ["RS256", "none"], ["rs256"], [], "", [None], None, ["ES521"], 7]
)
def test_only_algorithms_that_sign_are_known(algorithms):
    with pytest.raises(PolicyError):
        verifier(algorithms=algorithms)


def test_one_algorithm_may_be_said_as_text():
    verifier(algorithms="RS256")


@pytest.mark.parametrize(
    "part",
    [
        {"issuer": ""},
        {"issuer": 7},
        {"audience": []},
        {"audience": ""},
        {"audience": [7]},
        {"audience": 7},
        {"tenant_claim": ""},
        {"tenant_claim": None},
        {"leeway_s": -1},
        {"leeway_s": 301},
        {"leeway_s": float("nan")},
        {"leeway_s": "30"},
        {"max_length": 0},
        {"max_length": 8192.0},
    ],
    ids=str,
)
def test_a_part_that_makes_no_sense_is_refused(part):
    with pytest.raises(PolicyError):
        verifier(**part)


@pytest.mark.parametrize("name", ["issuer", "audience", "keys", "algorithms"])
def test_what_decides_is_never_a_default(name):
    from stageflow_actors import JwtVerifier

    given = {"keys": SECRET, "algorithms": ["HS256"], "issuer": None, "audience": None}
    JwtVerifier(**given)
    del given[name]
    with pytest.raises(TypeError, match=name):
        JwtVerifier(**given)


# --- key sets -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "document",
    ["", "{", "[]", "7", {}, {"keys": {}}, {"keys": []}, '{"keys": [], "keys": []}', None, 7, []],
    ids=repr,
)
def test_what_is_no_key_set_is_refused(document):
    with pytest.raises(PolicyError):
        JwksDocument(document)


@pytest.mark.parametrize(
    "entry",
    [
        None,
        "key",
        {},
        jwk("rsa", kid=...),
        jwk("rsa", kid=""),
        jwk("rsa", kid=7),
        jwk("rsa", kty=...),
        jwk("rsa", kty="EC"),
        jwk("rsa", kty=["RSA"]),
        jwk("rsa", use="enc"),
        jwk("rsa", key_ops=["encrypt"]),
        jwk("rsa", key_ops="verify"),
        jwk("rsa", n=...),
        jwk("rsa", n=7),
        jwk("rsa", n="!"),
        jwk("rsa", alg="HS256"),
        jwk("rsa", alg="ES256"),
        jwk("rsa", alg=["RS256"]),
        jwk("rsa-weak"),
        jwk("ec", x="AAAA"),
        jwk("ed", crv="X25519"),
        {"kty": "oct", "kid": "a", "k": "A" * 86},
        {**jwk("ed"), "d": "A" * 43},
    ],
    ids=str,
)
def test_an_entry_that_cannot_be_used_is_passed_over(entry):
    with pytest.raises(PolicyError, match="no key that can be used"):
        JwksDocument({"keys": [entry]})
    JwksDocument({"keys": [entry, jwk("ec")]})


def test_a_private_key_in_a_key_set_is_passed_over():
    import jwt

    entry = jwt.get_algorithm_by_name("RS256").to_jwk(private("rsa"), as_dict=True)
    with pytest.raises(PolicyError, match="no key that can be used"):
        JwksDocument({"keys": [{**entry, "kid": "a", "key_ops": ["verify"]}]})


def test_a_key_serves_the_one_algorithm_that_its_entry_says():
    only = JwksDocument({"keys": [jwk("rsa", alg="PS256")]})
    verifier(keys=only, algorithms=["PS256"])
    with pytest.raises(PolicyError, match="no key for"):
        verifier(keys=only, algorithms=["RS256"])


async def test_of_two_keys_of_one_name_the_first_counts():
    twice = JwksDocument({"keys": [jwk("rsa"), jwk("rsa-evil", kid="rsa"), jwk("ec", kid="rsa")]})
    found = await twice.find("rsa", "RS256")
    expected = await JwksDocument({"keys": [jwk("rsa")]}).find("rsa", "RS256")
    assert found.__reduce__() == expected.__reduce__()
    assert await twice.find("rsa", "ES256") is not None  # of another type: told apart by that
