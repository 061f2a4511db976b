"""Security: who a run is for, and what it may ask for. Checked once, before it is submitted."""

from stageflow_actors.errors.security import AuthenticationError, TenantAccessDeniedError
from stageflow_actors.security.admission import (
    Admission,
    AuthInterceptor,
    OrgEnforcementInterceptor,
)
from stageflow_actors.security.api_keys import (
    ApiKeyRecord,
    ApiKeyVerifier,
    NewApiKey,
    new_api_key,
)
from stageflow_actors.security.first_of import FirstOf
from stageflow_actors.security.jwks import JwksDocument
from stageflow_actors.security.jwks_url import JwksUrl
from stageflow_actors.security.jwt_verifier import JwtVerifier
from stageflow_actors.security.tokens import AuthContext, TokenVerifier

__all__ = (
    "Admission",
    "ApiKeyRecord",
    "ApiKeyVerifier",
    "AuthContext",
    "AuthInterceptor",
    "AuthenticationError",
    "FirstOf",
    "JwksDocument",
    "JwksUrl",
    "JwtVerifier",
    "NewApiKey",
    "OrgEnforcementInterceptor",
    "TenantAccessDeniedError",
    "TokenVerifier",
    "new_api_key",
)
