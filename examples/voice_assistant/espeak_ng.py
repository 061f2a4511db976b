"""eSpeak NG by ctypes: the few functions of its C library that turn text into samples.

The library and its data come with the package ``espeakng-loader``. It has one voice at a time per
process, so there should be one ``EspeakNG`` in a process.
"""

from __future__ import annotations

import ctypes
import threading

_SYNCHRONOUS = 2  # AUDIO_OUTPUT_SYNCHRONOUS: samples go to the callback before Synth returns
_UTF_8 = 1  # espeakCHARS_UTF8
_RATE = 1  # espeakRATE
_MOST_BYTES = 10_000


class EspeakError(RuntimeError):
    """The library refused something."""


class EspeakNG:
    """A voice. ``sample_rate`` is that of all it says, in hertz.

    Raises:
        EspeakError: the library does not start, or does not have the voice.
    """

    def __init__(self, voice: str) -> None:
        import espeakng_loader

        self._turn = threading.Lock()
        self._callback = ctypes.CFUNCTYPE(  # made here: a C type does not travel between processes
            ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p
        )
        self._library = ctypes.CDLL(espeakng_loader.get_library_path())
        data = espeakng_loader.get_data_path().encode()
        self.sample_rate = int(self._library.espeak_Initialize(_SYNCHRONOUS, 0, data, 0))
        if self.sample_rate <= 0:
            raise EspeakError(f"eSpeak NG does not start with the data in {data.decode()}.")
        if self._library.espeak_SetVoiceByName(voice.encode()) != 0:
            raise EspeakError(f"eSpeak NG has no voice {voice!r}.")

    def close(self) -> None:
        """Let go of the library's memory."""
        with self._turn:
            self._library.espeak_Terminate()

    def say(self, text: str, words_per_minute: int) -> bytes:
        """``text`` as samples: mono, 16 bits.

        Raises:
            EspeakError: the library refused the text.
        """
        samples = bytearray()

        def take(wave: ctypes._Pointer[ctypes.c_short], count: int, _events: int | None) -> int:
            if wave and count:
                samples.extend(ctypes.string_at(wave, 2 * count))
            return 0

        callback = self._callback(take)  # has to live as long as the library may call it
        encoded = text.replace("\0", " ").encode()[:_MOST_BYTES]
        with self._turn:
            self._library.espeak_SetSynthCallback(callback)
            self._library.espeak_SetParameter(_RATE, words_per_minute, 0)
            failure = (
                self._library.espeak_Synth(encoded, len(encoded) + 1, 0, 0, 0, _UTF_8, None, None)
                or self._library.espeak_Synchronize()
            )
        if failure:
            raise EspeakError(f"eSpeak NG could not say {text!r}: error {failure}.")
        return bytes(samples)
