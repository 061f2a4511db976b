"""A file that grows and is rotated, read while it does."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stageflow_actors import JSONLEventSink
from stageflow_actors.cli.event_lines import LineParts


def told(lines):
    return [json.loads(line)["data"]["n"] for line in lines]


def sink_of(path, **options):
    return JSONLEventSink(path, **options)


STEPS = st.lists(st.sampled_from(["write", "look", "write", "reopen"]), max_size=60)


@pytest.mark.parametrize("before", [0, 7])
@settings(max_examples=60, deadline=None)
@given(steps=STEPS, per_file=st.integers(1, 4))
def test_every_line_comes_once_and_in_order_across_rotations(
    tmp_path_factory, before, steps, per_file
):
    path = tmp_path_factory.mktemp("events") / "e.jsonl"
    options = {"max_bytes": 40 * per_file, "max_files": 100}
    sink, written, seen = sink_of(path, **options), 0, []

    def write():
        nonlocal written
        sink.try_emit(type="t", data={"n": written})
        written += 1

    for _ in range(before):
        write()
    with LineParts(path) as parts:
        seen += told(parts.lines())
        for step in steps:
            if step == "write":
                write()
            elif step == "look":
                seen += told(parts.lines())
            else:
                sink.close()
                sink = sink_of(path, **options)
        seen += told(parts.lines())
    sink.close()
    assert seen == list(range(written))


def test_rotated_parts_are_read_first(tmp_path):
    path = tmp_path / "e"
    for name, number in (("e.2", 0), ("e.1", 1), ("e", 2)):
        (tmp_path / name).write_text(f'{{"data": {{"n": {number}}}}}\n')
    with LineParts(path) as parts:
        assert told(parts.lines()) == [0, 1, 2]


def test_a_line_that_has_not_ended_waits_for_the_rest(tmp_path):
    path = tmp_path / "e"
    path.write_bytes(b'{"data": {"n": 0}}\n{"data"')
    with LineParts(path) as parts, path.open("ab") as file:
        assert told(parts.lines()) == [0]
        assert parts.has_rest
        file.write(b': {"n": 1}}\n')
        file.flush()
        assert told(parts.lines()) == [1]
        assert not parts.has_rest


def test_a_file_that_is_emptied_is_read_from_its_new_beginning(tmp_path):
    path = tmp_path / "e"
    with sink_of(path, max_bytes=60, max_files=1) as sink, LineParts(path) as parts:
        seen = []
        for number in range(10):
            sink.try_emit(type="t", data={"n": number})
            seen += told(parts.lines())
    assert seen == list(range(10))


def test_a_file_that_was_emptied_and_is_longer_again_is_read_from_its_beginning(tmp_path):
    path = tmp_path / "e"
    path.write_text('{"data": {"n": 1}}\n')
    with LineParts(path) as parts:
        parts.lines()
        path.write_text('{"data": {"n": 2}}\n{"data": {"n": 3}}\n')
        assert told(parts.lines()) == [2, 3]


def test_files_that_were_removed_unread_are_passed_over(tmp_path):
    path = tmp_path / "e"
    with sink_of(path, max_bytes=1, max_files=2) as sink:
        sink.try_emit(type="t", data={"n": 0})
        with LineParts(path) as parts:
            assert told(parts.lines()) == [0]
            for number in range(1, 6):
                sink.try_emit(type="t", data={"n": number})
            assert told(parts.lines()) == [4, 5]


def test_a_moment_without_any_file_is_no_end(tmp_path):
    path = tmp_path / "e"
    path.write_text('{"data": {"n": 0}}\n')
    with LineParts(path) as parts:
        parts.lines()
        path.replace(tmp_path / "e.1")
        assert parts.lines() == []
        path.write_text('{"data": {"n": 1}}\n')
        assert told(parts.lines()) == [1]


def line_of(number):
    return f'{{"data": {{"n": {number}}}}}\n'


def test_parts_that_were_read_stay_read_when_the_newest_file_is_removed(tmp_path):
    path, first, second = (tmp_path / name for name in ("e", "e.1", "e.2"))
    for number, file in enumerate((second, first, path)):
        file.write_text(line_of(number))
    with LineParts(path) as parts:
        assert told(parts.lines()) == [0, 1, 2]
        path.unlink()
        assert parts.lines() == parts.lines() == []
        path.write_text(line_of(3))
        assert told(parts.lines()) == [3]


def test_what_was_rotated_after_a_removal_is_read_and_nothing_else_again(tmp_path):
    path = tmp_path / "e"
    with sink_of(path, max_bytes=1, max_files=9) as sink, LineParts(path) as parts:
        for number in range(3):
            sink.try_emit(type="t", data={"n": number})
        assert told(parts.lines()) == [0, 1, 2]
        path.unlink()
        assert parts.lines() == []
        for number in range(3, 6):  # there is a gap where the removed file was
            sink.try_emit(type="t", data={"n": number})
        assert told(parts.lines()) == [3, 4, 5]
        sink.try_emit(type="t", data={"n": 6})
        assert told(parts.lines()) == [6]
        assert parts.lines() == []


def test_lines_that_come_after_the_removal_of_their_file_are_read_from_it(tmp_path):
    path = tmp_path / "e"
    with sink_of(path) as sink, LineParts(path) as parts:
        path.unlink()
        sink.try_emit(type="t", data={"n": 0})
        assert told(parts.lines()) == [0]
        assert parts.lines() == []
