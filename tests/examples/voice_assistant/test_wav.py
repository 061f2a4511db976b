"""Recordings of every usual form are understood, not only the one of the recogniser."""

from __future__ import annotations

import numpy as np
import pytest

from examples.voice_assistant.speech_to_text import load_recogniser, speech_in, words_in
from examples.voice_assistant.wav import read_recording
from tests.examples.voice_assistant.recordings import RATE, at_rate, floats_of, write_wav

QUESTION = "can i bring my dog"
SPEECH = floats_of("pets")


@pytest.fixture(scope="module")
def hear():
    """The words that are heard in a file; what has the very same samples is heard once."""
    recogniser = load_recogniser()
    heard = {}

    def hear_file(path):
        speech = speech_in(read_recording(path))
        samples = speech.tobytes()
        if samples not in heard:
            heard[samples] = " ".join(word["word"] for word in words_in(recogniser, speech))
        return heard[samples]

    return hear_file


@pytest.mark.parametrize(
    "form",
    [
        {"bits": 8},
        {"bits": 24},
        {"bits": 32},
        {"bits": 32, "code": 3},
        {"bits": 24, "is_extensible": True},
        {"bits": 32, "code": 3, "is_extensible": True},
        {"channels": 2},
        {"channels": 6, "bits": 24},
        {"rate": 44_100},
        {"rate": 48_000, "channels": 2, "bits": 24},
        {"rate": 11_025},
        {"rate": 8_000},
    ],
    ids=str,
)
def test_recording_of_another_form_says_the_same(hear, tmp_path, form):
    samples = at_rate(SPEECH, form.get("rate", RATE))
    assert hear(write_wav(tmp_path / "question.wav", samples, **form)) == QUESTION


def test_quiet_recording_says_the_same(hear, tmp_path):
    assert hear(write_wav(tmp_path / "quiet.wav", SPEECH / 20)) == QUESTION


def test_silence_around_the_speech_changes_nothing(hear, tmp_path):
    silence = np.zeros(3 * RATE)
    padded = np.concatenate([silence, SPEECH, silence])
    assert hear(write_wav(tmp_path / "padded.wav", padded)) == QUESTION


@pytest.mark.parametrize("rate", [8_000, 22_050, 44_100, 48_000])
def test_tone_keeps_its_pitch_loudness_and_length(tmp_path, rate):
    tone = 0.5 * np.sin(2 * np.pi * 440 * np.arange(2 * rate) / rate)
    samples = read_recording(write_wav(tmp_path / "tone.wav", tone, rate=rate, channels=2))
    assert samples.size == 2 * RATE
    spectrum = np.abs(np.fft.rfft(samples))
    assert np.argmax(spectrum) / 2 == 440
    assert np.abs(samples).max() == pytest.approx(0.5 * 32768, rel=0.02)


def test_sample_beyond_the_scale_is_cut_off_not_wrapped(tmp_path):
    loud = np.array([2.0, -2.0, np.inf, -np.inf, np.nan, 0.5])
    samples = read_recording(write_wav(tmp_path / "loud.wav", loud, bits=32, code=3))
    assert samples.tolist() == [32767, -32768, 32767, -32768, 0, 16384]


def test_speech_in_one_channel_of_two_is_heard(hear, tmp_path):
    stereo = np.stack([np.zeros_like(SPEECH), SPEECH], axis=1).ravel()
    file = write_wav(tmp_path / "stereo.wav", stereo)
    content = bytearray(file.read_bytes())
    at = content.index(b"fmt ") + 8
    content[at + 2 : at + 4] = (2).to_bytes(2, "little")
    file.write_bytes(content)
    assert hear(file) == QUESTION


def test_only_the_part_with_speech_is_heard():
    samples = (np.concatenate([np.zeros(2 * RATE), SPEECH]) * 32767).astype(np.int16)
    speech = speech_in(samples)
    assert speech.size < SPEECH.size + RATE
    assert np.abs(speech).max() == np.abs(samples).max()
