"""Binary messages of a WebSocket: a header as JSON, and bytes as they are. Pure.

One byte that is 1, the length of the header as four bytes, the highest first, the header, and to
the end of the message the bytes.
"""

from __future__ import annotations

import struct
from typing import NamedTuple

_VERSION = 1
_PREFIX = ">BI"
_PREFIX_BYTES = 5


class FrameError(ValueError):
    """The message has another form; the text says which part of it."""


class Frame(NamedTuple):
    """A binary message in its parts."""

    header: bytes
    payload: bytes


def pack(frame: Frame) -> bytes:
    """``frame`` as one message."""
    return b"%b%b%b" % (
        struct.pack(_PREFIX, _VERSION, len(frame.header)),
        frame.header,
        frame.payload,
    )


def unpack(message: bytes) -> Frame:
    """The parts of ``message``.

    Raises:
        FrameError: it was not made by ``pack``.
    """
    if len(message) < _PREFIX_BYTES:
        raise FrameError("It is too short.")
    version, length = struct.unpack_from(_PREFIX, message)
    if version != _VERSION:
        raise FrameError(f"Its first byte has to be {_VERSION}.")
    until = _PREFIX_BYTES + length
    if until > len(message):
        raise FrameError("It is shorter than its header.")
    return Frame(message[_PREFIX_BYTES:until], message[until:])
