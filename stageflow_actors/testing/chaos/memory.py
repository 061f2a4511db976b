"""How a process runs out of memory without taking any from the machine."""

from __future__ import annotations

import resource
from pathlib import Path

_MORE_THAN_ANY_HEAP_HAS_FREE = 64 * 2**20
"""From this size on, memory comes from the system, which knows the limit."""


def run_out_of_memory(bytes_above: int) -> None:
    """Ask for more than ``bytes_above`` bytes while the process may have no more than those.

    Needs Linux: it reads the present use in ``/proc``.

    Raises:
        MemoryError: always.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    limit = _in_use() + bytes_above
    resource.setrlimit(resource.RLIMIT_AS, (limit if soft < 0 else min(soft, limit), hard))
    try:
        bytearray(bytes_above + _MORE_THAN_ANY_HEAP_HAS_FREE)
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))
    raise AssertionError(f"the system gave more memory than its limit of {limit} bytes")


def _in_use() -> int:
    """Bytes of address space, which is what the limit counts."""
    pages = Path("/proc/self/statm").read_text(encoding="ascii").split()[0]
    return int(pages) * resource.getpagesize()
