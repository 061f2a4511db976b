"""From where keys are fetched, and from where they are not."""

from __future__ import annotations

import ssl

import pytest
from cryptography.hazmat.primitives import serialization

from stageflow_actors import JwksUrl
from stageflow_actors.errors import PolicyError
from tests.security.key_server import Issuer, serving
from tests.security.made_tokens import certificate, code_of, jwk, private_pem, token, verifier


@pytest.mark.parametrize("is_trusted", [False, True])
async def test_a_server_is_asked_only_if_its_certificate_is_good(tmp_path, monkeypatch, is_trusted):
    file = tmp_path / "both.pem"
    shown = certificate().public_bytes(serialization.Encoding.PEM).decode()
    file.write_text(shown + private_pem("ec"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    if is_trusted:
        monkeypatch.setenv("SSL_CERT_FILE", str(file))
    issuer = Issuer()
    issuer.answer = [jwk("rsa")]
    with serving(issuer, context) as port:
        keys = JwksUrl(f"https://localhost:{port}/", timeout_s=20)
        code = await code_of(verifier(keys=keys, algorithms=["RS256"]), token())
    assert code == (None if is_trusted else "AUTH-KEYS-UNAVAILABLE")
    assert issuer.asked == (["/"] if is_trusted else [])


@pytest.mark.parametrize(
    "url",
    [
        "http://login.example.org/jwks",
        "http://127.0.0.1.example.org/jwks",
        "http://localhost.example.org/jwks",
        "http://10.0.0.1/jwks",
        "http://0.0.0.0/jwks",
        "ftp://login.example.org/jwks",
        "file:///etc/passwd",
        "data:application/json,{}",
        "//login.example.org/jwks",
        "login.example.org/jwks",
        "https://",
        "https:///jwks",
        "https://user:s3cret@login.example.org/jwks",
        "https://user@login.example.org/jwks",
        "https://login.example.org/jwks#keys",
        "https://login.example.org:99999/jwks",
        "https://login.example.org:x/jwks",
        "https://[::1/jwks",
        "https://login.example.org/a b",
        "https://login.example.org/a\r\nX: y",
        "https://login.ex\u00e4mple.org/",
        "",
        None,
        7,
    ],
    ids=repr,
)
def test_keys_come_from_https_or_from_this_machine(url):
    with pytest.raises(PolicyError) as refused:
        JwksUrl(url)
    assert "s3cret" not in str(refused.value)


@pytest.mark.parametrize(
    "url",
    ["https://login.example.org", "http://localhost/", "http://[::1]:80/", "HTTP://127.1.2.3"],
)
def test_these_are_good_urls(url):
    JwksUrl(url)


@pytest.mark.parametrize("name", ["refresh_s", "keep_s", "interval_s", "timeout_s"])
@pytest.mark.parametrize("value", [0, -1, float("nan"), None, True])
def test_a_time_that_makes_no_sense_is_refused(name, value):
    with pytest.raises(PolicyError):
        JwksUrl("https://login.example.org", **{name: value})


def test_keys_are_kept_at_least_until_they_are_refreshed():
    with pytest.raises(PolicyError):
        JwksUrl("https://login.example.org", refresh_s=10, keep_s=9)


def test_secrets_do_not_come_from_a_url():
    with pytest.raises(PolicyError, match="no key for"):
        verifier(keys=JwksUrl("https://login.example.org"), algorithms=["RS256", "HS256"])
