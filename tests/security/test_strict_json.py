"""JSON that means one thing only, within bounds."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stageflow_actors.security.strict_json import JsonRefusedError, read_json, read_object

BOUNDS = {"max_depth": 20, "max_values": 1000}
LEAVES = (
    st.none()
    | st.booleans()
    | st.integers(-(10**30), 10**30)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"]))
)
VALUES = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner, max_size=4)
    ),
    max_leaves=20,
)


def read(text):
    return read_json(text if isinstance(text, bytes) else text.encode(), **BOUNDS)


@given(VALUES, st.booleans(), st.sampled_from([None, 2]))
def test_whatever_json_can_say_is_read_as_it_is(value, is_ascii, indent):
    assert read(json.dumps(value, ensure_ascii=is_ascii, indent=indent)) == value


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(body):
    try:
        value = read(body)
    except JsonRefusedError:
        return
    assert json.loads(body) == value


@given(st.text(alphabet='[]{}",:\\ue+-.0123456789dDNaInfity tru', max_size=60))
def test_what_is_read_has_no_second_meaning(text):
    try:
        value = read(text)
    except JsonRefusedError:
        return
    pending = [value]
    while pending:
        each = pending.pop()
        if isinstance(each, float):
            assert math.isfinite(each)
        elif isinstance(each, str):
            each.encode("utf-8")
        elif isinstance(each, list):
            pending += each
        elif isinstance(each, dict):
            pending += [*each, *each.values()]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("NaN", "NaN"),
        ("[Infinity]", "infinity"),
        ('{"a": -Infinity}', "infinity"),
        ("1e999", "too large"),
        ("-1e999", "too large"),
        ("1" * 5000, "digits"),
        ('{"a": 1, "a": 2}', "twice"),
        ('{"a": 1, "\\u0061": 2}', "twice"),
        ('[{"b": {"a": 1, "a": 1}}]', "twice"),
        (r'"\ud800"', "surrogate"),
        (r'{"\uDC00": 1}', "surrogate"),
        (r'["\ud83d\ud83d\ude00"]', "surrogate"),
        (b'"\xed\xa0\x80"', "UTF-8"),
        (b"\xff\xfe1\x00", "UTF-8"),
        ("\ufeff{}", "no JSON"),
        ("", "no JSON"),
        ("{} {}", "no JSON"),
        ("{'a': 1}", "no JSON"),
        ('{"a": 1,}', "no JSON"),
        ('"\t"', "no JSON"),
        ("[" * 21 + "]" * 21, "deeper"),
        ('{"a":' * 21 + "1" + "}" * 21, "deeper"),
        ("[" * 1_000_000, "deeper"),
        (f"[{'1,' * 1001}1]", "values"),
        (f"[{'{},' * 600}1]", "values"),
    ],
)
def test_what_readers_understand_differently_is_refused(text, why):
    with pytest.raises(JsonRefusedError, match=why):
        read(text)


def test_a_pair_of_surrogates_is_a_character():
    assert read(r'["\ud83d\ude00"]') == ["😀"]


def test_signs_inside_texts_do_not_count():
    text = "[" * 500 + "," * 2000 + '\\"'
    assert read(json.dumps({"a": text})) == {"a": text}


def test_an_unending_text_is_looked_at_once():
    """With a search that begins anew at each quotation mark this takes hours."""
    with pytest.raises(JsonRefusedError):
        read('"' + '\\"' * 2_000_000)


def test_nothing_of_the_body_is_quoted():
    for text in ('{"password": "hunter2", "password": 1}', '{"hunter2": tru', '["hunter2", NaN]'):
        with pytest.raises(JsonRefusedError) as refused:
            read(text)
        assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize(
    "text",
    ["[]", '{"a": 1, "a": 2}', '{"a": NaN}', "{", b"\xff{}", '{"a":' * 5000, "1" * 5000],
)
def test_what_is_no_object_of_one_meaning_is_none(text):
    assert read_object(text if isinstance(text, bytes) else text.encode()) is None


def test_an_object_without_bounds_is_read():
    assert read_object(b'{"a": [1, 2.5, null], "b": "\xc3\xa4"}') == {"a": [1, 2.5, None], "b": "ä"}
