"""What a process sees of the GPUs of its machine: those that it was given, and no others."""

from __future__ import annotations

import os

import ray


def hide_gpus() -> None:
    """Let this process, and those that it starts, see no GPU if Ray has assigned none to it.

    Before any library looks for GPUs: it would go on with what it found. Ray itself hides others
    only from a process that has one.
    """
    if not ray.get_runtime_context().get_accelerator_ids().get("GPU"):
        os.environ["CUDA_VISIBLE_DEVICES"] = ""
