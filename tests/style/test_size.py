import pytest

from tests.style.sources import EVERYTHING

MAX_FILE_LINES = 350
MAX_FUNCTION_LINES = 60


LISTS_NAMES = "stageflow_actors/__init__.py"
"""Nothing but the list of what is public, which is looked up and not read."""


@pytest.mark.parametrize(
    "source", [each for each in EVERYTHING if each.name != LISTS_NAMES], ids=repr
)
def test_a_file_can_be_read_at_one_sitting(source):
    assert len(source.text.splitlines()) <= MAX_FILE_LINES


@pytest.mark.parametrize("source", EVERYTHING, ids=repr)
def test_a_function_fits_on_a_page(source):
    long = {
        f"{source.name}:{node.lineno} {node.name}": node.end_lineno - node.lineno + 1
        for node in source.functions()
        if node.end_lineno - node.lineno + 1 > MAX_FUNCTION_LINES
    }
    assert long == {}
