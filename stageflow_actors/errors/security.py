"""How a run or a stage is refused: for who asks, or by an interceptor."""

from __future__ import annotations

from stageflow_actors.errors.root import StageflowError


class AuthenticationError(StageflowError):
    """The run is not admitted: nobody could say for whom it runs.

    ``code`` says why. Nothing in it comes from the token, or from what the verifier raised.
    """

    default_code = "AUTH-FAILED"


class TenantAccessDeniedError(StageflowError):
    """The run is not admitted: it asks for what belongs to another organisation."""

    default_code = "AUTH-TENANT-DENIED"


class CriticalInterceptorError(StageflowError, RuntimeError):
    """For interceptors to raise: the stage must not go on. Any other exception does the same."""

    default_code = "INTERCEPTOR-CRITICAL"


class InterceptorRejectedError(StageflowError, RuntimeError):
    """An interceptor decided, with an ``error``, that the stage is not to be executed."""

    default_code = "INTERCEPTOR-REJECTED"


class InterceptorReturnTypeError(StageflowError, TypeError):
    """An interceptor answered with something that means nothing where it was asked."""

    default_code = "INTERCEPTOR-RETURN-TYPE"
