"""Files that break a rule, planted to see that it is noticed."""

import pytest

from tests.style.sources import Source


@pytest.fixture
def plant(tmp_path):
    """Writes ``text`` to a file that is called ``name``, as if it were one of this project."""

    def write(name, text):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return Source(path, tmp_path)

    return write
