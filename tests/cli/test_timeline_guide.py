"""The guide about timelines shows what the commands really make."""

from __future__ import annotations

import pytest

from stageflow_actors import Settings
from tests.cli.timeline_guide import GUIDE, MADE_BY, PICTURES, draw, prepare, printed, sessions
from tests.docs import documents


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


def test_what_the_guide_records_is_shown_by_the_other_commands(folder):
    (block,) = (each for each in documents.blocks(GUIDE) if each.info == "sh")
    commands = [line.removeprefix("stageflow-actors ") for line in block.code.splitlines()]
    assert [command.split()[0] for command in commands] == ["run", "timeline", "events", "graph"]
    ran, timeline, events, graph = printed(commands, folder)
    assert ran.endswith("Recorded in delivery.jsonl.\n")
    assert timeline.startswith("delivery: ok after ")
    assert "  pipeline.completed  " in events
    assert "ok after " in graph


def test_the_guide_says_how_much_of_a_killed_program_may_be_missing():
    assert Settings().event_flush_interval_s == 0.25
    assert "`Settings.event_flush_interval_s` at the latest, 0.25 seconds by default" in " ".join(
        GUIDE.read_text(encoding="utf-8").split()
    )


@pytest.mark.parametrize("picture", MADE_BY)
def test_the_pictures_in_the_guide_are_up_to_date(drawn, picture):
    made = (drawn / picture).read_text(encoding="utf-8")
    assert made == (PICTURES / picture).read_text(encoding="utf-8")
    assert f"(../pictures/{picture})" in GUIDE.read_text(encoding="utf-8")
