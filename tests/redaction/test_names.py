"""Which names are those of secrets."""

from __future__ import annotations

import pytest

from stageflow_actors.model.redaction.names import is_secret_name

SECRET = [
    "password", "PASSWORD", "passwd", "db_password", "dbPassword", "DB-PASSWORD", "user.password",
    "passwords", "pgpassword", "PGPASSWORD", "password2", "old_password", "password_hash",
    "passphrase", "pwd", "MYSQL_PWD", "secret", "Secrets", "client_secret", "clientSecret",
    "client-secret", "secret_key", "SECRET_KEY", "AWS_SECRET_ACCESS_KEY", "aws_session_token",
    "token", "accessToken", "access_tokens", "refresh_token", "X-Auth-Token", "GITHUB_TOKEN",
    "csrf-token", "api_key", "apiKey", "APIKey", "api-key", "x-api-key", "OPENAI_API_KEY",
    "apikey", "api_keys", "private_key", "privateKey", "ssh_key", "signing_key", "session_key",
    "encryptionKey", "access_key", "authorization", "Proxy-Authorization", "cookie", "Set-Cookie",
    "cookies", "credential", "credentials", "awsCredentials", "authtoken", "jwt",
]  # fmt: skip
OPEN = [
    "token_count", "tokenCount", "input_tokens", "output_tokens", "max_tokens", "maxTokens",
    "total_tokens", "tokens", "token_type", "token_limit", "tokens_per_second",
    "time_to_first_token", "next_token", "nextPageToken", "eos_token", "cancellation_token",
    "tokenizer", "tokenise", "detokenize", "secretary", "secretariat", "secret_name", "secret_id",
    "author", "authority", "authored", "authorization_url", "authorization_endpoint",
    "cookie_name", "cookie_policy", "password_policy", "password_reset_url", "has_password",
    "is_secret", "requires_token", "no_password", "api_key_id", "access_key_id",
    "credential_type", "passenger", "compass", "bypass", "key", "keys", "primary_key",
    "key_count", "keyboard", "monkey", "keyword", "partition_key", "sort_key", "hash_key",
    "session_id", "user_id", "request_id", "stage", "error", "name", "id",
]  # fmt: skip


@pytest.mark.parametrize("name", SECRET)
def test_a_name_of_a_secret_is_one_however_its_words_are_joined(name):
    assert is_secret_name(name)


@pytest.mark.parametrize("name", OPEN)
def test_a_name_that_is_only_like_one_or_about_one_is_none(name):
    assert not is_secret_name(name)


@pytest.mark.parametrize("name", ["", "-", "123", "ключ", "\0", "a" * 100_000, "A" * 100_000])
def test_any_text_may_be_a_name(name):
    assert not is_secret_name(name)


def test_of_a_very_long_name_the_beginning_counts():
    assert is_secret_name("password" + "_" * 100_000)
