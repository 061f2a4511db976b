"""``build_app``: pipelines as an application of Ray Serve.

``serve run stageflow_actors.serving.app:build_app pipeline=my_pkg.flows:chat``, or the
``import_path`` of a Serve config file, with what ``ServedApp`` has as its ``args``.
"""
# Serve reads the annotation below as it stands, so it must not become text.

from ray.serve import Application

from stageflow_actors.serving.replicas.ingress import Door
from stageflow_actors.serving.replicas.served_app import ServedApp


def build_app(served: ServedApp) -> Application:
    """The application; nothing of it is started yet.

    Raises:
        ServingError: nobody would verify tokens, and nothing says that loopback will do.
    """
    served.gate()
    return Door.bind(served)
