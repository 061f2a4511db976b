"""YAML is read as plain data: no objects, no key twice, nothing out of bounds; with lines."""

from __future__ import annotations

import datetime as dt

import pytest

from stageflow_actors import ConfigurationError, Pipeline
from stageflow_actors.configuration import document
from stageflow_actors.configuration.yaml_text import MAX_VALUES, read_yaml


def test_values_are_what_yaml_says_and_keys_are_as_they_are_written():
    reading = read_yaml("a: [1, 1.5, yes, null, text, '1']\non: 2001-02-03\n1: {b: !!str 7}\n")
    assert reading.data == {
        "a": [1, 1.5, True, None, "text", "1"],
        "on": dt.date(2001, 2, 3),
        "1": {"b": "7"},
    }
    assert reading.problems == []


def test_every_key_and_item_has_its_line():
    reading = read_yaml("a:\n  b: 1\n\n  c:\n    - x\n    - {y: 1,\n       z: 2}\n")
    assert reading.lines == {
        (): 1,
        ("a",): 1,
        ("a", "b"): 2,
        ("a", "c"): 4,
        ("a", "c", 0): 5,
        ("a", "c", 1): 6,
        ("a", "c", 1, "y"): 6,
        ("a", "c", 1, "z"): 7,
    }


def test_aliases_are_followed_and_no_part_is_shared():
    data = read_yaml("a: &x {b: [1]}\nc: *x\n").data
    assert data == {"a": {"b": [1]}, "c": {"b": [1]}}
    assert data["a"] is not data["c"]
    assert data["a"]["b"] is not data["c"]["b"]


def test_a_merge_gives_way_to_the_keys_of_its_mapping_and_to_earlier_merges():
    text = "x: &x {a: 1, b: 1, c: 1}\ny: &y {b: 2, d: 2}\nz: {<<: [*x, *y], a: 0}\n"
    assert read_yaml(text).data["z"] == {"a": 0, "b": 1, "c": 1, "d": 2}


def problem_of(text):
    (problem,) = read_yaml(text).problems
    return problem


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("a: 1\nb: 2\na: 3\n", 3, "has the key 'a' twice; the first is in line 1."),
        ("a: [1\nb: 2\n", 2, "is no YAML"),
        ("a: 1\n\tb: 2\n", 2, "is no YAML"),
        ("a: *b\n", 1, "undefined alias"),
        ("a: 1\n---\nb: 2\n", 2, "is no YAML"),
        ("a: 1\nb: \x01\n", 2, "a character that YAML forbids"),
        ("a: 1\n[1, 2]: 3\n", 2, "a key that is a list or a mapping"),
        ("a: 1\nb: {<<: 3}\n", 2, "merges ('<<') what is no mapping."),
        ("a: 1\nb: 2001-99-99\n", 2, "has '2001-99-99', which is no timestamp."),
        ("a: 1\nb: !!int x\n", 2, "has 'x', which is no int."),
    ],
)
def test_what_is_no_plain_yaml_is_a_problem_with_its_line(text, line, said):
    problem = problem_of(text)
    assert problem.line == line
    assert said in problem.message


@pytest.mark.parametrize(
    "value",
    [
        "!!python/object/apply:os.system ['touch {mark}']",
        "!!python/name:os.system ''",
        "!mine {a: 1}",
        "!!set {a, b}",
        "!!omap [a: 1]",
    ],
)
def test_a_tag_makes_no_object(value, tmp_path):
    mark = tmp_path / "mark"
    problem = problem_of(f"a: 1\nb: {value.replace('{mark}', str(mark))}\n")
    assert problem.line == 2
    assert "which is not supported" in problem.message
    assert not mark.exists()


# --- bounds ---------------------------------------------------------------------------------------


def test_aliases_that_would_repeat_billions_of_values_are_refused():
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 12)]
    assert f"more than {MAX_VALUES:,} values" in problem_of("\n".join(lines)).message


def test_merges_that_repeat_each_other_are_bounded():
    lines = ["a0: &a0 {k0: 1}"]
    lines += [f"a{n}: &a{n} {{<<: [{', '.join([f'*a{n - 1}'] * 3)}]}}" for n in range(1, 40)]
    assert "more than" in problem_of("\n".join(lines)).message


@pytest.mark.parametrize("text", ["a: &a [*a]", "a: &a {b: *a}", "a: &a {<<: *a}"])
def test_an_alias_inside_what_it_stands_for_is_refused(text):
    assert "contains itself" in problem_of(text).message


@pytest.mark.parametrize("depth", [150, 50_000])
def test_what_is_nested_too_deep_is_refused(depth):
    assert "nested deeper" in problem_of("[" * depth + "]" * depth).message


def test_a_file_that_is_too_long_is_refused_unread(write):
    path = write("# " + "x" * document.MAX_BYTES)
    with pytest.raises(ConfigurationError, match="longer than 1,048,576 bytes"):
        Pipeline.from_file(path, environment={})


# --- files ----------------------------------------------------------------------------------------


def problem_of_file(path):
    with pytest.raises(ConfigurationError) as caught:
        Pipeline.from_file(path, environment={})
    (problem,) = caught.value.problems
    return problem


@pytest.mark.parametrize(("name", "text"), [("a.yaml", ""), ("a.yaml", "# nothing\n")])
def test_an_empty_file_is_refused(write, name, text):
    assert problem_of_file(write(text, name)).message == "is empty."


def test_a_file_that_is_not_there_or_of_another_kind_is_refused(tmp_path):
    assert problem_of_file(tmp_path / "no.yaml").code == "CONFIG-FILE"
    assert problem_of_file(tmp_path).code == "CONFIG-FILE"
    assert "ends in one of" in problem_of_file(tmp_path / "flow.ini").hint


def test_a_file_in_another_encoding_is_refused_with_the_line(tmp_path):
    path = tmp_path / "a.yaml"
    path.write_bytes("a: 1\nb: ü\n".encode("latin-1"))
    assert (problem_of_file(path).message, problem_of_file(path).line) == (
        "is not encoded in UTF-8.",
        2,
    )


def test_a_byte_order_mark_is_no_part_of_the_text(write, tmp_path):
    text = write("stages: {a: {runner: @passes, kind: work}}").read_text()
    path = tmp_path / "marked.yaml"
    path.write_text(text, encoding="utf-8-sig")
    assert Pipeline.from_file(path, environment={}).stage_names() == ["a"]
