"""The rules of this folder are asked about every file, and say which ones break them."""

import pytest

from tests.style.sources import EVERYTHING, LIBRARY, ROOT, offenders


def test_the_rules_are_about_every_file():
    named = {source.name for source in EVERYTHING}
    assert "stageflow_actors/engine/machine.py" in {source.name for source in LIBRARY} <= named
    assert "tests/style/test_sources.py" in named
    for folder in ("examples", "serve"):
        assert {path.relative_to(ROOT).as_posix() for path in (ROOT / folder).glob("*.py")} <= named


def test_every_offender_is_named_with_everything_that_is_wrong(plant):
    files = [plant("one.py", "a b"), plant("fine.py", ""), plant("below/two.py", "c")]
    found = offenders(files, lambda source: source.text.split())
    assert found == ["one.py: a", "one.py: b", "below/two.py: c"]


def test_a_file_is_read_and_parsed_once(plant):
    source = plant("one.py", "import ast")
    nodes = source.nodes
    source.path.unlink()
    assert source.nodes is nodes
    assert list(source.imports()) == ["ast"]


def test_a_file_that_is_not_python_is_an_error(plant):
    with pytest.raises(SyntaxError):
        _ = plant("one.py", "def").tree
