"""``Restart``: whether the process of a stage is replaced when it has ended."""

from __future__ import annotations

from enum import StrEnum


class Restart(StrEnum):
    """The restart types of OTP's supervisors (erlang.org/doc/man/supervisor, ``restart()``)."""

    PERMANENT = "permanent"
    """Always."""
    TRANSIENT = "transient"
    """Unless it ended by its own wish: ``ctx.retire()``."""
    TEMPORARY = "temporary"
    """Never: later runs that need the stage fail with ``STAGE-DOWN``."""
