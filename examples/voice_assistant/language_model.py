"""Any endpoint that speaks the chat protocol of OpenAI, for those who have one. None is needed.

It is asked for by name, so that a key that happens to be around is never used by accident:

    VOICE_ASSISTANT_LLM_URL     such as http://localhost:11434/v1
    VOICE_ASSISTANT_LLM_MODEL   such as llama3.2
    VOICE_ASSISTANT_LLM_KEY     if it needs one
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import Any

from stageflow_actors import LLMResponse

from .problems import Problem

PREFIX = "VOICE_ASSISTANT_LLM_"
PATIENCE_S = 20.0
LONGEST_TOKENS = 120
INSTRUCTIONS = (
    "You are the voice of a hotel. Answer the guest in one or two short sentences, to be spoken "
    "aloud, and only from these notes. Numbers and times stay as the notes have them. If the notes "
    "do not hold the answer, say that you do not know.\n\n"
)


class LanguageModelError(Exception):
    """The model gave no answer."""


@dataclass(frozen=True)
class Endpoint:
    """Where the model is, and which one."""

    url: str
    model: str
    key: str = field(default="", repr=False)


def endpoint_from(environment: Mapping[str, str] = os.environ) -> Endpoint | None:
    """The endpoint that the environment names, or ``None``.

    Raises:
        Problem: it names half of one, or the package that talks to it is not installed.
    """
    url, model = environment.get(f"{PREFIX}URL", ""), environment.get(f"{PREFIX}MODEL", "")
    if not url and not model:
        return None
    if not url.startswith(("http://", "https://")) or not model:
        raise Problem(
            f"A language model needs {PREFIX}URL and {PREFIX}MODEL; got {url!r} and {model!r}.",
            "Set both, or none: without them the answers are made of what was looked up.",
        )
    if find_spec("httpx") is None:
        raise Problem(
            f"{PREFIX}URL is set, but the package httpx is not installed.",
            "Install it with: pip install httpx",
        )
    return Endpoint(url.rstrip("/"), model, environment.get(f"{PREFIX}KEY", ""))


class LanguageModel:
    """A connection to one endpoint."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        self._client: Any = None

    async def open(self) -> None:
        """Get ready to ask."""
        import httpx

        key = self._endpoint.key
        self._client = httpx.AsyncClient(
            timeout=PATIENCE_S, headers={"Authorization": f"Bearer {key}"} if key else {}
        )

    async def close(self) -> None:
        """Let go of the connection."""
        await self._client.aclose()

    async def ask(self, question: str, passages: Sequence[Mapping[str, Any]]) -> LLMResponse:
        """The answer to ``question`` from ``passages``.

        Raises:
            LanguageModelError: there was none, or one that cannot be read.
        """
        notes = "\n".join(f"- {passage['snippet']}" for passage in passages)
        body = {
            "model": self._endpoint.model,
            "temperature": 0,
            "max_tokens": LONGEST_TOKENS,
            "messages": [
                {"role": "system", "content": INSTRUCTIONS + notes},
                {"role": "user", "content": question},
            ],
        }
        started = time.perf_counter()
        try:
            answer = await self._client.post(f"{self._endpoint.url}/chat/completions", json=body)
            answer.raise_for_status()
            return _read(answer.json(), self._endpoint, (time.perf_counter() - started) * 1000)
        except Exception as error:  # whatever it is, there is another way to answer
            raise LanguageModelError(
                f"The language model gave no answer ({type(error).__name__}: {error})."
            ) from error


def _read(answer: Mapping[str, Any], endpoint: Endpoint, latency_ms: float) -> LLMResponse:
    choice, usage = answer["choices"][0], answer.get("usage") or {}
    return LLMResponse(
        content=choice["message"]["content"].strip(),
        model=endpoint.model,
        response_model=answer.get("model"),
        provider="openai-compatible",
        input_tokens=usage.get("prompt_tokens"),
        output_tokens=usage.get("completion_tokens"),
        finish_reason=choice.get("finish_reason"),
        response_id=answer.get("id"),
        latency_ms=latency_ms,
    )
