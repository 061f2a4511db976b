"""A module that nobody asks, or one that takes the others down, measures nothing."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.benchmarks import __main__ as command
from tests.benchmarks import cores, report
from tests.benchmarks.figures import Skipped, timed_figure
from tests.benchmarks.measure import QUICK, Comparison


@pytest.fixture
def known_machine(monkeypatch):
    """Nobody measures what its cores are worth."""
    monkeypatch.setattr(report, "worth_of_all", lambda: 1.5)


def test_every_module_that_has_rows_is_in_the_table_once():
    files = Path(__file__).parent.glob("*.py")
    with_rows = [file.stem for file in files if "\nasync def rows(" in file.read_text()]

    assert sorted(command.MODULES) == sorted(with_rows)


async def test_a_module_that_breaks_down_keeps_its_rows_and_leaves_the_others_theirs(monkeypatch):
    async def breaks_down(effort):
        yield Skipped("walk", "no road")
        raise OSError("the road is closed")

    async def works(effort):
        yield Skipped("swim", "no water")

    modules = {"tests.benchmarks.first": breaks_down, "tests.benchmarks.second": works}
    monkeypatch.setattr(command, "import_module", lambda name: SimpleNamespace(rows=modules[name]))

    rows, broken = await command.measure(["first", "second"], QUICK)

    assert [row.name for row in rows] == ["walk", "first", "swim"]
    assert "OSError" in rows[1].reason
    assert broken == ["first"]


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (["--save-baseline"], "needs --baseline"),
        (["--baseline", "nowhere.json"], "there is no nowhere.json"),
        (["--only", "nothing"], "invalid choice"),
    ],
)
def test_options_that_would_come_to_nothing_are_refused_before_anything_is_measured(
    options, complaint, monkeypatch, capsys
):
    monkeypatch.setattr("sys.argv", ["benchmarks", *options])

    with pytest.raises(SystemExit):
        command.main()

    assert complaint in capsys.readouterr().err


def test_a_kept_baseline_says_next_time_what_is_worse(known_machine, tmp_path, monkeypatch, capsys):
    kept = str(tmp_path / "kept.json")
    took = iter([1.0, 2.0])

    async def rows(effort):
        measured = Comparison((next(took),), (1.0,))
        yield timed_figure("walk", "ms", "run", measured, at_most=9)

    monkeypatch.setattr(command, "import_module", lambda name: SimpleNamespace(rows=rows))
    options = ["benchmarks", "--only", "deaths", "--baseline", kept]

    for more in (["--save-baseline"], []):
        monkeypatch.setattr("sys.argv", [*options, *more])
        assert command.main() == 0

    assert "1 of 1 figures worse by over 15%.\n- walk: 1 x -> 2 x" in capsys.readouterr().out


def test_a_baseline_that_is_none_is_refused_before_anything_is_measured(
    known_machine, tmp_path, monkeypatch
):
    (tmp_path / "kept.json").write_text("{}")
    monkeypatch.setattr(command, "import_module", lambda name: pytest.fail("it was measured"))
    monkeypatch.setattr("sys.argv", ["benchmarks", "--baseline", str(tmp_path / "kept.json")])

    with pytest.raises(ValueError, match="no report of figures"):
        command.main()


def test_what_the_cores_of_this_machine_are_worth_is_measured(monkeypatch):
    monkeypatch.setattr(cores, "_STEPS", 1)
    monkeypatch.setattr(cores, "_TIMES", 1)
    assert cores.worth_of_all() > 0
