"""``Payload``: any value as bytes, for a reader in this or another process."""

from __future__ import annotations

import io
import pickle
import sys
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import cloudpickle

PROTOCOL = 5
BIG = 2**20
"""Bytes of an array from which on a copy costs much more than to find out how to spare it."""


class Payload(NamedTuple):
    """A pickled value: the pickle stream and its out-of-band buffers, which nobody writes any more.

    A big buffer may be a read-only view of single bytes: that does not travel inside a message.
    """

    head: bytes
    buffers: tuple[bytes | memoryview, ...] = ()

    @property
    def size(self) -> int:
        """In bytes."""
        return len(self.head) + sum(map(len, self.buffers)) if self.buffers else len(self.head)

    def in_bytes(self) -> Payload:
        """It, as it can travel inside a message."""
        return Payload(self.head, tuple(map(bytes, self.buffers))) if self.buffers else self


class FarOutput(NamedTuple):
    """A big output that is elsewhere: a reference of Ray to its parts; ``None``: it waits to be
    taken. ``size`` is in bytes.
    """

    ref: Any
    size: int


class Given(NamedTuple):
    """A contiguous array that nobody else has, nor any view of it: it is kept, and not copied."""

    array: Any


class _ValuePickler(cloudpickle.Pickler):  # type: ignore[misc] # cloudpickle carries no types
    """Pickles values whose classes may live in ``__main__``; takes arrays out of band.

    ``kept`` are the buffers that need no copy.
    """

    def __init__(self, stream: io.BytesIO, take: Callable[[pickle.PickleBuffer], Any]) -> None:
        super().__init__(stream, protocol=PROTOCOL, buffer_callback=take)
        self.kept: list[Any] = []

    def reducer_override(self, value: Any) -> Any:
        if type(value) is Given:
            reduced = value.array.__reduce_ex__(PROTOCOL)
            self.kept.append(reduced[1][0])  # the same object that ``take`` gets
            return reduced
        numpy = sys.modules.get("numpy")
        if numpy is not None and type(value) is numpy.ndarray and not value.dtype.hasobject:
            # Only contiguous arrays travel out of band and so come back read-only.
            return numpy.ascontiguousarray(value).reshape(value.shape).__reduce_ex__(PROTOCOL)
        return super().reducer_override(value)


def encode(value: Any) -> Payload:
    """``value`` as bytes; whatever the pickling of it raises passes through."""
    head, buffers, _kept = _pickled(value)
    return Payload(head, tuple(bytes(buffer.raw()) for buffer in buffers))


def seal_buffers(value: Any) -> Payload:
    """``value`` as it is now, to be read here or given to ``to_parts``: as cheap as can be.

    Whatever the pickling of it raises passes through.
    """
    head, buffers, kept = _pickled(value)
    return Payload(head, tuple(_sealed(each, kept) for each in buffers))


def _pickled(value: Any) -> tuple[bytes, list[pickle.PickleBuffer], list[Any]]:
    stream = io.BytesIO()
    buffers: list[pickle.PickleBuffer] = []
    pickler = _ValuePickler(stream, buffers.append)
    pickler.dump(value)
    return stream.getvalue(), buffers, pickler.kept


def _sealed(buffer: pickle.PickleBuffer, kept: Sequence[Any]) -> bytes | memoryview:
    raw = buffer.raw()
    if any(buffer is each for each in kept):
        return raw.toreadonly()
    numpy = sys.modules.get("numpy")
    if numpy is None or raw.nbytes < BIG:
        return bytes(raw)
    # Fresh memory costs more than the copy; that of an array comes in bigger pieces.
    return memoryview(numpy.frombuffer(raw, numpy.uint8).copy()).toreadonly()


def decode(payload: Payload) -> Any:
    """What ``encode`` was given, made anew."""
    return pickle.loads(payload.head, buffers=payload.buffers)
