import ast
import re

import pytest

from tests.style.sources import EVERYTHING, LIBRARY

SAYS_NOTHING = {
    "base",
    "common",
    "helper",
    "helpers",
    "legacy",
    "manager",
    "managers",
    "misc",
    "unified",
    "util",
    "utils",
    "v2",
}
CONTRACT = {"BaseInterceptor"}
"""Names that users of the library this one replaces know."""
WORD = re.compile(r"v\d+|[A-Z]+(?![a-z])|[A-Z]?[a-z]+")


def words_of(name):
    return {word.lower() for word in WORD.findall(name)}


def names_made_in(tree):
    """Every name that the code gives: to modules, classes, functions, parameters, variables."""
    for node in ast.walk(tree):
        if isinstance(node, (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
            yield node.name
        elif isinstance(node, ast.arg):
            yield node.arg
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            yield node.attr
        elif isinstance(node, ast.alias) and node.asname:
            yield node.asname


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("StageManager", {"stage", "manager"}),
        ("run_v2", {"run", "v2"}),
        ("HTTPUtils", {"http", "utils"}),
        ("database", {"database"}),
        ("_BASE", {"base"}),
    ],
)
def test_a_name_is_read_word_by_word(name, words):
    assert words_of(name) == words


@pytest.mark.parametrize("source", EVERYTHING, ids=repr)
def test_no_name_is_a_word_that_says_nothing(source):
    names = {*names_made_in(source.tree), *source.name.removesuffix(".py").split("/")}
    assert {name for name in names - CONTRACT if words_of(name) & SAYS_NOTHING} == set()


@pytest.mark.parametrize("source", LIBRARY, ids=repr)
def test_every_module_says_what_it_is_for(source):
    docstring = ast.get_docstring(source.tree)
    assert docstring
    assert docstring.splitlines()[0].endswith((".", "?"))
