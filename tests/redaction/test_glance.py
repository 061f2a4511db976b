"""The short look: it may send a text on in vain, and never passes one in which a secret shows."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stageflow_actors.model.redaction.glance import may_show
from stageflow_actors.model.redaction.names import STEMS, is_secret_name
from stageflow_actors.model.redaction.patterns import without_secrets
from tests.redaction.test_patterns import HITS

KEYS = (
    "sk-", "sk_", "pk_", "rk_", "whsec_", "xai-", "gsk_", "hf_", "r8_", "npm_", "nvapi-", "tvly-",
    "pplx-", "glpat-", "pypi-", "dop_v1_", "AKIA", "ASIA", "ABIA", "ACCA", "AROA", "AIDA", "ghp_",
    "gho_", "ghu_", "ghs_", "ghr_", "github_pat_", "xoxb-", "xapp-", "AIza", "ya29.", "eyJ",
)  # fmt: skip
pieces = st.sampled_from(
    ["=", ": ", "=>", "--", '", "', "', '", " ", "://", "@", "Bearer ", "basic\t", "DIGEST ",
     "x" * 9, "A1B2" * 5, "a1-_" * 9, "hooks.slack.com/services/", "-----BEGIN PRIVATE KEY-----",
     ".", "Set-Cookie", "PassCode", "some words", *KEYS, *STEMS]
)  # fmt: skip


@pytest.mark.parametrize("text", [text for text, clean in HITS if text != clean])
def test_a_text_in_which_a_secret_shows_is_not_passed(text):
    assert may_show(text)
    assert may_show(f"before it\0{text}\0after it")


@pytest.mark.parametrize("key", KEYS)
def test_a_key_of_a_provider_is_not_passed(key):
    text = f"{key}{'A1B2C3D4' * 5}"
    text = text[:20] if key.isupper() else f"{text}.{text}"
    assert without_secrets(text) != text
    assert may_show(text)


@pytest.mark.parametrize("stem", STEMS)
def test_a_name_with_any_of_the_stems_is_not_passed(stem):
    name = {"key": "api_key", "passw": "password"}.get(stem, stem)
    assert is_secret_name(name)
    for text in (f"{name}=x", f"{name.upper()}: x", f"--{name} x", f"'{name}', 'x'"):
        assert may_show(text), text


@settings(deadline=None)
@given(st.lists(pieces, max_size=7).map("".join))
def test_what_is_passed_would_not_have_been_changed(text):
    assert may_show(text) or without_secrets(text) is text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "gpt-4",
        "a reason that nothing is wrong with",
        "gen_ai.usage.input_tokens",
        "stage_flow_actors_of_mine",
        "2026-01-02T03:04:05+00:00",
        "https://example.org/a/path",
        "chatcmpl-A1b2C3d4E5f6",
        "the token has expired",
    ],
)
def test_plain_texts_are_passed(text):
    assert not may_show(text)
