import ast
import importlib.metadata
import pkgutil
import subprocess
import sys

import pytest

import stageflow_actors
from tests.style.sources import LIBRARY, PACKAGE, ROOT

RESOLVE = """
import stageflow_actors
for name in stageflow_actors.__all__:
    assert getattr(stageflow_actors, name) is not None, name
"""


def documented_names(source):
    """Names of a module that have a docstring: in their body, or below their assignment."""
    body = source.tree.body
    for node, after in zip(body, [*body[1:], None], strict=True):
        if isinstance(node, (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
            if ast.get_docstring(node):
                yield node.name
        elif isinstance(node, ast.Assign) and is_text(after):
            yield from (target.id for target in node.targets if isinstance(target, ast.Name))


def is_text(node):
    return isinstance(node, ast.Expr) and isinstance(getattr(node.value, "value", None), str)


def test_the_public_names_are_sorted_and_each_is_there_once():
    names = stageflow_actors.__all__
    assert names == sorted(set(names))


def test_every_public_name_resolves_to_something():
    subprocess.run([sys.executable, "-c", RESOLVE], cwd=ROOT, check=True, timeout=60)


def test_every_public_name_is_documented_where_it_is_defined():
    documented = {name for source in LIBRARY for name in documented_names(source)}
    assert set(stageflow_actors.__all__) - documented == set()


def test_every_public_name_is_loaded_on_first_use():
    assert list(stageflow_actors._LAZY) == stageflow_actors.__all__


def test_every_public_name_is_listed_before_it_is_loaded():
    listed = set(dir(stageflow_actors))
    assert set(stageflow_actors.__all__) <= listed
    assert {"__all__", "__doc__", "__name__"} <= listed


def test_a_star_import_brings_every_public_name():
    brought = {}
    exec("from stageflow_actors import *", brought)
    assert set(brought) - {"__builtins__"} == set(stageflow_actors.__all__)


def test_a_name_is_looked_for_once():
    name = stageflow_actors.__all__[0]
    assert getattr(stageflow_actors, name) is vars(stageflow_actors)[name]


def test_no_public_name_is_that_of_a_module_which_would_take_its_place():
    modules = {module.name for module in pkgutil.iter_modules(stageflow_actors.__path__)}
    assert "pipeline" in modules
    assert modules & set(stageflow_actors.__all__) == set()


def test_every_name_imported_into_the_package_is_public():
    root = next(source for source in LIBRARY if source.module == PACKAGE)
    imported = {
        alias.asname or alias.name
        for node in ast.walk(root.tree)
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(PACKAGE)
        for alias in node.names
    }
    assert imported == set(stageflow_actors.__all__)


def test_a_name_that_does_not_exist_is_an_attribute_error():
    with pytest.raises(AttributeError, match="'stageflow_actors' has no attribute 'Pipelin'"):
        _ = stageflow_actors.Pipelin


def test_the_version_is_that_of_the_distribution():
    assert stageflow_actors.__version__ == importlib.metadata.version("stageflow-actors")


DOCUMENTS = '''
"""About the module."""
told = 1
"""What it is."""
untold = 2
class Told:
    "What it is."
class Untold: ...
async def asked():
    "What it does."
def unasked(): ...
'''


def test_a_name_without_documentation_is_noticed(plant):
    assert set(documented_names(plant("one.py", DOCUMENTS))) == {"told", "Told", "asked"}
