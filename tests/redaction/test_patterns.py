"""Secrets that texts show by their form, and texts that only look like it."""

from __future__ import annotations

import pytest

from stageflow_actors.model.redaction.patterns import without_secrets

KEY = "-----BEGIN RSA PRIVATE KEY-----\nMIIEow\n-----END RSA PRIVATE KEY-----"
JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NSJ9.Zm9vYmFy-_"

HITS = [
    ("Bearer abcDEF123456", "Bearer [redacted]"),
    ("got 'bearer 0123456789abcdef'", "got 'bearer [redacted]'"),
    ("Basic dXNlcjpwYXNzd29yZA==", "Basic [redacted]"),
    ("Authorization: Bearer short", "Authorization: [redacted]"),
    ("{'Authorization': 'Token x y', 'n': 1}", "{'Authorization': '[redacted]', 'n': 1}"),
    ("(b'authorization', b'Basic abc')", "(b'authorization', b'[redacted]')"),
    ("Cookie: a=b; c=d\nHost: x", "Cookie: [redacted]\nHost: x"),
    ("Set-Cookie: id=1; Secure", "Set-Cookie: [redacted]"),
    (f"token {JWT} is old", "token [redacted] is old"),
    ("key sk-proj-Ab12Cd34Ef56Gh78", "key [redacted]"),
    ("pk_live_Ab12Cd34Ef56Gh78", "[redacted]"),
    ("glpat-Ab12Cd34Ef56Gh78Ij90", "[redacted]"),
    ("at AKIAIOSFODNN7EXAMPLE", "at [redacted]"),
    ("ghp_" + "a1B2" * 9, "[redacted]"),
    ("github_pat_" + "a1B2" * 9, "[redacted]"),
    ("xoxb-123456789012-abcdef", "[redacted]"),
    (
        "https://hooks.slack.com/services/T0/B0/xyzXYZ",
        "https://hooks.slack.com/services/[redacted]",
    ),
    ("AIza" + "a1B2" * 9, "[redacted]"),
    ("ya29.a0AfH6SMBx-abcdefghijkl", "[redacted]"),
    (f"read {KEY}.", "read [redacted]."),
    (KEY[:50], "[redacted]"),
    (repr(KEY), "'[redacted]'"),
    ("password=hunter2 user=bob", "password=[redacted] user=bob"),
    ("it failed: password=abc", "it failed: password=[redacted]"),
    ("{'a': {'token': 'x'}}", "{'a': {'token': '[redacted]'}}"),
    ("name=password: abc", "name=password: [redacted]"),
    ("password = 'it is long' x", "password = '[redacted]' x"),
    ("api_key: abc, n: 1", "api_key: [redacted], n: 1"),
    ("API key: abc", "API key: [redacted]"),
    ('{"client_secret": "a b", "n": 1}', '{"client_secret": "[redacted]", "n": 1}'),
    ('{"token": 12345}', '{"token": [redacted]}'),
    ("Login(user='bob', password='x')", "Login(user='bob', password='[redacted]')"),
    (r"{\"password\": \"hunter2\"}", r"{\"password\": \"[redacted]" + '"}'),
    ("[('x-api-key', 'abc')]", "[('x-api-key', '[redacted]')]"),
    ("run --api-key abc --n 1", "run --api-key [redacted] --n 1"),
    ("?token=abc&n=1", "?token=[redacted]&n=1"),
    ("postgres://bob:hunter2@db/x", "postgres://bob:[redacted]@db/x"),
    ("redis://:p@ss@cache:1", "redis://:[redacted]@cache:1"),
]
MISSES = [
    "Basic information is here",
    "Bearer Authentication failed",
    "the bearer certificates",
    "token_count=5, max_tokens=100",
    "input_tokens: 12",
    "author: Ada; secretary: Bob",
    "tokenizer=gpt2",
    "sk-learn-is-a-library-name",
    "task-management-of-a-team",
    "npm_config_registry_of_mine",
    "AKIA is a prefix",
    "ghp_short",
    "eyJ is how it begins",
    "https://example.org:8080/a@b",
    "ssh://git@example.org/x",
    "password authentication failed for user 'bob'",
    "the token has expired",
    "--password",
    "KeyError: 'name'",
    "monkey: banana",
    "",
    "[redacted]",
    "password=[redacted]",
]


@pytest.mark.parametrize(("text", "clean"), HITS)
def test_a_secret_is_masked_and_what_is_around_it_stays(text, clean):
    assert without_secrets(text) == clean


@pytest.mark.parametrize(("text", "clean"), HITS)
def test_what_is_masked_stays_as_it_is(text, clean):
    assert without_secrets(clean) is clean


@pytest.mark.parametrize("text", MISSES)
def test_a_text_without_a_secret_is_the_same_object(text):
    assert without_secrets(text) is text


QUARTER = 250_000
HOSTILE = [
    "a", "a=", "eyJ", "eyJ-", "eyJaaaaaaaa.", "://a:", "://:", "://:@", "sk-", "sk_a", 'a="',
    "a='\\'",
    'password="\\', "password: ", "Bearer ", "basic\t", "-----BEGIN PRIVATE KEY-----", "--a ",
    "--token ",
    "api ", "api key", "authorization:", "authorization: '", "cookie=", " \t", "\n", "\\",
    "token\\\"",
    "AKIA", "ghp_", "xoxb-", "AIza", "ya29.", "hooks.slack.com/services/", "key.key-key_", "token",
]  # fmt: skip


@pytest.mark.timeout(60)
@pytest.mark.parametrize("part", HOSTILE)
def test_a_quarter_of_a_megabyte_of_beginnings_takes_a_time_that_grows_with_its_length_only(part):
    """What grows with the square of it would take many minutes."""
    text = part * (QUARTER // len(part))
    without_secrets(text)
    without_secrets(text + "x")
