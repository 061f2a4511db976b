"""A question from the microphone of this machine, if it has one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from .problems import BadRecordingError, Problem
from .wav import LONGEST_S, SAMPLE_RATE, wav_bytes


def record() -> bytes:
    """One spoken question as a WAV file. Returns when the speaker pauses.

    Raises:
        Problem: there is no microphone, or it cannot be opened.
        BadRecordingError: nobody spoke.
    """
    return wav_bytes(one_question(_frames()), SAMPLE_RATE)


def one_question(frames: Iterable[bytes]) -> bytes:
    """The samples from where speech begins in ``frames`` to where it pauses.

    ``frames`` have the length that PocketSphinx asks for: 480 samples of 16 bits.

    Raises:
        BadRecordingError: nobody spoke within the time that a question may take.
    """
    from pocketsphinx import Endpointer

    endpointer = Endpointer(sample_rate=SAMPLE_RATE)
    most = int(LONGEST_S / endpointer.frame_length)
    speech: list[bytes] = []
    for _number, frame in zip(range(most), frames, strict=False):
        part = endpointer.process(frame)
        if part is not None:
            speech.append(part)
            if not endpointer.in_speech:
                break
    if not speech:
        raise BadRecordingError(
            f"The microphone heard no speech for {LONGEST_S:.0f} s.",
            "Check that it is not muted, or give a WAV file instead of --mic.",
        )
    return b"".join(speech)


def _frames() -> Iterator[bytes]:
    from pocketsphinx import Endpointer

    count = Endpointer(sample_rate=SAMPLE_RATE).frame_bytes // 2
    try:
        import sounddevice

        stream = sounddevice.RawInputStream(
            samplerate=SAMPLE_RATE, channels=1, dtype="int16", blocksize=count
        )
    except ImportError as error:
        raise Problem(
            "The package sounddevice, which reads the microphone, is not installed.",
            "Install it with: pip install sounddevice",
        ) from error
    except Exception as error:  # no PortAudio, no device, a device that is busy: all of its kinds
        raise Problem(
            f"There is no microphone to be used here: {error}",
            "Connect one (on Linux, PortAudio is needed too), or give a WAV file instead of --mic.",
        ) from error
    with stream:
        print("Ask your question now ...", flush=True)
        while True:
            data, _has_overflowed = stream.read(count)
            yield bytes(data)
