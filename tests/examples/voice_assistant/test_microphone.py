"""The microphone: one question ends at the pause; without a device there is a clear message."""

from __future__ import annotations

import sys
import types

import numpy as np
import pytest

from examples.voice_assistant import command_line, microphone
from examples.voice_assistant.problems import BadRecordingError
from tests.examples.voice_assistant.recordings import RATE, floats_of

FRAME = 480


def frames_of(samples):
    content = (samples * 32767).astype("<i2").tobytes()
    return [content[at : at + 2 * FRAME] for at in range(0, len(content) - 2 * FRAME, 2 * FRAME)]


def test_one_question_goes_from_the_first_word_to_the_pause():
    pause = np.zeros(2 * RATE)
    speech = floats_of("pets")
    frames = iter(frames_of(np.concatenate([pause, speech, pause, speech])))
    question = microphone.one_question(frames)
    assert abs(len(question) / 2 - len(speech)) < RATE / 2
    assert sum(map(len, frames)) / 2 >= len(speech)  # the second question was not waited for


def test_silence_is_not_waited_for_without_end():
    listened = iter(frames_of(np.zeros(20 * RATE)))
    with pytest.raises(BadRecordingError, match="heard no speech for 15 s"):
        microphone.one_question(listened)
    assert sum(1 for _frame in listened) > 0


class NoDevice:
    def __init__(self, **_options):
        raise OSError("no device of that kind")


class OneQuestion:
    """A microphone into which somebody asks about pets."""

    def __init__(self, *, samplerate, channels, dtype, blocksize):
        assert (samplerate, channels, dtype, blocksize) == (RATE, 1, "int16", FRAME)
        self.frames = iter(frames_of(np.concatenate([floats_of("pets"), np.zeros(2 * RATE)])))

    def __enter__(self):
        return self

    def __exit__(self, *_error):
        pass

    def read(self, _count):
        return memoryview(next(self.frames)), False


@pytest.fixture
def sounddevice(monkeypatch):
    """Puts a stream in the place of the one of the package ``sounddevice``."""

    def replace(stream):
        module = types.ModuleType("sounddevice")
        module.RawInputStream = stream
        monkeypatch.setitem(sys.modules, "sounddevice", module)

    return replace


def test_machine_without_a_microphone_is_told_what_else_there_is(capsys, sounddevice):
    sounddevice(NoDevice)
    assert command_line.main(["--mic", "--runtime", "local"]) == 2
    message = capsys.readouterr().err
    assert "no device of that kind" in message
    assert "WAV file instead of --mic" in message


def test_missing_package_is_named(capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "sounddevice", None)
    assert command_line.main(["--mic", "--runtime", "local"]) == 2
    assert "pip install sounddevice" in capsys.readouterr().err


def test_question_from_the_microphone_is_answered(capsys, sounddevice, tmp_path):
    sounddevice(OneQuestion)
    output = tmp_path / "answer.wav"
    assert command_line.main(["--mic", "--runtime", "local", "--output", str(output)]) == 0
    assert "Dogs are welcome" in capsys.readouterr().out
    assert output.exists()
