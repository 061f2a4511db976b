"""What users give by mistake: a message that helps, and the right exit code."""

from __future__ import annotations

import asyncio
import shutil

import numpy as np
import pytest

from examples.voice_assistant import command_line
from tests.examples.voice_assistant.recordings import RATE, floats_of, path_of, write_wav

NOISE = np.random.default_rng(1).normal(0, 0.1, 3 * RATE)


@pytest.fixture
def told(capsys, tmp_path):
    """Runs the command on the local runtime; returns the exit code and what it wrote to stderr."""

    def run(*arguments):
        output = ("--output", str(tmp_path / "answer.wav"))
        try:
            code = command_line.main([*map(str, arguments), "--runtime", "local", *output])
        except SystemExit as end:  # of the argument parser
            code = end.code
        return code, capsys.readouterr().err

    return run


def assert_helps(code, message, *parts):
    assert code == 2
    assert "Traceback" not in message
    assert len(message.splitlines()) <= 24
    for part in parts:
        assert part in message


def test_missing_recording_is_named_with_those_that_there_are(told):
    assert_helps(*told("brekfast"), "'brekfast'", "breakfast_again", "neighbor")


def test_folder_is_no_recording(told, tmp_path):
    assert_helps(*told(tmp_path), str(tmp_path), "WAV file")


@pytest.mark.parametrize(
    "content",
    [b"", b"RIFF", b"ID3\x04 this is something else", b"OggS" + bytes(100)],
    ids=["empty", "cut off", "MP3", "Ogg"],
)
def test_file_that_is_no_wav_is_said_to_be_none(told, tmp_path, content):
    file = tmp_path / "question.wav"
    file.write_bytes(content)
    assert_helps(*told(file), str(file), "not a WAV file", "ffmpeg")


@pytest.mark.parametrize("size", [12, 20, 30, 44, 60])
def test_wav_that_ends_too_early_is_refused(told, tmp_path, size):
    file = tmp_path / "question.wav"
    file.write_bytes(path_of("pets").read_bytes()[:size])
    assert_helps(*told(file), str(file))


@pytest.mark.parametrize(
    ("options", "part"),
    [
        ({"bits": 16, "code": 2}, "code 2"),
        ({"bits": 16, "rate": 4000}, "4000 Hz"),
        ({"bits": 16, "channels": 0}, "0 channels"),
        ({"bits": 12}, "12 bits"),
    ],
)
def test_wav_of_a_form_that_cannot_be_used_is_refused(told, tmp_path, options, part):
    form = {"bits": 16, "rate": RATE, "channels": 1, "code": 1, **options}
    usable = {**form, "bits": 16, "channels": max(form["channels"], 1)}
    file = write_wav(tmp_path / "question.wav", NOISE, **usable)
    content = bytearray(file.read_bytes())
    at = content.index(b"fmt ") + 8
    content[at + 2 : at + 4] = form["channels"].to_bytes(2, "little")
    content[at + 14 : at + 16] = form["bits"].to_bytes(2, "little")
    file.write_bytes(content)
    assert_helps(*told(file), part)


def test_minute_of_speech_is_too_long(told, tmp_path):
    minute = np.resize(floats_of("breakfast"), 60 * RATE)
    assert_helps(*told(write_wav(tmp_path / "long.wav", minute)), "60 s long", "15 s")


def test_length_that_the_header_only_promises_does_not_count(told, tmp_path):
    """What a recorder leaves behind that was stopped in the middle."""
    file = write_wav(tmp_path / "question.wav", floats_of("pets"))
    content = file.read_bytes()
    at = content.index(b"data") + 4
    file.write_bytes(content[:at] + b"\xff\xff\xff\x7f" + content[at + 4 :])
    assert told(file)[0] == 0


@pytest.mark.parametrize(
    "sound",
    [np.zeros(3 * RATE), NOISE, NOISE / 1000, np.sin(np.arange(3 * RATE)) / 3, np.zeros(100)],
    ids=["silence", "noise", "hiss", "tone", "nothing"],
)
def test_recording_without_speech_is_said_to_have_none(told, tmp_path, sound):
    file = write_wav(tmp_path / "question.wav", sound)
    assert_helps(*told(file), str(file), "There ", "microphone")
    assert not (tmp_path / "answer.wav").exists()


@pytest.mark.parametrize(
    "arguments", [["--runtime", "moon"], ["--room", "1"], ["--loud"], ["breakfast", "--mic"]]
)
def test_wrong_usage_is_refused(told, arguments):
    assert_helps(*told(*arguments), "usage: ")


def test_output_that_cannot_be_written_is_said_before_anything_starts(capsys, tmp_path):
    target = tmp_path / "no" / "such" / "folder.wav"
    code = command_line.main(["pets", "--runtime", "local", "--output", str(target)])
    assert_helps(code, capsys.readouterr().err, str(target), "--output")


def test_run_that_fails_is_a_failure_and_names_the_stage(capsys, tmp_path, monkeypatch):
    question = shutil.copy(path_of("pets"), tmp_path / "question.wav")
    monkeypatch.setattr(
        command_line, "read_recording", lambda path: path.unlink()
    )  # gone between the look at it and the run
    code = command_line.main([str(question), "--runtime", "local", "--output", str(tmp_path / "a")])
    message = capsys.readouterr().err
    assert code == 1
    assert "hear" in message
    assert str(question) in message
    assert "Traceback" not in message


def test_ctrl_c_before_the_run_ends_the_program_at_once(capsys, monkeypatch):
    def interrupt(_path):
        raise KeyboardInterrupt

    monkeypatch.setattr(command_line, "read_recording", interrupt)
    assert command_line.main(["pets", "--runtime", "local"]) == 130
    assert capsys.readouterr().err == "Stopped.\n"


def test_nothing_of_the_event_loop_is_left_behind(told):
    assert told("pets")[0] == 0
    with pytest.raises(RuntimeError, match="no running event loop"):
        asyncio.get_running_loop()
