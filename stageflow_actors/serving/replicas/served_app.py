"""``ServedApp``: what is served and how, in words that a configuration file can say."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from stageflow_actors.actors.registry import PipelineRegistry
from stageflow_actors.model.settings import Settings
from stageflow_actors.security import TokenVerifier
from stageflow_actors.serving.callers import Gate
from stageflow_actors.serving.faults import ServingError
from stageflow_actors.serving.served import OnDisconnect, ServedPipeline, served_by_name
from stageflow_actors.serving.settings import ServingSettings
from stageflow_actors.serving.targets import VERIFIER_HINT, found_at, verifier_from

_PROXIED_BYTES = 2**20


class ServedApp(BaseModel):
    """The arguments of ``build_app``; everything is named by import path or file.

    Serve's proxy takes whatever is sent, so answers with events are bounded by
    ``settings.max_stream_bytes``, 1 MiB unless it is given.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    pipeline: str | None = None
    """One pipeline: ``package.module:name``, ``flows.yaml`` or ``flows.yaml:name``."""
    pipelines: tuple[str, ...] | dict[str, str] = ()
    """Several, under their own names or those of the mapping."""
    verifier: str | None = None
    """A ``TokenVerifier``, or a function without parameters that returns one."""
    insecure_loopback: bool = False
    """Without a verifier: whoever is on this machine may ask, and nobody else."""
    on_disconnect: OnDisconnect = OnDisconnect.CANCEL
    """What becomes of a run whose client goes; a ``ServedPipeline`` says so itself."""
    registry: str | None = None
    """A ``PipelineRegistry`` of what stages may start as child runs."""
    version: Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,64}$")] | None = None
    """Replicas of one version share their runs. By default it follows from code and arguments."""
    settings: ServingSettings = ServingSettings(max_stream_bytes=_PROXIED_BYTES)
    """The bounds of the door."""
    runtime: Settings = Settings()
    """The bounds of the runtime."""
    title: str = "stageflow-actors"
    """The title of the OpenAPI document."""

    @field_validator("settings")
    @classmethod
    def _bounds_streams(cls, given: ServingSettings) -> ServingSettings:
        """Other settings do not take the bound away; only ``None`` for it does."""
        if "max_stream_bytes" in given.model_fields_set:
            return given
        return given.model_copy(update={"max_stream_bytes": _PROXIED_BYTES})

    @model_validator(mode="after")
    def _names_pipelines_once(self) -> Self:
        if bool(self.pipeline) == bool(self.pipelines):
            raise ValueError("give either pipeline or pipelines")
        return self

    def served(self) -> dict[str, ServedPipeline]:
        """The pipelines, by the names that requests say.

        Raises:
            ServingError: one cannot be had, or there are none.
        """
        if isinstance(self.pipelines, dict):
            return served_by_name(
                {name: self._served(target) for name, target in self.pipelines.items()}
            )
        return served_by_name([self._served(target) for target in self.targets()])

    def targets(self) -> tuple[str, ...]:
        """Where the pipelines are."""
        return (self.pipeline,) if self.pipeline is not None else tuple(self._listed())

    def _listed(self) -> Iterable[str]:
        return self.pipelines.values() if isinstance(self.pipelines, dict) else self.pipelines

    def gate(self) -> Gate:
        """Who lets callers pass.

        Raises:
            ServingError: the verifier cannot be had, or there is none where one is needed.
        """
        verifier = None if self.verifier is None else _verifier_at(self.verifier)
        timeout_s = self.settings.verifier_timeout_s
        return Gate(verifier, insecure_loopback=self.insecure_loopback, timeout_s=timeout_s)

    def children(self) -> PipelineRegistry | None:
        """What stages may start as child runs.

        Raises:
            ServingError: the registry cannot be had.
        """
        if self.registry is None:
            return None
        found = found_at(self.registry)
        return found if isinstance(found, PipelineRegistry) else PipelineRegistry(found)

    def _served(self, target: str) -> ServedPipeline:
        found = found_at(target)
        if isinstance(found, ServedPipeline):
            return found
        return ServedPipeline(found, self.on_disconnect)


def _verifier_at(path: str) -> TokenVerifier:
    verifier = verifier_from(found_at(path))
    if verifier is None:
        raise ServingError(
            f"{path!r} is no TokenVerifier.", hint=VERIFIER_HINT, code="SERVE-TARGET"
        )
    return verifier
