"""Each promise of the guides is held by tests that there are."""

from __future__ import annotations

import ast
import functools

import pytest

from tests.docs import documents

TESTS = documents.ROOT / "tests"
PROMISING = (
    "failure.md",
    "supervision.md",
    "child-runs.md",
    "scaling.md",
    "admission.md",
    "cluster.md",
    "payloads.md",
    "streaming.md",
    "serving.md",
)
GUIDES = [documents.ROOT / "docs" / "guides" / name for name in PROMISING]
PROMISES = [
    row for guide in GUIDES for row in documents.table_rows(documents.section(guide, "promises"))
]


@functools.cache
def names_in(path: str) -> frozenset[str]:
    """The tests in a file, as pytest finds them: those in its classes have no place here."""
    tree = ast.parse((TESTS / path).read_text(encoding="utf-8"))
    functions = [n for n in tree.body if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef)]
    return frozenset(each.name for each in functions if each.name.startswith("test_"))


@pytest.mark.parametrize("guide", GUIDES, ids=documents.name_of)
def test_a_guide_has_promises(guide):
    assert documents.table_rows(documents.section(guide, "promises"))


def test_promises_are_made_once_and_in_one_sentence():
    said = [promise for promise, _tests in PROMISES]
    assert len(said) == len(set(said))
    for promise in said:
        assert promise.endswith(".")
        assert ". " not in promise


@pytest.mark.parametrize(("promise", "tests"), PROMISES, ids=[row[0] for row in PROMISES])
def test_a_promise_names_tests_that_there_are(promise, tests):
    named = documents.code_spans(tests)
    assert named
    for each in named:
        path, _colons, name = each.partition("::")
        assert (TESTS / path).is_file(), f"there is no file {path}"
        assert name in names_in(path), f"there is no test {name} in {path}"
