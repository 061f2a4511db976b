"""What the records of each kind of provider hold."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from stageflow_actors.providers import (
    EmbeddingResponse,
    GeneratedImage,
    ImageResponse,
    LLMResponse,
    RerankResponse,
    SearchResponse,
    STTResponse,
    TTSResponse,
    Usage,
)


def llm(**fields):
    return LLMResponse(**{"content": "Hello!", "model": "gpt-4", "provider": "openai", **fields})


def test_flat_token_counts_become_usage():
    response = llm(input_tokens=123, output_tokens=456, cached_tokens=100)
    assert response.usage == Usage(input_tokens=123, output_tokens=456, cached_tokens=100)
    assert (response.input_tokens, response.output_tokens) == (123, 456)
    assert (response.cached_tokens, response.total_tokens) == (100, 579)


def test_token_counts_in_usage_are_read_flat():
    response = llm(usage=Usage(input_tokens=3, audio_output_tokens=2, output_tokens=4))
    assert (response.input_tokens, response.output_tokens, response.total_tokens) == (3, 4, 7)


def test_tokens_that_were_not_counted_are_zero_and_unknown_in_usage():
    assert (llm().input_tokens, llm().cached_tokens, llm().total_tokens) == (0, 0, 0)
    assert llm().usage.input_tokens is None
    assert llm(input_tokens=0).usage.input_tokens == 0


@pytest.mark.parametrize("usage", [Usage(input_tokens=3), {"input_tokens": 3}])
def test_a_count_given_twice_must_be_the_same(usage):
    assert llm(usage=usage, input_tokens=3).input_tokens == 3
    with pytest.raises(ValidationError, match=r"contradicts usage\.input_tokens"):
        llm(usage=usage, input_tokens=4)


def test_dict_of_a_language_model_has_the_flat_counts_of_its_readers():
    made = llm(input_tokens=123, output_tokens=456).to_dict()
    read = ["content", "model", "provider", "input_tokens", "output_tokens", "total_tokens"]
    assert [made[name] for name in read] == ["Hello!", "gpt-4", "openai", 123, 456, 579]
    assert made["cached_tokens"] == 0
    assert made["tool_calls"] == []
    assert made["finish_reason"] is None


def test_flat_dict_without_usage_is_read():
    flat = {"content": "x", "model": "m", "provider": "p", "input_tokens": 2, "total_tokens": 2}
    assert LLMResponse.from_dict(flat).usage == Usage(input_tokens=2)


@pytest.mark.parametrize("name", ["input_tokens", "output_tokens", "cached_tokens", "total_tokens"])
def test_dict_with_a_forged_count_is_refused(name):
    forged = {**llm(input_tokens=1, output_tokens=2, cached_tokens=1).to_dict(), name: 50}
    with pytest.raises(ValidationError, match="contradicts"):
        LLMResponse.from_dict(forged)


def test_transcript_is_final_unless_it_says_otherwise():
    assert STTResponse(text="hello", provider="p").is_final
    assert STTResponse(text="hello", provider="p").confidence is None


def test_speech_counts_its_bytes_and_keeps_them_out_of_dict_and_repr():
    spoken = TTSResponse(audio=b"\x00\xffab", provider="p", sample_rate=16000)
    assert spoken.audio == b"\x00\xffab"
    assert spoken.byte_count == 4
    assert spoken.to_dict()["byte_count"] == 4
    assert "audio" not in spoken.to_dict()
    assert "audio" not in repr(spoken)


def test_speech_read_from_a_dict_says_how_much_audio_there_was():
    made = TTSResponse(audio=b"abcd", provider="p", characters_processed=12).to_dict()
    again = TTSResponse.from_dict(made)
    assert (again.audio, again.byte_count, again.characters_processed) == (b"", 4, 12)
    assert again.to_dict() == made


def test_speech_is_equal_only_with_equal_audio():
    assert TTSResponse(audio=b"ab", provider="p") == TTSResponse(audio=b"ab", provider="p")
    assert TTSResponse(audio=b"ab", provider="p") != TTSResponse(audio=b"ba", provider="p")


def test_byte_count_that_contradicts_the_audio_is_refused():
    assert TTSResponse(audio=b"ab", byte_count=2, provider="p").byte_count == 2
    with pytest.raises(ValidationError, match="byte_count"):
        TTSResponse(audio=b"ab", byte_count=3, provider="p")


def test_characters_processed_become_usage():
    spoken = TTSResponse(audio=b"", provider="p", characters_processed=12)
    assert spoken.usage == Usage(characters=12)
    assert spoken.to_dict()["characters_processed"] == 12


def test_vectors_are_tuples_and_have_a_dimension():
    found = EmbeddingResponse(vectors=[[1, 2.5, 3], [4, 5, 6]], provider="p")
    assert found.vectors == ((1.0, 2.5, 3.0), (4.0, 5.0, 6.0))
    assert found.dimensions == 3
    assert EmbeddingResponse(vectors=[], provider="p").dimensions == 0


def test_results_may_be_given_as_dicts():
    ranked = RerankResponse(results=[{"index": 2, "score": 0.5}], provider="p")
    found = SearchResponse(results=[{"url": "https://example.org"}], provider="p")
    assert ranked.results[0].index == 2
    assert found.results[0].url == "https://example.org"


def test_pictures_count_their_bytes_and_keep_them_out_of_dict_and_repr():
    drawn = ImageResponse(images=[GeneratedImage(data=b"\x89PNG")], provider="p")
    assert drawn.images[0].data == b"\x89PNG"
    assert drawn.to_dict()["images"] == [{"byte_count": 4}]
    assert "PNG" not in repr(drawn)
    with pytest.raises(ValidationError, match="byte_count"):
        GeneratedImage(data=b"ab", byte_count=3)
