"""API keys: made once, stored as what nobody can log in with, known again."""

from __future__ import annotations

import hmac
import json
import logging
import pickle
from datetime import UTC, datetime

import pytest
from pydantic import ValidationError

from stageflow_actors import (
    ApiKeyRecord,
    ApiKeyVerifier,
    AuthenticationError,
    FirstOf,
    TokenVerifier,
    new_api_key,
)
from stageflow_actors.errors import PolicyError
from tests.security.made_tokens import NOW, ORG, USER, now, token, verifier

AT_NOW = datetime.fromtimestamp(NOW, UTC)
MADE = new_api_key(user_id=USER, org_id=ORG, scopes=["read", "write"])
OTHER = new_api_key(user_id=ORG)


def knowing(*made, **changes):
    records = {each.key_id: each.record.model_copy(update=changes) for each in made}
    return ApiKeyVerifier(records, clock=now)


async def code_of(asked, text):
    with pytest.raises(AuthenticationError) as refused:
        await asked.verify(text)
    assert (refused.value.__cause__, refused.value.__context__) == (None, None)
    assert text not in str(refused.value) or not text
    return refused.value.code


async def test_a_key_is_known_again_with_its_owner_and_scopes():
    found = await knowing(MADE, OTHER).verify(MADE.text)
    assert (found.user_id, found.org_id, found.roles) == (USER, ORG, ("read", "write"))
    assert (await knowing(MADE, OTHER).verify(OTHER.text)).org_id is None


def test_what_is_stored_does_not_have_the_key():
    stored = repr(MADE.record) + MADE.record.model_dump_json()
    assert MADE.text.rpartition("_")[2] not in stored
    assert MADE.record.digest not in repr(MADE.record)


def test_no_two_keys_are_alike():
    made = [new_api_key(user_id=USER) for _ in range(50)]
    assert len({each.text.partition("_")[2][17:] for each in made}) == 50
    assert len({each.key_id for each in made}) == 50
    assert len({len(each.text) for each in made}) == 1


@pytest.mark.parametrize(
    "text",
    [
        "",
        "sfa_",
        MADE.key_id,
        MADE.record.digest,
        MADE.text[:-1],
        MADE.text + "A",
        MADE.text + "\n",
        MADE.text.upper(),
        MADE.text.replace("sfa_", "sfb_"),
        MADE.text[:-1] + ("A" if MADE.text[-1] != "A" else "B"),
        MADE.text.replace(MADE.key_id, OTHER.key_id),
        OTHER.text.replace(OTHER.key_id, MADE.key_id),
        new_api_key(user_id=USER).text,
        "\u0661" * 64,
        f"sfa_{MADE.key_id}_" + "\ud800" * 43,
        "sfa_" + "A" * 100_000,
        token(),
    ],
    ids=range(17),
)
async def test_another_text_is_no_key(text, caplog):
    caplog.set_level(logging.DEBUG)
    assert await code_of(knowing(MADE, OTHER), text) == "AUTH-KEY-UNKNOWN"
    assert "AUTH-KEY-UNKNOWN" in caplog.text
    assert len(text) < 20 or text[4:] not in caplog.text


async def test_an_id_that_nobody_has_takes_a_comparison_as_well(monkeypatch):
    compared = []

    def compare(one, other):
        compared.append((one, other))
        return True  # even if it were equal to what stands in for a digest

    monkeypatch.setattr(hmac, "compare_digest", compare)
    assert await code_of(knowing(MADE), OTHER.text) == "AUTH-KEY-UNKNOWN"
    assert len(compared) == 1


async def test_a_digest_is_compared_in_constant_time(monkeypatch):
    monkeypatch.setattr(hmac, "compare_digest", lambda one, other: False)
    assert await code_of(knowing(MADE), MADE.text) == "AUTH-KEY-UNKNOWN"


async def test_a_disabled_key_is_refused():
    assert await code_of(knowing(MADE, is_disabled=True), MADE.text) == "AUTH-KEY-DISABLED"


async def test_a_key_expires_with_its_second():
    later = datetime.fromtimestamp(NOW + 1, UTC)
    assert await code_of(knowing(MADE, expires_at=AT_NOW), MADE.text) == "AUTH-KEY-EXPIRED"
    assert (await knowing(MADE, expires_at=later).verify(MADE.text)).user_id == USER


async def test_only_who_has_the_key_is_told_of_its_state():
    states = {"is_disabled": True, "expires_at": AT_NOW}
    wrong = OTHER.text.replace(OTHER.key_id, MADE.key_id)
    assert await code_of(knowing(MADE, **states), wrong) == "AUTH-KEY-UNKNOWN"


@pytest.mark.parametrize(
    "part",
    [
        {"user_id": "x"},
        {"user_id": None},
        {"org_id": "acme"},
        {"scopes": [""]},
        {"scopes": [7]},
        {"expires_at": AT_NOW.replace(tzinfo=None)},
        {"expires_at": 7},
    ],
    ids=str,
)
def test_a_key_that_makes_no_sense_is_not_made(part):
    with pytest.raises(ValidationError):
        new_api_key(**{"user_id": USER, **part})


async def test_later_changes_of_the_mapping_do_not_count():
    records = {MADE.key_id: MADE.record}
    asked = ApiKeyVerifier(records)
    records.clear()
    assert (await asked.verify(MADE.text)).user_id == USER


@pytest.mark.parametrize(
    "records",
    [{"x": MADE.record}, {7: MADE.record}, {MADE.key_id + "\n": MADE.record}, {MADE.key_id: {}}],
    ids=range(4),
)
def test_what_is_no_record_is_refused(records):
    with pytest.raises(PolicyError):
        ApiKeyVerifier(records)


async def test_it_crosses_processes():
    copied = pickle.loads(pickle.dumps(ApiKeyVerifier({MADE.key_id: MADE.record})))
    assert isinstance(copied, TokenVerifier)
    assert (await copied.verify(MADE.text)).user_id == USER


# --- from a file ----------------------------------------------------------------------------------


def stored(**changes):
    return {MADE.key_id: {**MADE.record.model_dump(mode="json"), **changes}}


async def test_keys_are_read_from_a_file_once(tmp_path):
    file = tmp_path / "keys.json"
    file.write_text(json.dumps(stored(expires_at="2999-01-01T00:00:00Z")))
    asked = ApiKeyVerifier.from_file(file)
    file.write_text("{}")
    found = await asked.verify(MADE.text)
    assert (found.user_id, found.org_id, found.roles) == (USER, ORG, ("read", "write"))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{",
        json.dumps(stored())[:-1]
        + f', "{MADE.key_id}": '
        + json.dumps(stored(is_disabled=True))[23:],
        json.dumps({"x": stored()[MADE.key_id]}),
        json.dumps({MADE.key_id: 7}),
        json.dumps(stored(digest="s3cret")),
        json.dumps(stored(digest=MADE.record.digest + "\n")),
        json.dumps(stored(key="s3cret")),
        json.dumps(stored(user_id=None)),
        json.dumps(stored(is_disabled="s3cret")),
        json.dumps(stored(is_disabled="true")),
        json.dumps(stored(expires_at="2999-01-01T00:00:00")),
        None,
    ],
    ids=range(14),
)
def test_a_file_that_has_something_else_is_refused_and_not_shown(tmp_path, text):
    file = tmp_path / "keys.json"
    if text is not None:
        file.write_text(text)
    with pytest.raises(PolicyError) as refused:
        ApiKeyVerifier.from_file(file)
    assert "s3cret" not in str(refused.value)
    assert MADE.record.digest not in str(refused.value)


def test_records_are_what_they_are():
    with pytest.raises(ValidationError):
        MADE.record.is_disabled = True
    assert ApiKeyRecord.model_validate_json(MADE.record.model_dump_json()) == MADE.record


# --- with other tokens ----------------------------------------------------------------------------


async def test_keys_and_tokens_are_told_apart_by_their_form():
    both = FirstOf(knowing(MADE), verifier())
    assert isinstance(both, TokenVerifier)
    assert (await both.verify(MADE.text)).roles == ("read", "write")
    assert (await both.verify(token())).roles == ()
    assert await code_of(both, OTHER.text) == "AUTH-KEY-UNKNOWN"
    assert await code_of(both, token(kid="x")) == "AUTH-TOKEN-KEY"
    for text in ("x", "a.b", "a.b.c.d", ""):
        assert await code_of(both, text) == "AUTH-TOKEN-UNRECOGNISED"


async def test_what_the_first_refuses_no_other_is_asked_about():
    everything = FirstOf(knowing(OTHER), knowing(MADE))
    assert await code_of(everything, MADE.text) == "AUTH-KEY-UNKNOWN"
