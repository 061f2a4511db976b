"""The recordings of the example, what is spoken in them, and WAV files of other forms."""

from __future__ import annotations

import json
import re
import struct
from pathlib import Path

import numpy as np

from examples.voice_assistant.wav import read_recording

EXAMPLE = Path(__file__).parents[3] / "examples" / "voice_assistant"
FOLDER = EXAMPLE / "recordings"
EXPECTED = json.loads((FOLDER / "expectations.json").read_text(encoding="utf-8"))
ANSWERED = [one for one in EXPECTED if one["outcome"] == "answered"]
UNKNOWN = [one for one in EXPECTED if one["outcome"] == "unknown"]
BLOCKED = [one for one in EXPECTED if one["outcome"] == "blocked"]
RATE = 16_000


def path_of(name):
    return FOLDER / f"{name}.wav"


def name_of(one):
    return one["name"]


def words_spoken(text):
    return re.findall(r"[a-z']+", text.lower())


def word_errors(spoken, heard):
    """Words to insert, delete or replace in ``heard`` to get ``spoken``."""
    costs = list(range(len(heard) + 1))
    for row, word in enumerate(spoken, 1):
        diagonal, costs[0] = costs[0], row
        for column, other in enumerate(heard, 1):
            changed = diagonal + (word != other)
            diagonal = costs[column]
            costs[column] = min(changed, diagonal + 1, costs[column - 1] + 1)
    return costs[-1]


def floats_of(name):
    """Samples of a recording between -1 and 1."""
    return read_recording(path_of(name)) / 32768


def at_rate(samples, rate):
    """The sound of 16 kHz ``samples`` with another number of samples a second, by interpolation."""
    times = np.arange(int(len(samples) * rate / RATE)) / rate
    return np.interp(times, np.arange(len(samples)) / RATE, samples)


def write_wav(path, samples, *, rate=RATE, bits=16, channels=1, code=1, is_extensible=False):
    """A WAV file of ``samples`` (between -1 and 1), the same in every channel."""
    frames = np.repeat(samples, channels)
    if code == 3:
        data = frames.astype("<f4").tobytes()
    elif bits == 8:
        data = (np.clip(frames, -1, 1) * 127 + 128).astype(np.uint8).tobytes()
    else:
        top = (np.clip(frames, -1, 1) * (2**31 - 1)).astype("<i4")
        data = top.view(np.uint8).reshape(-1, 4)[:, 4 - bits // 8 :].tobytes()
    frame = channels * bits // 8
    form = struct.pack("<HHIIHH", code, channels, rate, rate * frame, frame, bits)
    if is_extensible:
        guid = struct.pack("<H", code) + bytes.fromhex("000000001000800000aa00389b71")
        form = struct.pack("<H", 0xFFFE) + form[2:] + struct.pack("<HHI", 22, bits, 0) + guid
    chunks = b"".join(
        struct.pack("<4sI", name, len(body)) + body + b"\0" * (len(body) % 2)
        for name, body in ((b"LIST", b"odd"), (b"fmt ", form), (b"data", data))
    )
    path.write_bytes(struct.pack("<4sI4s", b"RIFF", 4 + len(chunks), b"WAVE") + chunks)
    return path
