"""Work counted instead of timed: how many calls something makes, how many bytes it keeps."""

from __future__ import annotations

import sys
import tracemalloc
from collections.abc import Callable
from typing import Any


def calls_made_by(work: Callable[[], Any]) -> int:
    """Number of Python and C functions that ``work`` calls."""
    calls = 0

    def count(_frame: object, event: str, _argument: object) -> None:
        nonlocal calls
        calls += event in ("call", "c_call")

    before = sys.getprofile()
    sys.setprofile(count)
    try:
        work()
    finally:
        sys.setprofile(before)
    return calls


def peak_bytes_of(work: Callable[[], Any]) -> int:
    """Most memory that ``work`` holds at any time."""
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def bytes_kept_by(make: Callable[[], Any]) -> int:
    """Memory that what ``make`` returns holds on to."""
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        kept = make()
        after = tracemalloc.get_traced_memory()[0]
        del kept
        return after - before
    finally:
        tracemalloc.stop()
