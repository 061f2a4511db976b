"""``OpenAIModel``: what of a pipeline is the answer of a model in the OpenAI API."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from stageflow_actors.serving.faults import ServingError


class Endpoint(StrEnum):
    """What a model can be asked for."""

    CHAT = "chat"
    TRANSCRIPTION = "transcription"
    SPEECH = "speech"


class SpeechFormat(StrEnum):
    """What speech is written in. ``pcm`` is samples without a head: 16 bits, little endian."""

    MP3 = "mp3"
    OPUS = "opus"
    AAC = "aac"
    FLAC = "flac"
    WAV = "wav"
    PCM = "pcm"


@dataclass(frozen=True)
class OpenAIModel:
    """Where the answers stand in the outputs of a pipeline, each as ``"stage.key"``.

    ``chat`` and ``transcription`` lead to a text, or to a provider record that has one; ``speech``
    to bytes in ``speech_format``. ``usage`` leads to the tokens that a chat has cost. A model is
    asked for what it declares, and for nothing else.

    With ``sample_rate`` (hertz, one channel) ``pcm`` is also given as ``wav``, where that is asked.

    Raises:
        ServingError: it declares nothing, or what cannot be (``SERVE-OPENAI``).
    """

    chat: str | None = None
    transcription: str | None = None
    speech: str | None = None
    usage: str | None = None
    speech_format: SpeechFormat | str = SpeechFormat.WAV
    sample_rate: int | None = None

    def __post_init__(self) -> None:
        for name in ("chat", "transcription", "speech", "usage"):
            path = getattr(self, name)
            if path is not None and not _is_path(path):
                raise refused(f"{name} is {path!r:.80}.", 'Give it as "stage.key".')
        if not self.endpoints:
            raise refused(
                "An OpenAIModel answers nothing.", 'Say where, for example chat="answer.text".'
            )
        if self.usage is not None and self.chat is None:
            raise refused("usage is that of a chat, and there is no chat.", "Leave it out.")
        if self.speech_format not in list(SpeechFormat):
            listed = ", ".join(SpeechFormat)
            raise refused(f"speech_format is {self.speech_format!r:.80}.", f"One of {listed}.")
        rate = self.sample_rate
        if rate is not None and (type(rate) is not int or not 0 < rate < 2**31):
            raise refused(f"sample_rate is {rate!r:.80}.", "Give hertz, such as 24000.")

    @property
    def endpoints(self) -> tuple[Endpoint, ...]:
        """What it can be asked for."""
        return tuple(each for each in Endpoint if getattr(self, each.value) is not None)

    def formats(self) -> tuple[SpeechFormat, ...]:
        """What its speech can be had in; the first is its own."""
        own = SpeechFormat(self.speech_format)
        if own is SpeechFormat.PCM and self.sample_rate is not None:
            return own, SpeechFormat.WAV
        return (own,)


def refused(message: str, hint: str) -> ServingError:
    """The error of a declaration that cannot be served."""
    return ServingError(message, hint=hint, code="SERVE-OPENAI")


def _is_path(path: object) -> bool:
    if not isinstance(path, str):
        return False
    parts = path.split(".")
    return len(parts) > 1 and all(each and each == each.strip() for each in parts)
