"""The examples of this repository on Ray Serve, for this machine alone.

serve run serve.app:app
"""

from __future__ import annotations

from importlib.util import find_spec

from stageflow_actors import Settings
from stageflow_actors.serving.app import build_app
from stageflow_actors.serving.replicas.served_app import ServedApp

ENRICHING = ("serve.enriching:enriching",)
ASSISTANT = (
    "serve.assistant:hearing",
    "serve.assistant:answering",
    "serve.assistant:speaking",
)
NEEDED = ("espeakng_loader", "numpy", "pocketsphinx")
"""What the assistant needs; the extra ``examples`` installs it."""


def pipelines() -> tuple[str, ...]:
    """The examples that can run here."""
    has_voice = all(find_spec(name) for name in NEEDED)
    return ENRICHING + (ASSISTANT if has_voice else ())


app = build_app(
    ServedApp(
        pipelines=pipelines(),
        insecure_loopback=True,
        # One process for each pipeline: a laptop has few cores.
        runtime=Settings(max_hosts_per_deployment=1),
        title="Examples of stageflow-actors",
    )
)
