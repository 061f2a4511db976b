"""``Redactor``: known values, contents and their parts, nested data."""

from __future__ import annotations

import json

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pydantic import SecretBytes, SecretStr

from stageflow_actors.model.frozen import freeze
from stageflow_actors.model.redaction.redactor import Redactor

SAID = "My name is Ada Lovelace, and my card has the number 4929 8123 5570 6146, I think."
texts = st.text() | st.text(alphabet="abc=:'\"\\[]{} -/@.password", max_size=60)
pieces = st.sampled_from(
    ["password", "=", ": ", "[redacted]", "[content]", "token", "'", '"', "\\", "Bearer ", "x" * 9,
     "eyJ", "://", "@", "b", "--", " ", "\n", SAID[:30], SAID[10:40], "sk-", "A1b2" * 5, "cookie"]
)  # fmt: skip
joined = st.lists(pieces, max_size=12).map("".join)
nested = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | joined | texts | st.binary(),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.lists(inner, max_size=3).map(tuple)
        | st.dictionaries(joined | texts | st.integers(), inner, max_size=4)
        | st.frozensets(texts, max_size=3)
    ),
    max_leaves=12,
)


@pytest.fixture(scope="module")
def redactor():
    return Redactor(["correct horse", 'it\'s "mine"\n!', "redacted", "content]"], [SAID, "short"])


@pytest.mark.parametrize(
    "text", ["correct horse", repr('it\'s "mine"\n!'), "?p=correct%20horse", "a correct horse b"]
)
def test_a_known_value_is_masked_in_every_form(redactor, text):
    clean = redactor.text(text)
    assert "[redacted]" in clean
    assert not any(word in clean for word in ("horse", "mine"))


def test_a_short_value_is_not_looked_for():
    assert Redactor(["1234567"]).text("1234567") == "1234567"


def test_the_longest_of_several_values_is_masked_as_a_whole():
    assert Redactor(["abcdefgh", "abcdefgh12"]).text("abcdefgh12") == "[redacted]"


@pytest.mark.parametrize(
    "text",
    [
        SAID,
        f"cannot read {SAID!r}",
        json.dumps({"said": SAID}),
        f"input_value={SAID[:40]!r}...",
        SAID[30:],
        f"{SAID[:24]} and {SAID[-24:]}",
    ],
)
def test_what_was_said_is_masked_whole_and_in_long_parts(redactor, text):
    clean = redactor.text(text)
    assert "[content]" in clean
    assert not any(SAID[at : at + 12] in clean for at in range(len(SAID) - 11))


def test_a_part_of_what_was_said_does_not_hide_that_a_secret_follows():
    redactor = Redactor((), ["this is what it says: {'api_key': 'nothing'} and that was all of it"])
    text = "this is what it says: {'api_key': 'hunter2'}"
    assert redactor.text(text) == "[content][redacted]'}"


def test_quotes_and_line_ends_in_what_was_said_do_not_hide_it():
    said = "line \"one\"\nline 'two'\n" * 3
    redactor = Redactor((), [said])
    for text in (said, repr(said), json.dumps(said), f"<<{said.strip()}>>"):
        assert "one" not in redactor.text(text)


@pytest.mark.parametrize("text", [SAID[:11], SAID[40:60], "short", "My name is", "-" * 80])
def test_a_few_words_that_are_the_same_stay(redactor, text):
    assert redactor.text(text) is text


def test_a_line_of_dashes_in_what_was_said_masks_no_other_line():
    redactor = Redactor((), ["-" * 40 + " what I wanted to ask"])
    assert redactor.text("see\n" + "-" * 39) == "see\n" + "-" * 39


def test_data_is_masked_by_name_and_by_text_at_any_depth(redactor):
    data = {
        "user": "ada",
        "password": "x",
        "n": {"api_key": ["a"], "token_count": 5, "has_token": True, "list": [1, (SAID, {2})]},
        "token": None,
        "secret": "",
        "key": SecretStr("x"),
        "raw": b"password=x",
        "bytes": SecretBytes(b"x"),
    }
    assert redactor.data(data) == {
        "user": "ada",
        "password": "[redacted]",
        "n": {
            "api_key": "[redacted]",
            "token_count": 5,
            "has_token": True,
            "list": [1, ("[content]", {2})],
        },
        "token": None,
        "secret": "",
        "key": "[redacted]",
        "raw": b"[redacted]",
        "bytes": "[redacted]",
    }


@pytest.mark.parametrize("before", range(26))
@pytest.mark.parametrize("said", [[SAID], [SAID, "another long text without it; " * 100]])
def test_a_part_of_what_was_said_is_masked_wherever_it_stands(before, said):
    text = f"{'.' * before}{SAID[7:31]}..."
    redactor = Redactor((), said)
    for _again in range(12):
        assert redactor.text(text) == f"{'.' * before}[content]..."


@pytest.mark.parametrize(
    ("given", "clean"),
    [
        ({"correct horse": 1}, {"[redacted]": 1}),
        ({"n": {"sk-proj-Ab12Cd34Ef56Gh78": 1}}, {"n": {"[redacted]": 1}}),
        ({SAID[:30]: [1]}, {"[content]": [1]}),
        ({"n": [{"said": "a short word"}]}, {"n": [{"said": "[content]"}]}),
        (["x", ("token: abc",)], ["x", ("token: [redacted]",)]),
        ({"a": "correct", "b": " horse"}, {"a": "correct", "b": " horse"}),
    ],
)
def test_names_and_texts_in_plain_data_are_masked_each_by_itself(given, clean):
    redactor = Redactor(["correct horse"], [SAID, "a short word"])
    for value in (given, freeze(given)[0]):
        assert redactor.data(value) == clean
        assert (redactor.data(value) is value) is (given == clean)


def test_data_that_contains_itself_ends():
    data: dict = {"password": "x", "list": []}
    data["list"] += [data, data, data]
    clean = Redactor().data(data)
    assert clean["password"] == "[redacted]"
    assert clean["list"] == ["[redacted]"] * 3


def test_data_that_is_deeper_than_anything_is_masked_below():
    data: list = ["password=x"]
    for _level in range(5000):
        data = [data]
    assert "password=x" not in repr(Redactor().data({"deep": data}))


@settings(deadline=None)
@given(joined | texts)
@example("password=[content]")
@example("token=b'[redacted]x")
@example("cookie: b'[redacted]")
def test_redacting_a_text_twice_changes_nothing(redactor, text):
    clean = redactor.text(text)
    assert redactor.text(clean) is clean


@settings(deadline=None)
@given(nested)
def test_any_data_is_redacted_without_an_error_and_twice_is_once(redactor, value):
    clean = redactor.data(value)
    again = redactor.data(clean)
    assert repr(again) == repr(clean)
    assert redactor.data(freeze(value)[0]) is not Ellipsis


@settings(deadline=None)
@given(st.lists(joined | texts, max_size=3), st.lists(joined | texts, max_size=3), joined)
def test_any_secrets_and_contents_can_be_looked_for(secrets, contents, text):
    clean = Redactor(secrets, contents).text(text)
    for secret in secrets:
        assert len(secret) < 8 or secret not in clean or secret in "[redacted][content]"


@settings(deadline=None)
@given(st.text(alphabet="abcdef ", max_size=80))
def test_plain_text_comes_back_as_the_same_object(redactor, text):
    assert redactor.text(text) is text
    assert redactor.data([text, {"n": text}]) == [text, {"n": text}]


@pytest.mark.timeout(60)
@pytest.mark.parametrize("part", [SAID[:12], SAID[:23], SAID, "a", "\\", "correct hors"])
def test_a_long_text_next_to_what_was_said_takes_a_time_that_grows_with_its_length(part):
    redactor = Redactor(["correct horse"], [SAID * 100, "a" * 100_000])
    redactor.text(part * (250_000 // len(part)))
