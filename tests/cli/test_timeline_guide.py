"""The guide about timelines shows what the commands really make."""

from __future__ import annotations

import pytest

from tests.cli.timeline_guide import GUIDE, MADE_BY, PICTURES, draw, prepare, printed, sessions


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = tmp_path_factory.mktemp("guide")
    prepare(made)
    return made


@pytest.fixture(scope="module")
def drawn(folder, tmp_path_factory):
    """The pictures, as they are made now."""
    pictures = tmp_path_factory.mktemp("pictures")
    draw(pictures, folder)
    return pictures


def test_the_sessions_in_the_guide_are_real(folder):
    shown = sessions()
    assert len(shown) == 6
    commands = [command for command, _output in shown]
    made = printed(commands, folder)
    assert list(zip(commands, made, strict=True)) == shown


@pytest.mark.parametrize("picture", MADE_BY)
def test_the_pictures_in_the_guide_are_up_to_date(drawn, picture):
    made = (drawn / picture).read_text(encoding="utf-8")
    assert made == (PICTURES / picture).read_text(encoding="utf-8")
    assert f"(../pictures/{picture})" in GUIDE.read_text(encoding="utf-8")
