"""Each promise of the guide to failure is held by tests that there are."""

from __future__ import annotations

import ast
import functools

import pytest

from tests.docs import documents

TESTS = documents.ROOT / "tests"
GUIDE = documents.ROOT / "docs" / "guides" / "failure.md"
PROMISES = documents.table_rows(documents.section(GUIDE, "promises"))


@functools.cache
def names_in(path: str) -> frozenset[str]:
    """The tests in a file, as pytest finds them: those in its classes have no place here."""
    tree = ast.parse((TESTS / path).read_text(encoding="utf-8"))
    functions = [n for n in tree.body if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef)]
    return frozenset(each.name for each in functions if each.name.startswith("test_"))


def test_there_are_promises_each_once_and_in_one_sentence():
    said = [promise for promise, _tests in PROMISES]
    assert said
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
