"""Recordings: WAV files in, and the one form that the recogniser takes out.

Reads PCM of 8 to 32 bits and floating point, any number of channels, from 8 kHz up.
"""

from __future__ import annotations

import io
import struct
import wave
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .problems import BadRecordingError

SAMPLE_RATE = 16_000
"""Hertz that the recogniser was trained with."""
LOWEST_RATE = 8_000
LONGEST_S = 15.0
"""A question takes seconds; what is longer is a mistake, and would keep everybody waiting."""

Samples = NDArray[np.int16]

_PCM, _FLOAT, _EXTENSIBLE = 1, 3, 0xFFFE


class _Format(NamedTuple):
    """What the ``fmt`` chunk says."""

    code: int
    channels: int
    rate: int
    bits: int

    @property
    def frame_bytes(self) -> int:
        return self.channels * self.bits // 8


def read_recording(path: Path) -> Samples:
    """The samples of a WAV file, mono, 16 bits, ``SAMPLE_RATE``.

    Raises:
        BadRecordingError: there is no such file, it is no WAV, or one that cannot be used.
    """
    try:
        with path.open("rb") as file:
            found, data = _read_chunks(file, path)
    except OSError as error:
        raise BadRecordingError(
            f"{path} cannot be read: {error.strerror}.", "Give the path of a WAV file."
        ) from error
    _check_length(len(data) / found.frame_bytes / found.rate, path)
    mono = _to_floats(data, found).reshape(-1, found.channels).mean(axis=1)
    return np.clip(np.rint(_resample(mono, found.rate) * 32768), -32768, 32767).astype(np.int16)


def wav_bytes(samples: bytes, rate: int) -> bytes:
    """A WAV file of ``samples``: mono, 16 bits, little endian."""
    file = io.BytesIO()
    with wave.open(file, "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(rate)
        out.writeframes(samples)
    return file.getvalue()


def _read_chunks(file: io.BufferedReader, path: Path) -> tuple[_Format, bytes]:
    """The format and the sample data, without reading more than a question can take."""
    head = file.read(12)
    if len(head) < 12 or head[:4] != b"RIFF" or head[8:] != b"WAVE":
        raise BadRecordingError(
            f"{path} is not a WAV file: it begins with {head[:12]!r}.",
            "Convert it first, for example: ffmpeg -i FILE -ar 16000 -ac 1 question.wav",
        )
    found: _Format | None = None
    while len(chunk := file.read(8)) == 8:
        name, size = struct.unpack("<4sI", chunk)
        if name == b"fmt ":
            found = _read_format(file.read(size + size % 2), path)
        elif name == b"data" and found is not None:
            _check_length(_seconds_left(file, size, found), path)
            data = file.read(size)
            return found, data[: len(data) - len(data) % found.frame_bytes]
        else:
            file.seek(size + size % 2, io.SEEK_CUR)
    raise BadRecordingError(
        f"{path} is a WAV file without sound in it: it ends too early.", "Record it again."
    )


def _seconds_left(file: io.BufferedReader, size: int, found: _Format) -> float:
    """Length of the sound; a recorder that was stopped may have promised more than there is."""
    here = file.tell()
    there_is = file.seek(0, io.SEEK_END) - here
    file.seek(here)
    return min(size, there_is) / found.frame_bytes / found.rate


def _read_format(chunk: bytes, path: Path) -> _Format:
    if len(chunk) < 16:
        raise BadRecordingError(f"{path} has a damaged header.", "Record or convert it again.")
    code, channels, rate, _bytes_per_s, _frame_bytes, bits = struct.unpack_from("<HHIIHH", chunk)
    if code == _EXTENSIBLE and len(chunk) >= 26:
        (code,) = struct.unpack_from("<H", chunk, 24)
    if (code, bits) not in {(_PCM, 8), (_PCM, 16), (_PCM, 24), (_PCM, 32), (_FLOAT, 32)}:
        raise BadRecordingError(
            f"{path} has samples of an unknown form (code {code}, {bits} bits).",
            "Convert it first, for example: ffmpeg -i FILE -c:a pcm_s16le question.wav",
        )
    if channels < 1 or rate < LOWEST_RATE:
        raise BadRecordingError(
            f"{path} has {channels} channels at {rate} Hz, which is too little to understand.",
            f"Record it with 1 channel at {SAMPLE_RATE} Hz.",
        )
    return _Format(code, channels, rate, bits)


def _check_length(seconds: float, path: Path) -> None:
    if seconds > LONGEST_S:
        raise BadRecordingError(
            f"{path} is {seconds:.0f} s long; a question may take {LONGEST_S:.0f} s.",
            "Ask one question per recording.",
        )


def _to_floats(data: bytes, found: _Format) -> NDArray[np.float64]:
    """Samples between -1 and 1, channel after channel."""
    if found.code == _FLOAT:
        floats: NDArray[np.float64] = np.frombuffer(data, "<f4").astype(np.float64)
        return np.where(np.abs(floats) <= 1, floats, np.sign(np.nan_to_num(floats)))
    if found.bits == 8:
        return (np.frombuffer(data, np.uint8).astype(np.float64) - 128) / 128
    # The bytes of a sample go to the top of a 32 bit number, whatever their count.
    width = found.bits // 8
    wide = np.zeros((len(data) // width, 4), np.uint8)
    wide[:, 4 - width :] = np.frombuffer(data, np.uint8).reshape(-1, width)
    integers: NDArray[np.int32] = wide.view("<i4").ravel()
    return integers / 2.0**31


def _resample(samples: NDArray[np.float64], rate: int) -> NDArray[np.float64]:
    """The same sound with ``SAMPLE_RATE`` samples a second: its spectrum, cut off or extended."""
    if rate == SAMPLE_RATE or not samples.size:
        return samples
    count = round(samples.size * SAMPLE_RATE / rate)
    spectrum = np.fft.rfft(samples) * (count / samples.size)
    changed: NDArray[np.float64] = np.fft.irfft(spectrum, count)
    return changed
