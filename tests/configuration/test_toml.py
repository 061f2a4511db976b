"""TOML says the same as YAML, and its problems have lines, too."""

from __future__ import annotations

import tomllib

import pytest

from stageflow_actors.configuration.toml_text import read_toml

AS_YAML = """
name: chat
stages:
  hear: {runner: @Hear, config: {upper: true}}
  think:
    runner: @think
    kind: agent
    dependencies: [hear]
    retry: {max_attempts: 4, retry_on: ["@Busy"]}
"""
AS_TOML = """
name = "chat"

[stages.hear]
runner = "@Hear"
config.upper = true

[stages.think]
runner = "@think"
kind = "agent"
dependencies = [
  "hear",
]

[stages.think.retry]
max_attempts = 4
retry_on = ["@Busy"]
"""


def test_a_toml_file_says_the_same_as_a_yaml_file(load):
    from_toml = load(AS_TOML, name="flow.toml")
    from_yaml = load(AS_YAML)
    assert from_toml.declared() == from_yaml.declared()
    assert from_toml.plan == from_yaml.plan


TRICKY = '''
top = 1  # [no.table]
text = """
[no.table]
key = "x" \\""" still
"""
'literal' = \'\'\'
other = 3
\'\'\'
"quoted key" = "a = b # no comment"
[a . "b.c"]
d.e = {f = [1,
  2], g = "]"}
list = [
  1, "]",  # ] [
  [2, 3],

  { x = 1 },
]
[[many]]
x = 1
[[many]]
x = 2
[many.inner]
y = 3
[[many.deep]]
z = 1
'''


def test_keys_tables_and_items_have_their_lines():
    reading = read_toml(TRICKY)
    assert reading.data == tomllib.loads(TRICKY)
    assert reading.lines == {
        (): 1,
        ("top",): 2,
        ("text",): 3,
        ("literal",): 7,
        ("quoted key",): 10,
        ("a",): 11,
        ("a", "b.c"): 11,
        ("a", "b.c", "d"): 12,
        ("a", "b.c", "d", "e"): 12,
        ("a", "b.c", "list"): 14,
        ("a", "b.c", "list", 0): 15,
        ("a", "b.c", "list", 1): 15,
        ("a", "b.c", "list", 2): 16,
        ("a", "b.c", "list", 3): 18,
        ("many",): 20,
        ("many", 0): 20,
        ("many", 0, "x"): 21,
        ("many", 1): 22,
        ("many", 1, "x"): 23,
        ("many", 1, "inner"): 24,
        ("many", 1, "inner", "y"): 25,
        ("many", 1, "deep"): 26,
        ("many", 1, "deep", 0): 26,
        ("many", 1, "deep", 0, "z"): 27,
    }


def test_problems_of_a_toml_file_have_their_lines(problems_of):
    text = AS_TOML.replace("= 4", "= 0").replace('"hear",', '\n  "haer",').replace("upper", "uper")
    problems = problems_of(text, name="flow.toml")
    assert [(each.line, each.path) for each in problems] == [
        (6, "stages.hear.config.uper"),
        (13, "stages.think.dependencies.0"),
        (17, "stages.think.retry.max_attempts"),
    ]


@pytest.mark.parametrize(
    ("text", "line"),
    [("a = 1\na = 2\n", 2), ("a = [1\nb = 2\n", 2), ("[a]\nb = 1\n[a]\n", 3), ("x", 1)],
)
def test_what_is_no_toml_is_a_problem_with_its_line(problems_of, text, line):
    (problem,) = problems_of(text, name="flow.toml")
    assert (problem.code, problem.line) == ("CONFIG-SYNTAX", line)
    assert problem.message.startswith("is no TOML: ")


def test_toml_that_is_nested_too_deep_is_refused():
    (problem,) = read_toml("a = " + "[" * 50_000).problems
    assert "nested too deep" in problem.message or "is no TOML" in problem.message
