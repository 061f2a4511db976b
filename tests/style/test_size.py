from tests.style.sources import EVERYTHING, offenders

MAX_FILE_LINES = 350
MAX_FUNCTION_LINES = 60


LISTS_NAMES = "stageflow_actors/__init__.py"
"""Nothing but the list of what is public, which is looked up and not read."""


def too_long(source):
    lines = len(source.text.splitlines())
    if lines > MAX_FILE_LINES and source.name != LISTS_NAMES:
        yield f"{lines} lines"


def functions_too_long(source):
    for node in source.functions():
        lines = node.end_lineno - node.lineno + 1
        if lines > MAX_FUNCTION_LINES:
            yield f"{node.name} in line {node.lineno} has {lines} lines"


def test_a_file_can_be_read_at_one_sitting():
    assert offenders(EVERYTHING, too_long) == []


def test_a_function_fits_on_a_page():
    assert offenders(EVERYTHING, functions_too_long) == []


def test_a_file_that_is_too_long_is_noticed(plant):
    files = [plant("long.py", "1\n" * 351), plant("fits.py", "1\n" * 350)]
    assert offenders([*files, plant(LISTS_NAMES, "1\n" * 999)], too_long) == ["long.py: 351 lines"]


def test_a_function_that_is_too_long_is_noticed(plant):
    fits = "def fits():\n" + "    1\n" * 59
    long = "class Of:\n    async def long():\n" + "        1\n" * 60
    found = offenders([plant("one.py", fits + long)], functions_too_long)
    assert found == ["one.py: long in line 62 has 61 lines"]
