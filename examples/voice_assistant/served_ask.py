"""Asks the served assistant a spoken question, with the client of OpenAI.

python -m examples.voice_assistant.served_ask pets --output answer.wav
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path

import openai

RECORDINGS = Path(__file__).parent / "recordings"


def main(arguments: Sequence[str] | None = None) -> None:
    """Hear the question, read the answer as it comes, have it spoken."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("recording", nargs="?", default="breakfast")
    parser.add_argument("--url", default="http://127.0.0.1:8000")
    parser.add_argument("--room", default="312")
    parser.add_argument("--output", type=Path, default=Path("answer.wav"))
    options = parser.parse_args(arguments)
    with openai.OpenAI(base_url=f"{options.url}/v1", api_key="none is needed") as client:
        question = heard(client, RECORDINGS / f"{options.recording}.wav")
        print(f"Question  {question}")
        answer = ""
        for sentence in answered(client, question, options.room):
            print(f"Answer    {sentence}")
            answer += sentence
        spoken(client, answer, options.output)
        print(f"Spoken    in {options.output}")


def heard(client: openai.OpenAI, recording: Path) -> str:
    return client.audio.transcriptions.create(model="hearing", file=recording).text


def answered(client: openai.OpenAI, question: str, room: str) -> Iterator[str]:
    chunks = client.chat.completions.create(
        model="hotel",
        messages=[{"role": "user", "content": question}],
        metadata={"room": room},
        stream=True,
    )
    for each in chunks:
        delta = each.choices[0].delta
        if said := delta.content or delta.refusal:
            yield said


def spoken(client: openai.OpenAI, text: str, output: Path) -> None:
    making = client.audio.speech.with_streaming_response
    with making.create(model="speaking", input=text, voice="en-us", response_format="wav") as made:
        made.stream_to_file(output)


if __name__ == "__main__":
    main()
