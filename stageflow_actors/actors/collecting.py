"""How often the garbage of a process of ours is collected."""

from __future__ import annotations

import gc

_OFTEN = 100_000
"""Objects made between two collections, instead of 700."""


def keep_loaded() -> None:
    """Look at what this process has loaded by now never again.

    The garbage of what comes later is the user's, and may be large: it is looked for as ever. To
    collect before would cost a tenth of a second, which a process that is waited for does not have.
    """
    gc.freeze()


def collect_less() -> None:
    """``keep_loaded``, and look at what is new less often: most of a run is freed without any.

    Runs in flight are many live objects: Python would go through all of them every few runs, which
    costs as much as the work itself.
    """
    keep_loaded()
    gc.set_threshold(_OFTEN, 20, 20)
