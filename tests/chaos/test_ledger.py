"""The ledger: what it is told is there, whoever wrote it and however that one ended."""

from __future__ import annotations

import dataclasses
import os
import pickle

import pytest

from stageflow_actors.testing import Exit, FaultLedger, FaultRecord, Hang, Sigkill
from tests.chaos.elsewhere import call_elsewhere, start_elsewhere


def record(kind="Hang", stage="a", source="s", **parts):
    return dataclasses.replace(
        FaultRecord(kind, stage, "run", 1, os.getpid(), 1.5, source), **parts
    )


def test_records_come_back_as_they_were_written_in_order(ledger):
    written = [record(), record("Sigkill", "b", run_id=None, attempt=None), record(stage="ä\n")]
    for each in written:
        assert ledger.write(each)
    assert ledger.records() == written


def test_fired_counts_by_class_and_by_stage(ledger):
    for kind, stage in [("Hang", "a"), ("Hang", "b"), ("Sigkill", "b")]:
        ledger.write(record(kind, stage))
    assert ledger.fired() == 3
    assert ledger.fired(Hang) == 2
    assert ledger.fired(stage="b") == 2
    assert ledger.fired(Hang, "b") == 1
    assert ledger.fired(Exit) == 0


@pytest.mark.parametrize("kind", ["Hang", Hang(), int, 3])
def test_what_is_no_class_of_faults_is_not_counted_as_never(ledger, kind):
    with pytest.raises(TypeError, match="no class of faults"):
        ledger.fired(kind)


def test_half_a_record_hides_neither_what_came_before_nor_what_comes_after(ledger):
    ledger.write(record(stage="before"))
    with ledger.path.open("ab") as file:
        file.write(b'\n{"kind": "Hang", "stage": "\xc3')
    ledger.write(record(stage="after"))
    with ledger.path.open("ab") as file:
        file.write(b'\n{"kind": "Hang"}\n[1]\n7\n')
    assert [each.stage for each in ledger.records()] == ["before", "after"]


def test_a_writer_that_is_killed_at_once_has_written(ledger):
    written = record()

    def write_and_die():
        ledger.write(written)
        os.kill(os.getpid(), 9)

    assert call_elsewhere(write_and_die)[0] == -9
    assert ledger.records() == [written]


def test_at_most_counts_one_source(ledger):
    assert [ledger.write(record(), at_most=2) for _ in range(3)] == [True, True, False]
    assert ledger.write(record(source="another"), at_most=2)
    assert ledger.fired() == 3


def test_at_most_holds_among_processes_that_write_at_once(ledger):
    def write_many():
        for _ in range(40):
            ledger.write(record(), at_most=50)

    processes = [start_elsewhere(write_many) for _ in range(3)]
    assert [process.wait(60) for process in processes] == [0, 0, 0]
    for process in processes:
        process.stderr.close()
    assert ledger.fired() == 50


def test_a_ledger_remembers_its_maker_wherever_it_is_opened(ledger):
    def check():
        assert copy.maker_pid != os.getpid()
        assert copy.fired(Sigkill) == 0

    copy = pickle.loads(pickle.dumps(ledger))
    assert (copy.path, copy.maker_pid) == (ledger.path, os.getpid())
    assert call_elsewhere(check)[0] == 0


def test_a_path_means_the_same_file_in_every_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    ledger = FaultLedger("faults.jsonl")
    monkeypatch.chdir("/")
    ledger.write(record())
    assert (tmp_path / "faults.jsonl").stat().st_size


def test_a_file_that_is_there_already_is_continued(ledger):
    ledger.write(record())
    assert FaultLedger(ledger.path).fired() == 1


def test_a_wrong_path_is_refused_where_it_is_given(tmp_path):
    with pytest.raises(ValueError, match="is a folder"):
        FaultLedger(tmp_path)
    with pytest.raises(FileNotFoundError):
        FaultLedger(tmp_path / "missing" / "faults.jsonl")


def test_a_file_that_is_not_there_where_a_stage_runs_is_not_made_in_secret(ledger):
    ledger.path.unlink()
    with pytest.raises(FileNotFoundError):
        ledger.write(record())
