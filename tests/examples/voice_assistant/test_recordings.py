"""Every recording through the real pipeline: heard, looked up, guarded, answered, spoken."""

from __future__ import annotations

import asyncio
import shutil
import wave

import numpy as np
import pytest

from examples.voice_assistant.pipeline import build_pipeline
from stageflow_actors import LocalRuntime, STTResponse, TTSResponse
from tests.examples.voice_assistant.conftest import ask
from tests.examples.voice_assistant.recordings import (
    ANSWERED,
    BLOCKED,
    EXPECTED,
    FOLDER,
    UNKNOWN,
    name_of,
    path_of,
    word_errors,
    words_spoken,
)

MOST_WORD_ERRORS = 0.15


def test_words_are_understood_well_enough(asked):
    spoken = {one["name"]: words_spoken(one["spoken"]) for one in EXPECTED}
    errors = sum(
        word_errors(words, words_spoken(asked[name].question)) for name, words in spoken.items()
    )
    assert errors / sum(map(len, spoken.values())) <= MOST_WORD_ERRORS


@pytest.mark.parametrize("one", EXPECTED, ids=name_of)
def test_recording_is_answered_as_it_should_be(asked, one):
    run = asked[one["name"]]
    assert run.result.ok, run.result.reason
    for part in one["answer_has"]:
        assert part in run.answer


@pytest.mark.parametrize("one", [one for one in EXPECTED if "paraphrase_of" in one], ids=name_of)
def test_paraphrase_is_answered_from_the_same_passage(asked, one):
    assert asked[one["name"]].passages[0] == asked[one["paraphrase_of"]].passages[0]


@pytest.mark.parametrize("one", UNKNOWN, ids=name_of)
def test_question_that_nothing_answers_gets_no_passage(asked, one):
    assert asked[one["name"]].passages == []
    assert asked[one["name"]]["input_guard"]["reason"] is None


@pytest.mark.parametrize("one", BLOCKED, ids=name_of)
def test_blocked_question_is_never_answered_but_politely_refused(asked, one):
    run = asked[one["name"]]
    assert run["input_guard"]["reason"]
    assert run["input_guard"]["passages"] == {}
    assert list(run.result.skipped) == ["answer"]


@pytest.mark.parametrize("one", ANSWERED, ids=name_of)
def test_answer_is_made_of_what_the_sources_have_found(asked, one):
    run = asked[one["name"]]
    found = {
        passage["snippet"]
        for source in ("profile", "memory", "documents")
        for passage in run[source]["found"]["results"]
    }
    assert run.passages
    assert {passage["snippet"] for passage in run["answer"]["passages"]} <= found
    assert run.answer == " ".join(passage["snippet"] for passage in run["answer"]["passages"])


@pytest.mark.parametrize("one", EXPECTED, ids=name_of)
def test_answer_is_spoken_into_a_wav_file(asked, one):
    run = asked[one["name"]]
    record = TTSResponse.from_dict(run["speak"]["speech"])
    with wave.open(str(run.output)) as file:
        samples = np.frombuffer(file.readframes(file.getnframes()), "<i2")
        assert (file.getnchannels(), file.getframerate()) == (record.channels, record.sample_rate)
    assert record.byte_count == run.output.stat().st_size
    assert record.characters_processed == len(run.answer)
    # Nobody speaks more than thirty characters a second, and speech is not silence.
    assert len(samples) / record.sample_rate > len(run.answer) / 30
    assert np.abs(samples).max() > 1000


@pytest.mark.parametrize("one", EXPECTED, ids=name_of)
def test_words_have_their_times_and_confidence(asked, one):
    heard = STTResponse.from_dict(asked[one["name"]]["hear"]["speech"])
    times = [time for word in heard.words for time in (word["start_s"], word["end_s"])]
    assert times == sorted(times)
    assert times[-1] * 1000 <= heard.duration_ms + 20
    assert 0 < heard.confidence <= 1


async def test_name_of_a_recording_changes_nothing(asked, tmp_path):
    disguised = shutil.copy(path_of("pets"), tmp_path / "breakfast.wav")
    async with LocalRuntime().deploy(build_pipeline()) as app:
        run = await ask(app, disguised, tmp_path / "answer.wav")
    assert run.answer == asked["pets"].answer


async def test_same_recording_in_another_room_is_answered_for_that_guest(asked, tmp_path):
    async with LocalRuntime().deploy(build_pipeline()) as app:
        room = await ask(app, path_of("my_room"), tmp_path / "answer.wav", room="205")
        wake_up = await ask(app, path_of("wake_up"), tmp_path / "answer.wav", room="205")
        pets = await ask(app, path_of("pets"), tmp_path / "answer.wav", room="205")
    assert "two zero five" in room.answer
    assert "two zero five" not in asked["my_room"].answer
    assert len(wake_up.passages) == 1 < len(asked["wake_up"].passages)  # wants it short
    assert pets.answer == asked["pets"].answer  # and slow
    here, there = (run["speak"]["speech"]["duration_ms"] for run in (pets, asked["pets"]))
    assert here > 1.05 * there


async def test_questions_at_the_same_time_do_not_disturb_each_other(asked, tmp_path):
    names = ["pets", "wake_up", "pets", "football"]
    outputs = [tmp_path / f"{number}.wav" for number in range(len(names))]
    async with LocalRuntime().deploy(build_pipeline()) as app:
        runs = await asyncio.gather(
            *(ask(app, path_of(name), output) for name, output in zip(names, outputs, strict=True))
        )
    for name, run in zip(names, runs, strict=True):
        assert run.answer == asked[name].answer
        there, here = (one.output.stat().st_size for one in (asked[name], run))
        assert here == pytest.approx(there, rel=0.01)  # the voice is never quite the same


def test_expectations_cover_every_recording_and_every_outcome():
    assert {one["name"] for one in EXPECTED} == {path.stem for path in FOLDER.glob("*.wav")}
    assert len(EXPECTED) >= 12
    assert sum("paraphrase_of" in one for one in EXPECTED) >= 4
    assert UNKNOWN and BLOCKED


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.wav")), ids=lambda path: path.stem)
def test_recordings_are_short_and_of_the_one_form(path):
    with wave.open(str(path)) as file:
        form = (file.getnchannels(), file.getsampwidth(), file.getframerate())
        assert form == (1, 2, 16_000)
        assert file.getnframes() < 8 * 16_000
