"""The example that serves the voice assistant to clients of the OpenAI API."""

from __future__ import annotations

import re
import struct

import numpy as np
import openai
import pytest

from examples.voice_assistant import served_ask as ask
from examples.voice_assistant.served_answering import sentences_of
from examples.voice_assistant.served_door import make_door
from examples.voice_assistant.served_speaking import SAMPLE_RATE
from examples.voice_assistant.wav import wav_bytes
from tests.examples.voice_assistant.recordings import EXPECTED, word_errors, words_spoken
from tests.serving.live import Live

SHORT = [one for one in EXPECTED if one["name"] in ("pets", "my_room", "casino", "neighbor")]


@pytest.fixture(scope="module")
def live():
    server = Live(make_door()).start()
    yield server
    server.stop()


@pytest.fixture
def client(live):
    with openai.OpenAI(base_url=f"{live.url}/v1", api_key="x", max_retries=0) as client:
        yield client


@pytest.mark.parametrize("one", SHORT, ids=lambda one: one["name"])
def test_a_spoken_question_has_a_spoken_answer(live, client, one, tmp_path, capsys):
    output = tmp_path / "answer.wav"
    ask.main([one["name"], "--url", live.url, "--output", str(output)])
    told = capsys.readouterr().out
    question = re.search(r"^Question  (.+)$", told, re.MULTILINE)[1]
    assert word_errors(words_spoken(one["spoken"]), words_spoken(question)) <= 3
    answer = " ".join(re.findall(r"^Answer    (.+?) *$", told, re.MULTILINE))
    for part in one["answer_has"]:
        assert part in answer
    sound = output.read_bytes()
    assert sound[:4] == b"RIFF"
    assert len(sound) > SAMPLE_RATE  # half a second


def test_speech_is_a_sound_and_a_wav_file_has_a_head_before_it(client):
    def spoken(form):
        text = "Can I bring my dog? I can."
        given = {"model": "speaking", "input": text, "voice": "en-us", "response_format": form}
        return client.audio.speech.create(**given).read()

    samples = spoken("pcm")
    sound = np.frombuffer(samples, "<i2")
    assert 1 < len(sound) / SAMPLE_RATE < 5
    assert sound.astype(float).std() > 500  # silence has none
    wav = spoken("wav")
    assert wav[:4] + wav[8:16] == b"RIFFWAVEfmt "
    assert struct.unpack_from("<HHI", wav, 20) == (1, 1, SAMPLE_RATE)
    assert len(wav) - 44 == pytest.approx(len(samples), rel=0.05)  # never twice quite the same


def test_speech_can_be_faster(client):
    def length(speed):
        made = client.audio.speech.create(
            model="speaking", input="one two three four", voice="en-us", speed=speed
        )
        return len(made.read())

    assert length(2.0) < 0.75 * length(1.0)


def test_a_recording_that_is_none_is_refused_without_a_word_of_this_machine(client):
    with pytest.raises(openai.UnprocessableEntityError, match="Convert it first") as refused:
        client.audio.transcriptions.create(model="hearing", file=("x.wav", b"no sound at all"))
    assert "/tmp" not in refused.value.message
    silence = wav_bytes(bytes(2 * SAMPLE_RATE), SAMPLE_RATE)
    with pytest.raises(openai.UnprocessableEntityError, match="no speech"):
        client.audio.transcriptions.create(model="hearing", file=("x.wav", silence))


def test_who_does_not_say_the_room_is_not_answered(client):
    answer = client.chat.completions.create(
        model="hotel", messages=[{"role": "user", "content": "when is breakfast"}]
    )
    assert "metadata" in answer.choices[0].message.refusal


def test_sentences_together_are_the_text():
    text = "One. Two!  Three"
    assert sentences_of(text) == ["One. ", "Two!  ", "Three"]
    assert sentences_of("") == []
