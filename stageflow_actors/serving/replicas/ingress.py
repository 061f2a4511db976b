"""``Door``: the Serve deployment whose replicas are the door."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from uuid import uuid4

from fastapi import FastAPI
from ray import serve

from stageflow_actors.actors.collecting import keep_loaded
from stageflow_actors.serving.application import app_of
from stageflow_actors.serving.desk import Desk
from stageflow_actors.serving.replicas.kept_desk import KeptDesk
from stageflow_actors.serving.replicas.places import Place
from stageflow_actors.serving.replicas.received_once import ReceivedOnce
from stageflow_actors.serving.replicas.served_app import ServedApp
from stageflow_actors.serving.replicas.versions import version_of
from stageflow_actors.serving.served import ServedPipeline
from stageflow_actors.serving.service import Service
from stageflow_actors.telemetry.environment import configure_from_environment
from stageflow_actors.telemetry.log_environment import begin_logs

MOST_REQUESTS = 1_000
"""Requests that one replica works on at a time; most of them wait for a run or for events."""


class Ingress:
    """One replica: it checks who asks and what, and hands on to the keepers."""

    def __init__(self, app: ServedApp) -> None:
        self._app = app
        self._name = serve.get_replica_context().app_name

    def __serve_build_asgi_app__(self) -> FastAPI:
        """The application in front of the keepers; Serve opens and closes it."""
        served = self._app.served()
        version = version_of(self._app, served.values())

        @asynccontextmanager
        async def opened() -> AsyncIterator[Mapping[str, Desk]]:
            begin_logs()
            exports = configure_from_environment("replica")
            try:
                async with kept_desks(self._app, self._name, version, served) as desks:
                    keep_loaded()
                    yield desks
            finally:
                await asyncio.to_thread(exports.shutdown)

        service = Service(served, opened, self._app.gate(), self._app.settings)
        app = app_of(service, title=self._app.title)
        app.add_middleware(ReceivedOnce)
        return app


@asynccontextmanager
async def kept_desks(
    app: ServedApp, name: str, version: str, served: Mapping[str, ServedPipeline]
) -> AsyncIterator[dict[str, KeptDesk]]:
    """A desk for each pipeline, each with a keeper; at the end they are left.

    Raises:
        StageflowError: a pipeline cannot be deployed.
    """
    replica = uuid4().hex
    desks = {each: KeptDesk(app, Place(name, each, version), replica) for each in served}
    try:
        await asyncio.gather(*(desk.open() for desk in desks.values()))
        yield desks
    finally:
        await asyncio.gather(*(desk.close() for desk in desks.values()))


Door = serve.deployment(name="Door", max_ongoing_requests=MOST_REQUESTS)(serve.ingress()(Ingress))
