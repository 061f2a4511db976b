import ast
import re

import pytest

from tests.style.sources import EVERYTHING, LIBRARY, offenders

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


def names_made_in(source):
    """Every name that the code gives: to modules, classes, functions, parameters, variables."""
    for node in source.nodes:
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


def names_that_say_nothing(source):
    names = {*names_made_in(source), *source.name.removesuffix(".py").split("/")}
    return sorted(name for name in names - CONTRACT if words_of(name) & SAYS_NOTHING)


def what_a_module_does_not_say(source):
    docstring = ast.get_docstring(source.tree)
    if not docstring:
        yield "no docstring"
    elif not docstring.splitlines()[0].endswith((".", "?")):
        yield "a docstring whose first line is no sentence"


def test_no_name_is_a_word_that_says_nothing():
    assert offenders(EVERYTHING, names_that_say_nothing) == []


def test_every_module_says_what_it_is_for():
    assert offenders(LIBRARY, what_a_module_does_not_say) == []


MAKES_NAMES = """
import misc.base, common as UTILS
class StageManager: ...
def read(legacy_path, *, unified): ...
async def help_v2(): ...
for self.base in []: helper = database
"""


def test_a_name_that_says_nothing_is_noticed_wherever_it_is_given(plant):
    found = offenders([plant("helpers/v2.py", MAKES_NAMES)], names_that_say_nothing)
    assert {each.removeprefix("helpers/v2.py: ") for each in found} == {
        *("UTILS", "StageManager", "legacy_path", "unified", "help_v2", "base", "helper"),
        *("helpers", "v2"),
    }


def test_names_of_others_are_theirs(plant):
    theirs = "import misc.base\nmisc.base.helper(BaseInterceptor)\nclass BaseInterceptor: ..."
    assert offenders([plant("one.py", theirs)], names_that_say_nothing) == []


def test_a_module_that_does_not_say_what_it_is_for_is_noticed(plant):
    files = [
        plant("says.py", '"""What it is for.\n\nAnd more"""'),
        plant("asks.py", '"""What is it for?"""'),
        plant("mute.py", "1"),
        plant("mumbles.py", '"""Things\n\nThat is all."""'),
    ]
    assert offenders(files, what_a_module_does_not_say) == [
        "mute.py: no docstring",
        "mumbles.py: a docstring whose first line is no sentence",
    ]
