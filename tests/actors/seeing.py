"""What a process sees of its machine, noted as soon as anything of the user's is imported there."""

from __future__ import annotations

import os

from stageflow_actors import StageKind

DEVICES = "CUDA_VISIBLE_DEVICES"
AT_IMPORT = os.environ.get(DEVICES)


class Sees:
    """Tells the GPUs that its module saw when it was imported, and a variable of its process."""

    kind = StageKind.WORK

    async def execute(self, ctx):
        return {"gpus": AT_IMPORT, "now": os.environ.get(DEVICES), "asked": os.environ.get("ASKED")}


def seen_by(results):
    """The GPUs by stage: the same at import and later."""
    told = {name: results[name].data for name in results}
    assert all(each["gpus"] == each["now"] for each in told.values())
    return {name: each["gpus"] for name, each in told.items()}
