"""Speech to text and text to speech with the client of OpenAI."""

from __future__ import annotations

import io
import wave

import httpx
import openai
import pytest

from stageflow_actors import Pipeline
from stageflow_actors.serving import ServingSettings
from tests.serving import flows, openai_models
from tests.serving.live import until
from tests.serving.openai_models import RATE, SAMPLES, client_of, model, one, wav

LIMIT = 40_000


@pytest.fixture(scope="module")
def served(gates):
    pcm = {"speech_format": "pcm"}
    return [
        model(one("hear", openai_models.hear), transcription="s.speech"),
        model(
            Pipeline("note").with_stage(
                "s", openai_models.note, "work", input_model=openai_models.Recording
            ),
            transcription="s.text",
        ),
        model(flows.refusing(), transcription="refuse.text", speech="refuse.audio"),
        model(flows.failing(), transcription="echo.text", speech="echo.audio"),
        model(one("speak", openai_models.speak), speech="s.audio"),
        model(one("raw", openai_models.speak), speech="s.samples", sample_rate=RATE, **pcm),
        model(one("pieces", openai_models.speak_in_pieces), speech="s.audio", **pcm),
        model(
            one("headed", openai_models.speak_in_pieces),
            speech="s.audio",
            sample_rate=RATE,
            **pcm,
        ),
        model(one("stutter", openai_models.stutter), speech="s.audio", **pcm),
        model(openai_models.sounding(gates, "sounding"), speech="s.audio", **pcm),
    ]


@pytest.fixture(scope="module")
def settings():
    return ServingSettings(max_body_bytes=LIMIT, drain_s=0.2, heartbeat_s=0.05)


@pytest.fixture
def asking(live):
    with client_of(live) as client:
        yield client


def hear(client, name="hear", audio=None, **more):
    file = ("question.wav", wav() if audio is None else audio, "audio/wav")
    return client.audio.transcriptions.create(model=name, file=file, **more)


def speak(client, name, **more):
    return client.audio.speech.create(model=name, input="hello", voice="alloy", **more)


# --- speech to text -------------------------------------------------------------------------------


def test_a_recording_reaches_the_stage_as_its_bytes_and_what_it_is(asking):
    assert hear(asking).text == f"{len(wav())} bytes of audio/wav"


def test_the_formats_of_a_transcript(asking):
    text = f"{len(wav())} bytes of audio/wav"
    assert hear(asking, response_format="text") == text
    told = hear(asking, response_format="verbose_json")
    assert (told.text, told.language, told.duration) == (text, "en", 1.5)
    assert [(each.word, each.start, each.end) for each in told.words] == [("bytes", 0.5, 1.0)]


def test_a_plain_text_is_a_transcript_too(asking):
    assert hear(asking, "note").text == "a note"
    told = hear(asking, "note", response_format="verbose_json", language="de")
    assert (told.text, told.language, told.duration) == ("a note", "de", 0.0)


def test_stages_find_the_other_fields_but_not_the_name_of_the_file(live, asking):
    made = asking.audio.transcriptions.with_raw_response.create(
        model="hear",
        file=("../../etc/passwd", b"x", "no type"),
        language="en",
        prompt="a hotel",
        extra_body={"brand_new": "1"},
        timestamp_granularities=["word", "segment"],
    )
    with live.client() as client:
        document = client.get(f"/v1/runs/{made.headers['x-request-id']}")
    seen = document.json()["result"]["outputs"]["s"]["data"]
    assert seen["speech"]["text"] == "1 bytes of application/octet-stream"
    assert seen["asked"] == {
        "model": "hear",
        "language": "en",
        "prompt": "a hotel",
        "brand_new": "1",
        "timestamp_granularities[]": ["word", "segment"],
    }
    assert "passwd" not in document.text


def test_a_recording_without_words_is_told_as_the_stage_says(asking):
    with pytest.raises(openai.UnprocessableEntityError, match="not today") as refused:
        hear(asking, "refusing")
    assert refused.value.code == "PIPELINE-CANCELLED"


def test_a_transcription_that_fails_tells_nothing_of_the_inside(asking):
    with pytest.raises(openai.InternalServerError) as bad:
        hear(asking, "failing")
    assert bad.value.code == "STAGE-RAISED"
    assert "private" not in bad.value.response.text


def test_a_recording_that_is_too_large_is_refused(asking):
    with pytest.raises(openai.APIStatusError) as refused:
        hear(asking, audio=bytes(LIMIT))
    assert (refused.value.status_code, refused.value.code) == (413, "SERVE-BODY-SIZE")


def test_a_form_that_says_nothing_of_its_size_is_refused_once_it_is_too_large(client):
    def parts():
        yield b'--b\r\nContent-Disposition: form-data; name="file"; filename="x"\r\n\r\n'
        for _ in range(LIMIT // 1000 + 1):
            yield bytes(1000)

    answer = client.post(
        "/v1/audio/transcriptions",
        content=parts(),
        headers={"Content-Type": "multipart/form-data; boundary=b"},
    )
    assert (answer.status_code, answer.json()["error"]["code"]) == (413, "SERVE-BODY-SIZE")


@pytest.mark.parametrize(
    ("fields", "files", "param"),
    [
        ({}, {"file": b"x"}, "model"),
        ({"model": "hear"}, {}, None),
        ({"model": "hear"}, {"other": b"x"}, "other"),
        ({"model": "hear", "file": "text"}, {}, None),
        ({"model": ["hear", "note"]}, {"file": b"x"}, "model"),
        ({"model": "hear", "response_format": "srt"}, {"file": b"x"}, "response_format"),
        ({"model": "hear", "stream": "true"}, {"file": b"x"}, "stream"),
        ({"model": "hear"}, [("file", b"x"), ("file", b"y")], None),
        ({"model": "hear", "prompt": "x" * 20_000}, {"file": bytes(25_000)}, None),
        ({"model": "hear", **{f"f{n}": "x" for n in range(101)}}, {"file": b"x"}, None),
    ],
)
def test_a_form_of_another_form_is_refused(client, fields, files, param):
    answer = client.post("/v1/audio/transcriptions", data=fields, files=files)
    assert 400 <= answer.status_code < 500
    assert answer.headers["content-type"] == "application/json"
    if param is not None:
        assert answer.json()["error"]["param"] == param


@pytest.mark.parametrize(
    ("media_type", "content", "status"),
    [
        ("application/json", b"{}", 415),
        ("multipart/form-data", b"x", 415),
        ("multipart/form-data; x=1", b"x", 422),
        ("multipart/form-data; boundary=b", b"no part at all", 422),
        ("multipart/form-data; boundary=b", b"--b\r\nNo-Name: 1\r\n\r\nx\r\n--b--\r\n", 422),
        ("multipart/form-data; boundary=b", b"", 422),
    ],
)
def test_what_is_no_form_is_refused(client, media_type, content, status):
    answer = client.post(
        "/v1/audio/transcriptions", content=content, headers={"Content-Type": media_type}
    )
    assert answer.status_code == status, answer.text
    assert "error" in answer.json()


def test_one_key_starts_one_transcription_however_the_form_is_written(live, asking):
    def run_of(audio):
        made = asking.audio.transcriptions.with_raw_response.create(
            model="hear",
            file=("a.wav", audio, "audio/wav"),
            extra_headers={"Idempotency-Key": "heard"},
        )
        return made.headers["x-request-id"]

    assert run_of(b"one") == run_of(b"one")  # each has a boundary of its own
    with pytest.raises(openai.ConflictError):
        run_of(b"two")


# --- text to speech -------------------------------------------------------------------------------


def test_speech_is_the_bytes_of_the_output(asking):
    made = speak(asking, "speak")
    assert made.response.headers["content-type"] == "audio/wav"
    assert made.read() == wav()


def test_samples_are_given_as_they_are_or_as_a_wav_file(asking):
    raw = speak(asking, "raw", response_format="pcm")
    assert (raw.response.headers["content-type"], raw.read()) == ("audio/pcm", SAMPLES)
    made = speak(asking, "raw", response_format="wav").read()
    with wave.open(io.BytesIO(made)) as file:
        assert (file.getnchannels(), file.getsampwidth(), file.getframerate()) == (1, 2, RATE)
        assert file.readframes(file.getnframes()) == SAMPLES


def test_pieces_of_bytes_are_the_speech(asking):
    assert speak(asking, "pieces").read() == SAMPLES
    made = speak(asking, "headed", response_format="wav").read()
    assert made[:4] + made[8:12] == b"RIFFWAVE"
    assert made[44:] == SAMPLES


def test_speech_is_heard_while_it_is_made(asking, gates):
    making = asking.audio.speech.with_streaming_response
    with making.create(model="sounding", input="heard", voice="alloy") as made:
        sound = made.iter_bytes(4)
        assert next(sound) == b"one "
        gates.of("heard").set()
        assert b"".join(sound) == b"two "


def test_a_speech_that_is_left_cancels_its_run(live, asking, gates):
    making = asking.audio.speech.with_streaming_response
    desk = live.desk("sounding")
    with making.create(model="sounding", input="left", voice="alloy") as made:
        sound = made.iter_bytes(4)  # kept: the connection is closed when nobody holds it
        next(sound)
        assert len(desk.live()) == 1
    until(lambda: not desk.live(), "the end of the run")


def test_a_speech_that_fails_has_a_status_or_breaks_off(asking, client):
    with pytest.raises(openai.InternalServerError) as bad:
        speak(asking, "failing")
    assert bad.value.code == "STAGE-RAISED"
    with pytest.raises(openai.UnprocessableEntityError, match="not today"):
        speak(asking, "refusing")
    with pytest.raises(httpx.RemoteProtocolError):
        client.post("/v1/audio/speech", json={"model": "stutter", "input": "x", "voice": "y"})


@pytest.mark.parametrize(
    ("more", "param"),
    [
        ({"response_format": "mp3"}, "response_format"),
        ({"stream_format": "sse"}, "stream_format"),
        ({"input": None}, "input"),
        ({"voice": 5}, "voice.str"),
    ],
)
def test_a_speech_that_cannot_be_made_like_this_is_refused(client, more, param):
    body = {"model": "speak", "input": "x", "voice": "alloy", **more}
    answer = client.post("/v1/audio/speech", json=body)
    assert answer.status_code == 422
    assert answer.json()["error"]["param"] == param
