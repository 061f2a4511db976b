"""Standard output for the command alone: what user code prints meanwhile goes to stderr."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from io import UnsupportedOperation
from typing import TextIO


@contextmanager
def private_stdout() -> Iterator[TextIO]:
    """Yields what reaches the reader of stdout; ``print`` and the file descriptor lead to stderr.

    The descriptor stays that way to the end of the process: what worker processes printed may come
    in late.
    """
    original = sys.stdout
    descriptor = _descriptor_of(original)
    if descriptor is None:
        with redirect_stdout(sys.stderr):
            yield original
        return
    original.flush()
    private = os.fdopen(os.dup(descriptor), "w", encoding=original.encoding, errors="replace")
    os.dup2(sys.stderr.fileno(), descriptor)
    with private, redirect_stdout(sys.stderr):
        yield private


@contextmanager
def ending_with_its_reader(out: TextIO) -> Iterator[None]:
    """Stop without a word when nobody reads ``out`` any more, as ``head`` does."""
    try:
        yield
        out.flush()
    except BrokenPipeError:
        descriptor = _descriptor_of(out)
        if descriptor is not None:  # what is still in the buffer goes nowhere
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, descriptor)
            os.close(nowhere)


def takes_signs(encoding: str | None) -> bool:
    """Whether text in ``encoding`` can hold the lines, bars and arrows of our pictures."""
    try:
        "─│╌╎╭╮╰╯├┤┬┴┼▶▼·░█▓▒═╵".encode(encoding or "ascii")
    except (LookupError, UnicodeEncodeError):
        return False
    return True


def _descriptor_of(stream: TextIO) -> int | None:
    """``None`` for a stream in memory."""
    try:
        sys.stderr.fileno()
        return stream.fileno()
    except (AttributeError, UnsupportedOperation):
        return None
