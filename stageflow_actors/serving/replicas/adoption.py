"""``adopt``: the keeper of a version, found or started."""

from __future__ import annotations

import asyncio
from typing import Any

from ray.exceptions import RayActorError, RayTaskError

from stageflow_actors.actors.control import actor_class
from stageflow_actors.errors import StageflowError, SupervisorLostError
from stageflow_actors.serving.replicas.keeper import Keeper
from stageflow_actors.serving.replicas.places import NAMESPACE, Place
from stageflow_actors.serving.replicas.served_app import ServedApp

_AGAIN_S = 0.1
_MOST_DEATHS = 3
_MOST_CALLS = 10_000


async def adopt(app: ServedApp, place: Place, replica: str) -> Any:
    """The keeper at ``place``, which serves ``replica`` from now on. One that is about to go is
    waited for, and another started.

    Raises:
        StageflowError: the pipeline cannot be deployed.
        SupervisorLostError: keepers die as soon as they are started.
    """
    deaths = 0
    while deaths < _MOST_DEATHS:
        keeper = await asyncio.to_thread(_keeper, app, place)
        try:
            if await keeper.join.remote(replica):
                return keeper
        except RayTaskError as error:
            if isinstance(error.cause, StageflowError):
                raise error.cause from error
            raise
        except RayActorError:
            deaths += 1
        await asyncio.sleep(_AGAIN_S)
    raise SupervisorLostError(f"The keeper of pipeline '{place.pipeline}' dies again and again.")


def _keeper(app: ServedApp, place: Place) -> Any:
    """Asks Ray, and waits for it. It is restarted by whoever misses it, never by Ray."""
    return (
        actor_class(Keeper, _MOST_CALLS)
        .options(name=place.name, namespace=NAMESPACE, lifetime="detached", get_if_exists=True)
        .remote(app, place)
    )
