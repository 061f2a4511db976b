"""What the runtime, not a stage, could not do."""

from __future__ import annotations

from stageflow_actors.errors.root import StageflowError


class RuntimeFault(StageflowError, RuntimeError):
    """The runtime, not a stage, could not do its work."""

    default_code = "RUNTIME"


class RayStartError(RuntimeFault):
    """Ray could not be started or joined."""

    default_code = "RUNTIME-RAY-START"


class DeploymentError(RuntimeFault):
    """A pipeline could not be deployed; ``stage`` names the culprit where there is one."""

    default_code = "DEPLOYMENT-FAILED"

    def __init__(
        self, message: str, *, stage: str = "", hint: str = "", code: str | None = None
    ) -> None:
        super().__init__(message, hint=hint, code=code)
        self.stage = stage


class PlacementError(DeploymentError):
    """No node has room for a stage within ``Settings.placement_timeout_s``."""

    default_code = "DEPLOYMENT-PLACEMENT"


class DeploymentClosedError(RuntimeFault):
    """The deployment was closed, or never opened; it takes no runs."""

    default_code = "DEPLOYMENT-CLOSED"


class SupervisorLostError(RuntimeFault):
    """The supervisor's process died; the runs that it held are lost."""

    default_code = "SUPERVISOR-LOST"


class EscalationError(RuntimeFault):
    """Stages died too often within ``Settings.restart_period_s``; the supervisor gave up."""

    default_code = "SUPERVISION-ESCALATED"
