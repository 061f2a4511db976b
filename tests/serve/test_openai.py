"""The client of OpenAI, and models on Serve."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import openai
import pytest

from tests.serve.door import Door
from tests.serving.live import PATIENCE_S

pytestmark = pytest.mark.ray

NEEDED = ("espeakng_loader", "numpy", "pocketsphinx")
HAS_VOICE = all(find_spec(name) for name in NEEDED)
VOICE = tuple(f"serve.assistant:{each}" for each in ("hearing", "answering", "speaking"))
RECORDINGS = Path(__file__).parents[2] / "examples" / "voice_assistant" / "recordings"
SAID = [{"role": "user", "content": "good morning to you"}]


@pytest.fixture(scope="module")
def models(serve_session):
    """The assistant of the examples beside a model of our own."""
    served = Door(serve_session, "models")
    voice = VOICE if HAS_VOICE else ()
    served.deploy(pipelines=("tests.serve.openai_flows:parrot", *voice))
    yield served
    served.delete()


@pytest.fixture
def client(models):
    with client_of(models) as asking:
        yield asking


def client_of(door, token="ada"):
    """Asks once: what goes wrong is not made good by asking again."""
    url = f"{door.url}/v1"
    return openai.OpenAI(base_url=url, api_key=token, max_retries=0, timeout=PATIENCE_S)


def test_the_models_are_listed(client):
    voice = {"hearing", "hotel", "speaking"} if HAS_VOICE else set()
    assert {each.id for each in client.models.list()} == {"parrot", *voice}


def test_a_chat_is_answered_as_a_whole(client):
    done = client.chat.completions.create(model="parrot", messages=SAID)
    assert done.choices[0].message.content == "good morning to you "
    assert done.choices[0].finish_reason == "stop"
    assert done.usage.total_tokens == 8


def test_a_chat_is_streamed_word_by_word(client):
    options = {"stream": True, "stream_options": {"include_usage": True}}
    chunks = [*client.chat.completions.create(model="parrot", messages=SAID, **options)]
    said = [each.choices[0].delta.content for each in chunks if each.choices]
    assert [word for word in said if word] == ["good ", "morning ", "to ", "you "]
    assert chunks[-1].usage.total_tokens == 8


def test_a_refusal_is_the_error_of_the_client(models, client):
    with client_of(models, "stranger") as stranger, pytest.raises(openai.AuthenticationError):
        stranger.chat.completions.create(model="parrot", messages=SAID)
    with pytest.raises(openai.NotFoundError):
        client.chat.completions.create(model="nobody", messages=SAID)


@pytest.mark.skipif(not HAS_VOICE, reason="the extra 'examples' is not installed")
def test_a_spoken_question_has_a_spoken_answer(client, tmp_path):
    heard = client.audio.transcriptions.create(model="hearing", file=RECORDINGS / "pets.wav")
    assert "dog" in heard.text
    chunks = client.chat.completions.create(
        model="hotel",
        messages=[{"role": "user", "content": heard.text}],
        metadata={"room": "312"},
        stream=True,
    )
    answer = "".join(each.choices[0].delta.content or "" for each in chunks)
    assert "Dogs are welcome" in answer
    making = client.audio.speech.with_streaming_response
    with making.create(
        model="speaking", input=answer, voice="en-us", response_format="wav"
    ) as made:
        made.stream_to_file(tmp_path / "answer.wav")
    sound = (tmp_path / "answer.wav").read_bytes()
    assert sound[:4] + sound[8:12] == b"RIFFWAVE"
    assert len(sound) > 50_000  # a second
