"""Security: who a run is for, and what it may ask for. Checked once, before it is submitted."""

from stageflow_actors.errors.security import AuthenticationError, TenantAccessDeniedError
from stageflow_actors.security.admission import (
    Admission,
    AuthInterceptor,
    OrgEnforcementInterceptor,
)
from stageflow_actors.security.tokens import AuthContext, TokenVerifier

__all__ = (
    "Admission",
    "AuthContext",
    "AuthInterceptor",
    "AuthenticationError",
    "OrgEnforcementInterceptor",
    "TenantAccessDeniedError",
    "TokenVerifier",
)
