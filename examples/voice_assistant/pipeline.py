"""How the stages hang together."""

from __future__ import annotations

from stageflow_actors import Pipeline

from .answer import Respond
from .input_guard import SOURCES, input_guard
from .language_model import Endpoint
from .output_guard import output_guard
from .retrieval import Documents, Memory, Profile
from .speech_to_text import SpeechToText
from .text_to_speech import TextToSpeech


def build_pipeline(endpoint: Endpoint | None = None) -> Pipeline:
    """Hear, look up in three places at once, guard, answer, guard again, speak.

    A run takes the path of a WAV file as ``input_text``, and in its ``metadata`` the ``room`` of
    the guest and the path of the WAV file to write, ``output``.
    """
    heard = Pipeline("voice_assistant").with_stage("hear", SpeechToText)
    return with_answer(heard, endpoint).with_stage(
        "speak", TextToSpeech, dependencies=("profile", "output_guard")
    )


def with_answer(heard: Pipeline, endpoint: Endpoint | None = None) -> Pipeline:
    """The stages between ``hear`` and whatever tells ``output_guard.text`` to the guest."""
    return (
        heard.with_stage("profile", Profile, dependencies="hear")
        .with_stage("memory", Memory, dependencies="hear")
        .with_stage("documents", Documents, dependencies="hear")
        .with_stage("input_guard", input_guard, dependencies=("hear", *SOURCES))
        .with_stage(
            "answer",
            Respond,
            dependencies=("hear", "profile", "input_guard"),
            config={"endpoint": endpoint},
        )
        .with_stage("output_guard", output_guard, dependencies=("input_guard", "answer"))
    )
